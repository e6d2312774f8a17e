// The DNS records by which clients find the edges of a fleet.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/config.h"

namespace turnpike::config {

// DnsZone renders records for the zone of `domain` in the format of master files (RFC 1035 §5), to
// put beside its SOA and NS: A and AAAA of every name in it, SRV (RFC 8489 §8, RFC 5928, RFC 7350)
// and the NAPTR of RFC 5928 §4, for all edges at `domain` and for each at EDGE.`domain`. UDP is
// preferred, then DTLS, TLS and TCP. It fails with a sentence when `domain` is no name, when the
// configuration lists no edges, or an edge has addresses to give out and none in it.
std::expected<std::string, std::string> DnsZone(const Config& config, std::string_view domain);

}  // namespace turnpike::config
