#include "server/turn/throttle.h"

#include <algorithm>
#include <utility>

namespace turnpike {
namespace {

// No datagram, and no read of a stream, is larger.
constexpr uint64_t kLargestPacket = 65536;

constexpr uint64_t kLargestLease = 65536;
constexpr uint64_t kLeasesPerSecond = 128;

}  // namespace

RateLimits::RateLimits(const LimitOptions& options)
    : session_bytes(options.session_bandwidth, kLargestPacket),
      session_packets(options.session_packets, 1),
      account_bytes(options.account_bandwidth, kLargestPacket) {}

MonoTime AccountShare::Charge(Direction direction, uint64_t bytes, const RateLimit& limit,
                              MonoTime now) {
  used_[static_cast<size_t>(direction)] += bytes;
  return quota_->bandwidth[static_cast<size_t>(direction)].Charge(bytes, limit, now);
}

bool AccountShare::Lease(size_t direction, uint64_t least, const RateLimit& limit, MonoTime now) {
  SharedBucket& bucket = quota_->bandwidth[direction];
  const uint64_t ample =
      std::max(least, std::min(limit.per_second() / kLeasesPerSecond, kLargestLease));
  for (const uint64_t amount : {ample, least}) {
    if (!bucket.Take(amount, limit, now)) continue;
    lease_[direction] += amount;
    return true;
  }
  return false;
}

void AccountShare::Measure(uint64_t elapsed_ms) {
  std::array<uint64_t, kDirectionCount> rates;
  for (size_t d = 0; d < rates.size(); ++d) {
    rates[d] = std::exchange(used_[d], 0) * 1000 / elapsed_ms;
  }
  Publish(rates);
}

// Publish replaces what this worker adds to the account's rate; differences wrap as they should.
void AccountShare::Publish(const std::array<uint64_t, kDirectionCount>& bytes_per_second) {
  for (size_t d = 0; d < published_.size(); ++d) {
    const uint64_t before = std::exchange(published_[d], bytes_per_second[d]);
    if (before == published_[d]) continue;
    quota_->bytes_per_second[d].fetch_add(published_[d] - before, std::memory_order_relaxed);
  }
}

std::optional<Limit> Throttle::Take(Direction direction, uint64_t bytes, const RateLimits& limits,
                                    MonoTime now) {
  Flow& flow = flows_[static_cast<size_t>(direction)];
  const bool packets = limits.session_packets.limits();
  const bool of_session = limits.session_bytes.limits();
  if (packets && !flow.packets.Has(1, limits.session_packets, now)) return Limit::kSessionPackets;
  if (of_session && !flow.bytes.Has(bytes, limits.session_bytes, now)) {
    return Limit::kSessionBandwidth;
  }
  if (limits.account_bytes.limits() && !share_.Take(direction, bytes, limits.account_bytes, now)) {
    return Limit::kAccountBandwidth;
  }
  if (packets) flow.packets.Take(1, limits.session_packets, now);
  if (of_session) flow.bytes.Take(bytes, limits.session_bytes, now);
  flow.use.bytes += bytes;
  ++flow.use.packets;
  return std::nullopt;
}

MonoTime Throttle::Charge(Direction direction, uint64_t bytes, const RateLimits& limits,
                          MonoTime now) {
  Flow& flow = flows_[static_cast<size_t>(direction)];
  flow.use.bytes += bytes;
  MonoTime ready = now;
  if (limits.session_bytes.limits()) {
    flow.bytes.Take(bytes, limits.session_bytes, now);
    ready = flow.bytes.ReadyAt(limits.session_bytes, now);
  }
  if (limits.account_bytes.limits()) {
    ready = std::max(ready, share_.Charge(direction, bytes, limits.account_bytes, now));
  }
  return ready;
}

Throttle::Use Throttle::TakeUse() {
  Use most;
  for (Flow& flow : flows_) {
    const Use use = std::exchange(flow.use, {});
    most.bytes = std::max(most.bytes, use.bytes);
    most.packets = std::max(most.packets, use.packets);
  }
  return most;
}

}  // namespace turnpike
