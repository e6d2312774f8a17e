// The addresses of this host.
#pragma once

#include <vector>

#include "common/net/transport_address.h"

namespace turnpike {

// HostAddresses lists the addresses of all interfaces that are up, loopback included, each once.
std::vector<IpAddress> HostAddresses();

// ChooseRelayAddresses picks one address per family to relay on when the configuration names none:
// a public one before a private one (a container has no other), in the order of `host`. Link-local
// addresses never serve; loopback only when nothing else is there, of either family.
std::vector<IpAddress> ChooseRelayAddresses(const std::vector<IpAddress>& host);

// IsPublic says whether `ip` is none of loopback, private, link-local, multicast or unspecified.
bool IsPublic(const IpAddress& ip);

// IsLoopback says whether `ip` is in 127.0.0.0/8 or ::1.
bool IsLoopback(const IpAddress& ip);

}  // namespace turnpike
