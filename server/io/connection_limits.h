// How many stream connections there may be, in all and per client address.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "common/net/transport_address.h"

namespace turnpike {

// ConnectionLimits counts the connections of all workers. Any thread may call it; it is asked once
// as a connection comes and told once as it goes.
class ConnectionLimits {
 public:
  enum class Verdict : uint8_t { kAdmitted, kTooMany, kTooManyOfAddress };

  // Limits of 0 do not limit.
  ConnectionLimits(uint32_t total, uint32_t per_address)
      : max_total_(total), max_per_address_(per_address) {}

  // SetLimits changes them. Connections beyond a lower limit stay.
  void SetLimits(uint32_t total, uint32_t per_address);

  // Admit counts a connection from `client` unless a limit is reached. An IPv6 address counts with
  // its /64: that is what one host has.
  Verdict Admit(const IpAddress& client);

  // Release takes back what Admit counted.
  void Release(const IpAddress& client);

  uint32_t total() const;

  // Use is what there is, against the limits, and the address with the most connections.
  struct Use {
    uint32_t total = 0;
    uint32_t max_total = 0;
    uint32_t max_per_address = 0;
    uint32_t of_fullest = 0;
    IpAddress fullest;
  };
  // use walks all addresses: ask as often as somebody looks, not more.
  Use use() const;

 private:
  mutable std::mutex mutex_;
  uint32_t max_total_;
  uint32_t max_per_address_;
  uint32_t total_ = 0;
  std::map<IpAddress, uint32_t> by_address_;  // strangers choose addresses: no hash to collide
};

}  // namespace turnpike
