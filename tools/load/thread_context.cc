#include "tools/load/thread_context.h"

#include "tools/load/clock.h"
#include "tools/load/session.h"

namespace turnpike::load {

void ThreadContext::SplitIntoTrains(const SendQueue::Part& part, int fd) {
  ByteSpan rest = part.bytes;
  for (size_t first = 0; first < part.items.size();) {
    const uint32_t size = part.items[first].message_size;
    size_t bytes = size;
    size_t end = first + 1;
    // Of equal size, but for a shorter last one; an empty datagram has no place in a train.
    while (end < part.items.size() && end - first < plan.train &&
           part.items[end - 1].message_size == size && part.items[end].message_size <= size &&
           part.items[end].message_size > 0 &&
           bytes + part.items[end].message_size <= Train::kMostBytes) {
      bytes += part.items[end++].message_size;
    }
    trains_.push_back({fd, rest.first(bytes), size, static_cast<uint32_t>(end - first)});
    runs_.push_back({&part, first});
    rest = rest.subspan(bytes);
    first = end;
  }
}

void ThreadContext::Flush() {
  if (out.empty()) return;
  trains_.clear();
  runs_.clear();
  for (const SendQueue::Part& part : out.parts()) {
    const int fd = part.session->SocketOf(part.direction);
    if (fd >= 0) {
      SplitIntoTrains(part, fd);
      continue;
    }
    const size_t taken = part.session->SendPart(part);
    part.session->OnSent(part.direction, part.items, taken, ReadMono(), 0);
  }
  sender.Send(trains_);
  // What left with others is as late as the last of them.
  const MonoTime when = ReadMono();
  for (size_t i = 0; i < trains_.size(); ++i) {
    const Train& train = trains_[i];
    ++measurements.trains;
    measurements.train_packets += train.taken;
    runs_[i].part->session->OnSent(runs_[i].part->direction,
                                   runs_[i].part->items.subspan(runs_[i].first, train.count),
                                   train.taken, when, train.error);
  }
  out.Clear();
}

}  // namespace turnpike::load
