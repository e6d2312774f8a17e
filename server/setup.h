// From Config to what the parts of the server want.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "common/net/transport_address.h"
#include "config/config.h"
#include "server/api/service.h"
#include "server/io/stream_options.h"
#include "server/io/udp.h"
#include "server/io/udp_path.h"
#include "server/turn/options.h"

namespace turnpike {

// ResolveRelayAddresses returns the configured relay addresses, or the host's own. It fails with a
// sentence when there is none, when one is not an address of this host, or when the public
// address of one cannot be found out (`advertise: auto`), for which it may ask relay.stun_server.
std::expected<std::vector<RelayAddress>, std::string> ResolveRelayAddresses(
    const config::Config& config, const std::vector<IpAddress>& host);

// ForHost returns `config` without the listeners on [::] where the host has no IPv6 and others are
// left: the default configuration, which has both families, then serves there too.
config::Config ForHost(config::Config config, bool has_ipv6);

// UdpListeners returns the UDP and DTLS listeners; entries of both on one port are one listener.
std::vector<UdpListenOptions> UdpListeners(const config::Config& config);

// StreamListeners returns the TCP and TLS listeners; entries of both on one port are one listener.
std::vector<StreamListenOptions> StreamListeners(const config::Config& config);

// ChooseUdpPath returns what `wanted` says, as far as the kernel, whose best is `fastest`, has it.
UdpPath ChooseUdpPath(config::UdpPathWord wanted, UdpPath fastest);

// MakeStreamOptions maps the limits of stream connections.
StreamOptions MakeStreamOptions(const config::Config& config);

// MakeApiSettings maps what the API answers from. It fails with a sentence when metering.rates
// cannot be read.
std::expected<ApiSettings, std::string> MakeApiSettings(const config::Config& config);

// MakeLimits maps the limits on allocations and what they move.
LimitOptions MakeLimits(const config::Config& config);

// MakeTurnOptions maps the rules of the configuration; `host` are the host's own addresses, which
// the peer filter keeps closed.
TurnOptions MakeTurnOptions(const config::Config& config, const std::vector<RelayAddress>& relays,
                            const std::vector<IpAddress>& host);

// CheckListenersFree says with a sentence when another program has one of the ports. Ask before the
// first worker opens: the workers' own sockets share ports.
std::expected<void, std::string> CheckListenersFree(
    const std::vector<UdpListenOptions>& udp, const std::vector<StreamListenOptions>& streams);

}  // namespace turnpike
