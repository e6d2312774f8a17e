// What the kernel keeps of the ICMP messages that a socket's datagrams met with.
#pragma once

#include <optional>

#include "common/net/transport_address.h"
#include "server/io/udp_socket.h"
#include "server/turn/types.h"

namespace turnpike {

// QueuedError is one entry of an error queue.
struct QueuedError {
  TransportAddress to;            // where the datagram was sent
  std::optional<IcmpError> icmp;  // nullopt: the error is this host's own
};

// TakeError takes the oldest entry off the queue of `socket`, which was opened with queue_errors;
// nullopt when it is empty. It never blocks.
std::optional<QueuedError> TakeError(const UdpSocket& socket);

}  // namespace turnpike
