// What one worker leaves for another: a connection, or what concerns a client whose allocation is
// the one's and whose socket is the other's.
//
// With SO_REUSEPORT the kernel chooses the worker by the 5-tuple. A client that moved to a new one
// (RFC 8016) may so have come to a worker, its *host*, that does not own its allocation. The
// allocation stays where it is, since a session's counters have one writer; the client becomes a
// *guest* of its host, which passes on what comes and sends what it is given.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "server/io/client_end.h"
#include "server/turn/types.h"

namespace turnpike {

// GuestMessage is a client's message, to the owner. `client.link` is the host's.
struct GuestMessage {
  CoreId host;
  Client client;
  std::vector<uint8_t> bytes;
};

// GuestGone says that the connection `link` of the host is closed, to the owner.
struct GuestGone {
  CoreId host;
  LinkId link;
};

// GuestJoined makes `client` a guest, GuestLeft no guest any more, to the host.
struct GuestJoined {
  CoreId owner;
  Client client;
};
struct GuestLeft {
  Client client;
};

// GuestForward is application data for a guest, to the host: `forward` with the host's link, whose
// payload is `payload`, and whose relay is the number under which the owner awaits its report.
struct GuestForward {
  Forward forward;
  std::vector<uint8_t> payload;
};

// GuestReport says what became of the GuestForward `number`, to the owner.
struct GuestReport {
  uint64_t number = 0;
  SendResult result;
};

// SendMessage stands for itself: a STUN message for a guest, to the host.
using Handover = std::variant<ClientEnd, GuestMessage, GuestGone, GuestJoined, GuestLeft,
                              GuestForward, GuestReport, SendMessage>;

}  // namespace turnpike
