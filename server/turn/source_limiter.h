// How often strangers get something, by where they come from.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/siphash.h"
#include "common/base/time.h"
#include "common/net/transport_address.h"

namespace turnpike {

// SourceLimiter holds each source, an IPv4 address or an IPv6 /64, to a rate, with bursts of two
// seconds' worth. Its table has a fixed size however many sources there are: sources that a secret
// hash puts into one cell share its rate, so that a flood can take nothing from memory, and cannot
// choose whom it takes the rate from.
class SourceLimiter {
 public:
  static constexpr size_t kCells = 1 << 14;

  explicit SourceLimiter(SipKey key) : key_(key) {}

  // SetRate allows `per_second` from each source; 0: no limit, and no table.
  void SetRate(uint32_t per_second);

  // Admit says whether one more from `source` is within its rate, and counts it if so. `now` must
  // not go back.
  bool Admit(const IpAddress& source, MonoTime now);

 private:
  SipKey key_;
  Duration interval_{};
  // By cell: when its bucket is full again (the "theoretical arrival time" of a leaky bucket).
  std::vector<MonoTime> full_at_;
};

}  // namespace turnpike
