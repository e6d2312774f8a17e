// What a TURN client is told, and what it tells.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/net/five_tuple.h"
#include "common/net/transport_address.h"
#include "common/stun/channel_data.h"

namespace turnpike {

// EvenPort says what EVEN-PORT asks for (RFC 8656 §18.7).
enum class EvenPort : uint8_t { kNotAsked, kEven, kEvenAndReserveNext };

// ReservationToken is the value of RESERVATION-TOKEN (RFC 8656 §18.10).
using ReservationToken = std::array<uint8_t, 8>;

// kMaxUsernameSize is what USERNAME can hold: "fewer than 509 bytes" (RFC 8489 §14.3).
inline constexpr size_t kMaxUsernameSize = 508;

// TurnClientOptions says how one client behaves. The defaults are those of a plain UDP client.
struct TurnClientOptions {
  Transport transport = Transport::kUdp;
  std::string username;  // at most kMaxUsernameSize bytes
  std::string password;

  // The lifetime to ask for in Allocate and Refresh; nullopt leaves it to the server.
  std::optional<std::chrono::seconds> lifetime;
  std::optional<AddressFamily> requested_family;  // REQUESTED-ADDRESS-FAMILY; nullopt: not sent
  EvenPort even_port = EvenPort::kNotAsked;
  std::optional<ReservationToken> reservation_token;
  bool dont_fragment = false;  // DONT-FRAGMENT in Allocate

  // Take up what RFC 8489 adds when the server offers it: PASSWORD-ALGORITHMS, and with it
  // MESSAGE-INTEGRITY-SHA256, and USERHASH. Off, the client behaves like browsers: MD5 and SHA-1.
  bool sha256 = false;
  bool fingerprint = false;  // FINGERPRINT on every request

  Duration initial_rto = std::chrono::milliseconds(500);  // RFC 8489 §6.2.1
};

// RequestKind names what a request was for.
enum class RequestKind : uint8_t { kAllocate, kRefresh, kRelease, kCreatePermission, kChannelBind };

// Allocated: the server granted the allocation.
struct Allocated {
  RelayedAddress relayed;
  TransportAddress mapped;  // the client as the server sees it
  std::chrono::seconds lifetime;
  std::optional<ReservationToken> reservation_token;
};

// PermissionInstalled: CreatePermission succeeded for the first time. Its refreshes are silent.
struct PermissionInstalled {
  IpAddress peer;
};

// ChannelBound: ChannelBind succeeded for the first time. Its refreshes are silent.
struct ChannelBound {
  PeerAddress peer;
  stun::ChannelNumber channel;
};

// Failed: a request came to its end without success. `code` is the server's error code, or 0 when
// no answer came in time. After a failed Allocate, Refresh or Release the client is done; a failed
// CreatePermission or ChannelBind ends only that permission or channel, named by `peer` (port 0 for
// a permission).
struct Failed {
  RequestKind request;
  uint16_t code = 0;
  TransportAddress peer;
};

// Released: the server deleted the allocation at the client's wish. The client is done.
struct Released {};

using ClientEvent = std::variant<Allocated, PermissionInstalled, ChannelBound, Failed, Released>;

// ReceivedData is application data that a peer sent. `payload` views the message it came in.
struct ReceivedData {
  PeerAddress peer;
  ByteSpan payload;
};

// DataHead is what stands before a payload, and how many zero bytes come after it: a ChannelData
// header, or a Send indication up to its DATA value.
struct DataHead {
  // A Send indication to an IPv6 peer: header, XOR-PEER-ADDRESS, and the header of DATA.
  static constexpr size_t kMaxSize = 20 + 24 + 4;

  std::array<uint8_t, kMaxSize> storage;
  uint8_t size = 0;
  uint8_t padding = 0;

  ByteSpan bytes() const { return ByteSpan(storage).first(size); }
};

}  // namespace turnpike
