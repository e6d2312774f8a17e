// What one host has of addresses, for limits per address.
#pragma once

#include "common/net/transport_address.h"

namespace turnpike {

// HostPrefix returns what to count a client by: its IPv4 address, or the /64 of its IPv6 address,
// of which one host can use every address.
IpAddress HostPrefix(const IpAddress& client);

}  // namespace turnpike
