#include "tools/check/report.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace turnpike::check {

void SortByDistance(std::vector<EdgeResult>& edges) {
  const auto distance = [](const EdgeResult& edge) {
    const PathResult* const path = BestPath(edge);
    return path != nullptr && path->quality && path->quality->received > 0
               ? path->quality->rtt_p50
               : std::numeric_limits<double>::infinity();
  };
  // An insertion sort, since equals keep their order and clang calls what stable_sort uses
  // deprecated.
  for (auto edge = edges.begin(); edge != edges.end(); ++edge) {
    const auto place = std::ranges::upper_bound(edges.begin(), edge, distance(*edge), {}, distance);
    std::rotate(place, edge, std::next(edge));
  }
}

}  // namespace turnpike::check
