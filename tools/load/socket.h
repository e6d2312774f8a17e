// The generator's sockets: how they are opened, and addresses as the kernel writes them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/net/transport_address.h"

namespace turnpike::load {

// OpenUdp opens a non-blocking UDP socket that takes GRO trains and stamps what arrives with the
// kernel's time. It is bound to `local` (port 0: any). It fails with a sentence.
std::expected<UniqueFd, std::string> OpenUdp(const IpAddress& local);

// OpenTcp opens a non-blocking socket and begins to connect it. It fails with a sentence.
std::expected<UniqueFd, std::string> OpenTcp(const TransportAddress& server);

// Connect gives a UDP socket its one partner. It fails with a sentence.
std::expected<void, std::string> Connect(const UniqueFd& fd, const TransportAddress& to);

// LocalAddress reads what a socket is bound to.
TransportAddress LocalAddress(const UniqueFd& fd);

// SourceAddressFor returns the address that this host would send from to reach `to`. It fails with
// a sentence, for example when there is no route.
std::expected<IpAddress, std::string> SourceAddressFor(const TransportAddress& to);

// KernelDrops returns how many datagrams the kernel dropped because the socket's receive buffer was
// full.
uint64_t KernelDrops(const UniqueFd& fd);

// ResolveAll looks up `host` (a name, or an address without brackets) and returns its addresses,
// each once, in the resolver's order, whether or not this host can reach them. It fails with a
// sentence.
std::expected<std::vector<IpAddress>, std::string> ResolveAll(const std::string& host);

// Resolve returns the first of them of a family that this host has. It fails with a sentence.
std::expected<IpAddress, std::string> Resolve(const std::string& host);

}  // namespace turnpike::load
