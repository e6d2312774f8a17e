// The values that cross the border of the TURN core: ids, what to forward, what to do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/strong.h"
#include "common/metering/usage.h"
#include "common/net/five_tuple.h"

namespace turnpike {

// LinkId names what leads to a client: a UDP listener, or one stream connection. The driver chooses
// it; the core hands it back untouched.
using LinkId = Strong<uint32_t, struct LinkIdTag>;

// RelayId names one relayed transport address of one allocation (a dual allocation has two). The
// core chooses it; it is never used again for another relay while the process lives (it has a
// generation).
using RelayId = Strong<uint64_t, struct RelayIdTag>;

// PeerStreamId names one TCP connection between a relayed transport address and a peer (RFC 6062).
// The core chooses it; it is never used again while the process lives.
using PeerStreamId = Strong<uint64_t, struct PeerStreamIdTag>;

// CoreId names the core, so the worker, that owns a peer connection.
using CoreId = Strong<uint32_t, struct CoreIdTag>;

// RelayProtocol is what is spoken between a relayed transport address and peers.
enum class RelayProtocol : uint8_t { kUdp, kTcp };

// Client is where a message came from: the 5-tuple that identifies an allocation, and the driver's
// way back.
struct Client {
  FiveTuple five_tuple;
  LinkId link;
};

// Forward is application data to relay. It owns nothing of the payload: `payload` views the
// datagram that was handed in. The message to send is header, payload, padding; to a peer the
// payload alone.
struct Forward {
  // The largest header: a Data indication to a client with an IPv6 peer (20 + 4 + 20 + 4 bytes).
  static constexpr size_t kMaxHeaderSize = 48;
  static constexpr std::array<uint8_t, 4> kZeros{};

  Direction direction = Direction::kClientToPeer;
  uint8_t header_size = 0;
  uint8_t padding_size = 0;    // 0..3 zero bytes behind the payload
  bool dont_fragment = false;  // Send with DONT-FRAGMENT (RFC 8656 §11.1); to a peer only
  // Bytes of the whole message on the client's leg, framing header and padding included: what
  // SessionMeter counts as wire bytes.
  uint32_t wire_bytes = 0;
  RelayId relay;          // the relay it leaves from (to a peer) or came in at (to a client)
  LinkId link;            // to a client: its link
  TransportAddress to;    // the peer as the relay socket must address it, or the client
  TransportAddress from;  // to a client: the server's transport address of its 5-tuple
  uint32_t guest_of = 0;  // the driver's: whose worker waits for the report; 0: its own core
  ByteSpan payload;
  std::array<uint8_t, kMaxHeaderSize> header{};

  ByteSpan header_bytes() const { return ByteSpan(header.data(), header_size); }
  ByteSpan padding_bytes() const { return ByteSpan(kZeros).first(padding_size); }
  // wire_size counts the whole message.
  size_t wire_size() const { return header_size + payload.size() + padding_size; }
};
static_assert(sizeof(Forward) == 128, "two cache lines: it is made and copied for every packet");

// SendResult says whether the kernel took a whole message, or why it did not.
using SendResult = std::expected<void, DropReason>;

// OpenError says why a relay could not be opened.
enum class OpenError : uint8_t {
  kPortInUse,   // another program has the port: the core tries another one
  kNoResource,  // descriptors, memory: 508
  kNoSlot,      // no slot for the session's counters: 508 rather than served unbilled
};

// IcmpError is an ICMP message that a datagram to a peer met with, as the peer's family numbers it.
struct IcmpError {
  uint8_t type = 0;
  uint8_t code = 0;
  uint32_t mtu = 0;  // of the next hop, where the message names one; else 0
};

// SendMessage asks for a STUN message to be sent to a client. It is never billed and, over UDP, may
// be lost.
struct SendMessage {
  LinkId link;
  TransportAddress from;  // the server's transport address that the client used
  TransportAddress to;
  std::vector<uint8_t> bytes;
  // It leaves from the UDP listener at `from`, whichever `link` the request came in by (RFC 5780).
  bool by_address = false;
};

// OpenRelay asks for a UDP socket, or a listening TCP socket, bound to `bind`; the answer is
// OnRelayOpened. `session` is set for the first relay of an allocation: it needs a slot, whose
// meter the answer carries.
struct OpenRelay {
  RelayId relay;
  TransportAddress bind;
  RelayProtocol protocol = RelayProtocol::kUdp;
  bool needs_slot = false;
  SessionInfo session;
};

// CloseRelay asks for the relay's socket to be closed. Sends handed out before it are done already
// (see the driving contract of TurnServer).
struct CloseRelay {
  RelayId relay;
  RelayProtocol protocol = RelayProtocol::kUdp;
};

// ConnectPeer asks for a TCP connection from the relayed address bound to `from`; the answer is
// OnPeerConnected, unless ClosePeer comes first.
struct ConnectPeer {
  PeerStreamId stream;
  TransportAddress from;
  TransportAddress to;
};

// ClosePeer asks for the TCP connection `stream` to be closed at once, together with the client's
// connection that is bound to it.
struct ClosePeer {
  PeerStreamId stream;
};

// BindPeer says that the client's connection `link` has become the client's end of `stream`: what
// follows on it is application data. It belongs to the worker of `owner`, which is told by
// OnHandedOver.
struct BindPeer {
  LinkId link;
  CoreId owner;
  PeerStreamId stream;
};

// ClientJoined says that the client of `session`, which has a MOBILITY-TICKET, speaks from `client`
// now as well (RFC 8016), ClientLeft that what comes from there is none of this core's business any
// more. Where another worker has that client's socket, it passes on what comes in between.
struct ClientJoined {
  SessionId session{};
  Client client;
};
struct ClientLeft {
  Client client;
};

// PassMessage asks for `bytes`, a Refresh with the ticket of an allocation of another worker, to be
// handed to the worker of `owner` as if they had come in there.
struct PassMessage {
  CoreId owner;
  Client client;
  std::vector<uint8_t> bytes;
};

// SessionMoved says that `session` is served at another 5-tuple of its client from now on.
struct SessionMoved {
  SessionId session{};
  FiveTuple from;
  FiveTuple to;
};

// AllocationClosed says that a session is over and its totals are final: close its slot.
struct AllocationClosed {
  SlotId slot;
  SessionId session{};
  CloseReason reason = CloseReason::kExpired;
  WallTime ended_at{};
};

using Output = std::variant<SendMessage, OpenRelay, CloseRelay, ConnectPeer, ClosePeer, BindPeer,
                            ClientJoined, ClientLeft, PassMessage, SessionMoved, AllocationClosed>;

}  // namespace turnpike
