#include "server/io/handover_board.h"

#include <utility>

#include "common/base/check.h"

namespace turnpike {

void HandoverBoard::Join(CoreId core, UvAsync& wake) {
  const std::lock_guard lock(mutex_);
  const bool is_new = boxes_.emplace(core, Box{.wake = &wake, .ends = {}}).second;
  TP_CHECK(is_new);
}

std::vector<ClientEnd> HandoverBoard::Leave(CoreId core) {
  const std::lock_guard lock(mutex_);
  auto box = boxes_.extract(core);
  return box.empty() ? std::vector<ClientEnd>() : std::move(box.mapped().ends);
}

bool HandoverBoard::Post(CoreId core, ClientEnd& end) {
  const std::lock_guard lock(mutex_);
  const auto box = boxes_.find(core);
  if (box == boxes_.end()) return false;
  box->second.ends.push_back(std::move(end));
  box->second.wake->Send();
  return true;
}

std::vector<ClientEnd> HandoverBoard::Take(CoreId core) {
  const std::lock_guard lock(mutex_);
  const auto box = boxes_.find(core);
  return box == boxes_.end() ? std::vector<ClientEnd>() : std::exchange(box->second.ends, {});
}

}  // namespace turnpike
