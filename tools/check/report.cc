#include "tools/check/report.h"

#include <algorithm>
#include <limits>

namespace turnpike::check {

void SortByDistance(std::vector<EdgeResult>& edges) {
  const auto distance = [](const EdgeResult& edge) {
    const PathResult* const path = BestPath(edge);
    return path != nullptr && path->quality && path->quality->received > 0
               ? path->quality->rtt_p50
               : std::numeric_limits<double>::infinity();
  };
  std::ranges::stable_sort(edges, {}, distance);
}

}  // namespace turnpike::check
