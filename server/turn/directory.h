// What crosses workers, and only on the cold path: relay ports, reservations, quotas. One Directory
// serves all cores of a process; a short mutex guards it.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/net/transport_address.h"

namespace turnpike {

// PortParity is what an allocation asks of its port (RFC 8656 §7.2, EVEN-PORT).
enum class PortParity : uint8_t {
  kAny,
  kEven,
  kEvenAndReserveNext,  // an even port, and the next higher one kept for a reservation token
};

// ReservationToken redeems a reserved port (RFC 8656 §18.9); it comes from the CSPRNG.
using ReservationToken = std::array<uint8_t, 8>;

// Directory hands out every port of [min_port, max_port] on every bind address at most once until it
// is returned. Ports come from the CSPRNG (RFC 6056); all methods may be called from any thread.
class Directory {
 public:
  Directory(std::vector<IpAddress> bind_addresses, uint16_t min_port, uint16_t max_port);

  // TakePort returns a free port of `bind`, or nullopt when there is none (508).
  std::optional<uint16_t> TakePort(const IpAddress& bind, PortParity parity, RandomSource& random);
  void ReturnPort(const IpAddress& bind, uint16_t port);

  // Reserve keeps a port, already taken, under a new token for 30 s (§7.2: "at least 30 seconds").
  // `username` must redeem it.
  ReservationToken Reserve(const IpAddress& bind, uint16_t port, std::string_view username, MonoTime now,
                           RandomSource& random);
  struct Reserved {
    IpAddress bind;
    uint16_t port = 0;
  };
  // Redeem ends the reservation and hands its port to the caller; nullopt when the token is unknown,
  // expired, or another user's (508).
  std::optional<Reserved> Redeem(const ReservationToken& token, std::string_view username, MonoTime now);

  // ExpireReservations returns the ports of reservations that nobody redeemed.
  void ExpireReservations(MonoTime now);

  // TakeAllocation counts one allocation of `username` against `limit` (0: none); false when it is
  // reached (486). ReturnAllocation undoes it.
  bool TakeAllocation(std::string_view username, uint32_t limit);
  void ReturnAllocation(std::string_view username);

  // ports_in_use and reservations count, for metrics and for tests that nothing leaks.
  uint32_t ports_in_use() const;
  uint32_t ports_total() const;
  uint32_t reservations() const;

 private:
  struct Pool;
  mutable std::mutex mutex_;
};

}  // namespace turnpike
