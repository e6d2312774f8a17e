// Non-blocking TCP sockets: what listeners, clients' connections and peers' connections share.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <expected>
#include <span>

#include "common/base/unique_fd.h"
#include "common/net/transport_address.h"

namespace turnpike {

// OpenTcpSocket opens a socket bound to exactly `address`; it fails with errno. With `share_port`
// other sockets that share it too may be bound to the same address.
std::expected<UniqueFd, int> OpenTcpSocket(const TransportAddress& address, bool share_port);

// SharePort lets other sockets be bound, with share_port, to the address of `fd`.
void SharePort(int fd);

// AcceptedTcp is a connection that somebody made.
struct AcceptedTcp {
  UniqueFd fd;
  TransportAddress from;
};

// AcceptTcp takes the next connection of a listening socket. It fails with errno: EAGAIN when none
// waits, anything else when this host has no means for one.
std::expected<AcceptedTcp, int> AcceptTcp(int listener);

// TuneConnection makes messages leave at once, and a remote end that vanished be noticed, and
// bounds what the kernel keeps for one that does not read: no more can be written then (EAGAIN).
void TuneConnection(int fd);

// OwnAddress returns what `fd` is bound to.
TransportAddress OwnAddress(int fd);

// SendSome sends some first bytes of `vectors`, as ByteSink::Write.
std::expected<size_t, int> SendSome(int fd, std::span<const iovec> vectors);

}  // namespace turnpike
