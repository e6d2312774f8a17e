// What crosses workers, and only on the cold path: relay ports, reservations, quotas, and the
// second connections of RFC 6062. One Directory serves all cores of a process; a short mutex guards
// it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/metering/usage.h"
#include "common/net/transport_address.h"
#include "server/turn/credentials.h"
#include "server/turn/quota.h"
#include "server/turn/revocation.h"
#include "server/turn/types.h"

namespace turnpike {

// PortParity is what an allocation asks of its port (RFC 8656 §7.2, EVEN-PORT).
enum class PortParity : uint8_t {
  kAny,
  kEven,
  kEvenAndReserveNext,  // an even port, and the next higher one kept for a reservation token
};

// ReservationToken redeems a reserved port (RFC 8656 §18.9); it comes from the CSPRNG.
using ReservationToken = std::array<uint8_t, 8>;

// kReservationLifetime is how long a reserved port waits for its token (RFC 8656 §7.2: "at least 30
// seconds").
inline constexpr Duration kReservationLifetime = std::chrono::seconds(30);

// ConnectionId is the value of CONNECTION-ID (RFC 6062 §6.2.1); it comes from the CSPRNG.
using ConnectionId = Strong<uint32_t, struct ConnectionIdTag>;

// OfferedStream is a peer connection that waits for its client's ConnectionBind, with what that
// request must prove: the connection it comes by may have been accepted by any worker.
struct OfferedStream {
  CoreId owner;
  PeerStreamId stream;
  std::string username;
  CredentialKeys keys;
  FiveTuple control;  // of the allocation
};

// Directory hands out every port of [min_port, max_port] on every bind address at most once until
// it is returned. Ports come from the CSPRNG (RFC 6056); all methods may be called from any thread.
class Directory {
 public:
  // Directory starts with every port free. An address that is named twice counts once. It needs
  // about four bytes for every port of every address. `min_port` must not be 0 nor above
  // `max_port`.
  Directory(const std::vector<IpAddress>& bind_addresses, uint16_t min_port, uint16_t max_port);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // TakePort returns a free port of `bind`, or nullopt when there is none, or none of that parity,
  // or the directory does not have `bind` (508). With kEvenAndReserveNext the port above it is
  // taken too, and is the caller's to reserve or to return.
  std::optional<uint16_t> TakePort(const IpAddress& bind, PortParity parity, RandomSource& random);

  // ReturnPort makes a port free that TakePort or Redeem handed out. Returning one that is free
  // ends the process: two allocations would share it.
  void ReturnPort(const IpAddress& bind, uint16_t port);

  // HasTaken says whether a relay, or a reservation, holds `address`.
  bool HasTaken(const TransportAddress& address) const;

  // Reserve keeps a port, already taken, under a new token for kReservationLifetime. `username`
  // must redeem it. The port is then the directory's: nobody else may return it.
  ReservationToken Reserve(const IpAddress& bind, uint16_t port, std::string_view username,
                           MonoTime now, RandomSource& random);
  struct Reserved {
    IpAddress bind;
    uint16_t port = 0;
  };
  // Redeem ends the reservation and hands its port to the caller; nullopt when the token is
  // unknown, expired, or another user's (508).
  std::optional<Reserved> Redeem(const ReservationToken& token, std::string_view username,
                                 MonoTime now);

  // ExpireReservations returns the ports of reservations that nobody redeemed in time. Call it when
  // kReservationLifetime has passed since a Reserve.
  void ExpireReservations(MonoTime now);

  // quotas counts what users, accounts and addresses hold.
  Quotas& quotas() { return quotas_; }
  const Quotas& quotas() const { return quotas_; }

  // SetCapped replaces whom caps hold back. IsCapped says whether one of them holds `account` with
  // `label` back: then new allocations get 486.
  void SetCapped(std::vector<CappedUse> capped);
  bool IsCapped(std::string_view account, std::string_view label) const;

  // SetRevoked replaces whom an operator has shut out. IsRevoked says whether one of them is that
  // principal, at `now`: then new allocations get 403.
  void SetRevoked(std::vector<Revocation> revoked);
  bool IsRevoked(std::string_view username, std::string_view account, std::string_view label,
                 WallTime now) const;

  // AddCore numbers one more core.
  CoreId AddCore();

  // Offer lets every core find a peer connection by the new id that it returns. Find looks, Take
  // also ends the offer: of several takers one gets it. Withdraw ends an offer that nobody took.
  ConnectionId Offer(OfferedStream stream, RandomSource& random);
  std::optional<OfferedStream> FindOffer(ConnectionId id) const;
  std::optional<OfferedStream> TakeOffer(ConnectionId id);
  void WithdrawOffer(ConnectionId id);

  // ports_in_use, reservations and offers count, for metrics and for tests that nothing leaks. A
  // reserved port is in use.
  uint32_t ports_in_use() const;
  uint32_t ports_total() const;
  uint32_t reservations() const;
  uint32_t offers() const;

  // IsConsistent says whether free lists and indexes agree and every reserved port is taken. It
  // walks every port: for tests and fuzzing.
  bool IsConsistent() const;

 private:
  struct Pool;
  struct Reservation {
    Reserved where;
    std::string username;
    MonoTime expires_at;
  };
  // FindPool returns the pool of `bind`, or nullptr.
  Pool* FindPool(const IpAddress& bind);
  const Pool* FindPool(const IpAddress& bind) const {
    return const_cast<Directory*>(this)->FindPool(bind);
  }

  mutable std::mutex mutex_;
  std::vector<Pool> pools_;
  // A token is random, so the order of the map tells nothing; it needs no hash of its own.
  std::map<ReservationToken, Reservation> reservations_;
  std::vector<CappedUse> capped_;  // sorted
  std::vector<Revocation> revoked_;
  std::map<ConnectionId, OfferedStream> offers_;
  uint32_t cores_ = 0;
  Quotas quotas_;  // has a mutex of its own
};

}  // namespace turnpike
