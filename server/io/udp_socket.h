// UDP sockets of Turnpike's own: how they are opened, and what is known of each.
#pragma once

#include <cstdint>
#include <expected>

#include "common/base/counter.h"
#include "common/base/unique_fd.h"
#include "common/net/transport_address.h"

namespace turnpike {

// UdpSocketOptions says how a socket is opened.
struct UdpSocketOptions {
  bool share_port = false;         // SO_REUSEPORT: each worker has a socket on the same address
  bool learn_destination = false;  // IP_PKTINFO: which own address was asked (wildcard sockets)
  bool receive_runs = false;       // UDP_GRO: what came as a run is received as one
  bool queue_errors = false;       // IP_RECVERR: ICMP messages wait in the error queue, to be read
  int receive_buffer = 0;          // bytes; the kernel caps it at rmem_max, and sends at wmem_max
  int send_buffer = 0;
};

// UdpSocket is one bound, non-blocking socket with what the batches need to know of it. Small and
// plain: a worker has one per relayed address.
struct UdpSocket {
  UniqueFd fd;
  bool learns_destination = false;  // received datagrams say where they went; sends say where from
  bool dont_fragment = false;       // how the socket option stands
  bool refuses_runs = false;        // its device cannot send runs (UDP GSO): do not try again
  uint32_t drops_seen = 0;          // the kernel's count of datagrams lost to a full receive buffer
  Counter* overflows = nullptr;     // where they are counted; null: with the worker's relay sockets
  // The messages that the outbox holds for this socket, as indexes into it; -1: none.
  int32_t queue_head = -1;
  int32_t queue_tail = -1;

  // SetDontFragment makes datagrams leave with DF set (RFC 8656 §11.1), or without: a relay
  // that passes application data on clears it unless the client asks (§15). Cheap when it stands so
  // already.
  void SetDontFragment(bool on, bool is_v4);
};

// OpenUdpSocket opens a socket bound to exactly `bind`; an IPv6 socket carries IPv6 only. It fails
// with errno.
std::expected<UdpSocket, int> OpenUdpSocket(const TransportAddress& bind,
                                            const UdpSocketOptions& options);

// LocalAddress reads what a bound socket is bound to; its port when 0 was asked for.
TransportAddress LocalAddress(const UdpSocket& socket);

// HasIpv6 says whether this host can open IPv6 sockets at all; many a container cannot.
bool HasIpv6();

}  // namespace turnpike
