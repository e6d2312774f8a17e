// One allocation (RFC 8656 §6): its state and the rules that concern nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/metering/usage.h"
#include "common/net/five_tuple.h"
#include "common/stun/attributes.h"
#include "common/stun/channel_data.h"
#include "common/stun/message.h"
#include "server/turn/authenticate.h"
#include "server/turn/directory.h"
#include "server/turn/short_list.h"
#include "server/turn/throttle.h"
#include "server/turn/types.h"

namespace turnpike {

inline constexpr Duration kPermissionLifetime = std::chrono::seconds(300);  // RFC 8656 §9: MUST be
inline constexpr Duration kChannelLifetime = std::chrono::seconds(600);     // §12
// After a binding expires, number and peer address rest (§12: "MUST wait 5 minutes").
inline constexpr Duration kChannelRest = std::chrono::seconds(300);

// Permission lets every port of one peer IP through (§9).
struct Permission {
  IpAddress ip;
  // The port that the peer filter permitted last, 0 for none: a stream of Send indications to one
  // peer asks the filter once.
  uint16_t permitted_port = 0;
  MonoTime expires_at;
};

// Channel binds a number to a peer's transport address (§12).
struct Channel {
  TransportAddress peer;
  stun::ChannelNumber number;
  MonoTime expires_at;  // then it is unbound, and rests for kChannelRest
};
static_assert(sizeof(Permission) == 32 && sizeof(Channel) == 32);

// Leg is one relayed transport address of an allocation; a dual allocation has two.
struct Leg {
  TransportAddress bind;
  IpAddress advertise;
  bool open = false;
  MonoTime expires_at;

  TransportAddress relayed() const { return {advertise, bind.port}; }
};

// LegIndex places a family's leg: IPv4 first.
constexpr size_t LegIndex(AddressFamily family) { return family == AddressFamily::kIpv4 ? 0 : 1; }
constexpr AddressFamily LegFamily(size_t index) {
  return index == 0 ? AddressFamily::kIpv4 : AddressFamily::kIpv6;
}

// RFC 6062: Connect is given at least 30 s (§5.2), a peer connection waits for its ConnectionBind
// for 30 s (§5.2, §5.3), and once one side has closed, the other gets as long as that without
// progress to say what it has to say (§5.5 gives no time).
inline constexpr Duration kPeerStreamPatience = std::chrono::seconds(30);

// ConnectRequest is what the answer to a Connect request needs.
struct ConnectRequest {
  stun::TransactionId transaction_id{};
  bool fingerprint = false;
  CredentialKeys keys;
  AnswerKind answer;
};

// PeerStreamState says what a peer connection of RFC 6062 waits for: the network, its client's
// ConnectionBind, or its end.
enum class PeerStreamState : uint8_t { kConnecting, kOffered, kBound };

// PeerStream is one TCP connection with a peer.
struct PeerStream {
  PeerStreamId id;
  TransportAddress peer;
  PeerStreamState state = PeerStreamState::kConnecting;
  ConnectionId connection;                  // while it is offered
  MonoTime expires_at;                      // max: as long as the allocation
  std::unique_ptr<ConnectRequest> request;  // while it is connecting
};

// AllocationState says what an allocation's 5-tuple gets. An ended one has no 5-tuple any more; it
// only waits for the last OnSent or OnRelayOpened.
enum class AllocationState : uint8_t { kFree, kOpening, kLive, kEnded };

// Opening is what an allocation needs only until its relays are open.
struct Opening {
  SessionInfo session;
  std::vector<AddressFamily> families;  // still to be opened, the current one first
  PortParity parity = PortParity::kAny;
  RelayProtocol protocol = RelayProtocol::kUdp;
  bool redeemed = false;  // a reserved port: no other will do
  bool mobile = false;    // its client gets a ticket
  int attempts = 0;       // for the current family
  Duration lifetime{};
};

// Granted is what makes the Allocate success response; a retransmitted request gets the same bytes.
struct Granted {
  stun::TransactionId transaction_id{};
  uint32_t lifetime_seconds = 0;
  bool fingerprint = false;
  bool has_token = false;
  std::array<bool, 2>
      relayed{};  // by LegIndex: which addresses were granted, also if deleted since
  ReservationToken token{};
  // The family of a dual request that could not be granted, for ADDRESS-ERROR-CODE; 0: none.
  uint16_t refused_code = 0;
  AddressFamily refused_family = AddressFamily::kIpv4;
};

// After a move its ticket, though used up, proves a retransmission for so long. RFC 8016 §3.2.2
// asks for "at least 30 seconds"; a request is sent again for up to 39.5 (RFC 8489 §6.2.1).
inline constexpr Duration kOldTicketLifetime = std::chrono::seconds(40);

// Mobility is what an allocation needs whose client has a ticket (RFC 8016).
struct Mobility {
  uint32_t serial = 0;  // of the ticket that is good now
  // Where the client went with its last ticket, while it has sent no data from there. Until then
  // data goes to where it was.
  std::optional<Client> next;
  MonoTime moved_at;      // when it last showed a ticket
  bool detached = false;  // its connection is gone: no 5-tuple until the ticket comes
};

// Allocation is a record of the table. What every packet needs stands first.
struct Allocation {
  FiveTuple five_tuple;
  LinkId link;
  SessionMeter meter;
  std::unique_ptr<Throttle> throttle;  // nullptr: no rate is limited
  uint32_t index = 0;                  // in the table, for ever
  uint32_t generation = 0;             // grows whenever the record is used anew
  uint32_t forwards_out = 0;
  AllocationState state = AllocationState::kFree;
  bool awaits_open = false;  // an OpenRelay is not answered yet
  RelayProtocol protocol = RelayProtocol::kUdp;
  Transport metered_as = Transport::kUdp;  // the session's, wherever its client moves
  std::array<Leg, 2> legs;
  ShortList<Channel, 2> channels;
  ShortList<Permission, 2> permissions;

  AccountShare* share = nullptr;       // from its start to its end
  IpAddress counted_at;                // the client's address that its quota was taken for
  std::unique_ptr<Mobility> mobility;  // when its client has a ticket

  std::string username;
  CredentialKeys keys;
  AnswerKind answer;
  Granted granted;
  SessionId session{};
  CloseReason close_reason = CloseReason::kExpired;
  uint8_t icmp_count = 0;    // ICMP messages passed on in the second icmp_second
  uint16_t icmp_second = 0;  // of the monotonic clock, modulo 2^16
  uint32_t unanswered = 0;   // payload from peers since the client's last message, if limited
  MonoTime created_at;
  MonoTime ends_at = MonoTime::max();  // whatever the client refreshes: its credential ends then
  WallTime ended_at{};
  std::unique_ptr<Opening> opening;
  std::vector<PeerStream> streams;  // of a TCP allocation

  // relay_id names the relay of `family`. Index and generation are in it, so that finding the
  // record again needs no lookup.
  RelayId relay_id(AddressFamily family) const {
    return RelayId(uint64_t{generation} << 32 | uint64_t{index} << 1 | LegIndex(family));
  }

  // next_tuple returns the 5-tuple that its client is moving to, or nullptr.
  const FiveTuple* next_tuple() const {
    return mobility != nullptr && mobility->next ? &mobility->next->five_tuple : nullptr;
  }

  // detached says that the client's connection is gone: no 5-tuple leads here until its ticket
  // comes (RFC 8016).
  bool detached() const { return mobility != nullptr && mobility->detached; }

  // live_leg returns the open, unexpired leg of `family`, or nullptr.
  const Leg* live_leg(AddressFamily family, MonoTime now) const {
    const Leg& leg = legs[LegIndex(family)];
    return state == AllocationState::kLive && leg.open && leg.expires_at > now ? &leg : nullptr;
  }

  // FindPermission returns the unexpired permission of `ip`, or nullptr.
  Permission* FindPermission(const IpAddress& ip, MonoTime now) {
    return permissions.FindIf(
        [&](const Permission& p) { return p.ip == ip && p.expires_at > now; });
  }

  // InstallPermission installs or refreshes (§9). The caller has checked the limit.
  void InstallPermission(const IpAddress& ip, MonoTime now);

  // BoundChannel returns the channel bound to `number`, or to `peer`, or nullptr.
  const Channel* BoundChannel(stun::ChannelNumber number, MonoTime now) const {
    return channels.FindIf(
        [&](const Channel& c) { return c.number == number && c.expires_at > now; });
  }
  const Channel* BoundChannel(const TransportAddress& peer, MonoTime now) const {
    return channels.FindIf([&](const Channel& c) { return c.peer == peer && c.expires_at > now; });
  }

  // FindStream returns the peer connection `id`, or nullptr.
  PeerStream* FindStream(PeerStreamId id);

  // NextDeadline returns the first moment at which something of the allocation is over.
  MonoTime NextDeadline() const;

  // Expire drops permissions that have expired and channels that have rested. Legs and peer
  // connections are the server's business: their sockets must be closed.
  void Expire(MonoTime now);

  // DropFamily removes what belongs to the relay of `family` (§8.1: deleting one address of a dual
  // allocation leaves the other's permissions and channels alone).
  void DropFamily(AddressFamily family);

  // IsConsistent says whether the parts of this record fit together.
  bool IsConsistent() const;

 private:
  bool StreamsAreConsistent() const;
};

}  // namespace turnpike
