#include "server/io/handover_board.h"

#include <utility>

#include "common/base/check.h"

namespace turnpike {
namespace {

// MayBeLost says whether `item` is like a datagram. The others keep the books of both workers
// right.
bool MayBeLost(const Handover& item) {
  return std::holds_alternative<GuestMessage>(item) || std::holds_alternative<GuestForward>(item) ||
         std::holds_alternative<SendMessage>(item);
}

}  // namespace

void HandoverBoard::Join(CoreId core, UvAsync& wake) {
  const std::lock_guard lock(mutex_);
  const bool is_new = boxes_.emplace(core, Box{.wake = &wake, .items = {}}).second;
  TP_CHECK(is_new);
}

std::vector<Handover> HandoverBoard::Leave(CoreId core) {
  const std::lock_guard lock(mutex_);
  auto box = boxes_.extract(core);
  return box.empty() ? std::vector<Handover>() : std::move(box.mapped().items);
}

bool HandoverBoard::Post(CoreId core, Handover&& item) {
  const std::lock_guard lock(mutex_);
  const auto box = boxes_.find(core);
  if (box == boxes_.end()) return false;
  if (MayBeLost(item) && box->second.items.size() >= kMaxWaiting) return false;
  box->second.items.push_back(std::move(item));
  box->second.wake->Send();
  return true;
}

std::vector<Handover> HandoverBoard::Take(CoreId core) {
  const std::lock_guard lock(mutex_);
  const auto box = boxes_.find(core);
  return box == boxes_.end() ? std::vector<Handover>() : std::exchange(box->second.items, {});
}

}  // namespace turnpike
