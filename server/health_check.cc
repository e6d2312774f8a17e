#include "server/health_check.h"

#include <algorithm>
#include <optional>

#include "server/io/stun_query.h"
#include "server/io/udp_socket.h"
#include "server/setup.h"

namespace turnpike {
namespace {

constexpr std::chrono::milliseconds kRto{300};  // about 4.5 s in all
constexpr int kSendings = 4;
constexpr std::chrono::seconds kTcpTimeout{4};

// Reachable is where this host reaches a listener.
TransportAddress Reachable(TransportAddress listener) {
  if (!listener.ip.is_unspecified()) return listener;
  listener.ip = listener.ip.is_v4() ? IpAddress::V4({{127, 0, 0, 1}}) : *IpAddress::Parse("::1");
  return listener;
}

std::expected<void, std::string> Ask(Transport transport, const TransportAddress& server) {
  if (transport == Transport::kTcp) return QueryOverTcp(server, kTcpTimeout);
  if (transport == Transport::kTls) return ConnectTcp(server, kTcpTimeout);
  // From the address itself: it is one of this host's, and every socket of this host reaches it.
  const auto seen = QueryPublicAddress(
      server.ip, {.server = server.ToString(), .rto = kRto, .sendings = kSendings});
  if (!seen) return std::unexpected(seen.error());
  return {};
}

}  // namespace

std::expected<std::string, std::string> CheckHealth(const config::Config& configured) {
  const config::Config config = ForHost(configured, HasIpv6());
  for (const Transport transport : {Transport::kUdp, Transport::kTcp, Transport::kTls}) {
    const auto listener = std::ranges::find(config.listen, transport, &config::Listener::transport);
    if (listener == config.listen.end()) continue;
    const TransportAddress server = Reachable(listener->address);
    if (auto answered = Ask(transport, server); !answered) {
      return std::unexpected(answered.error());
    }
    return std::string(TransportName(transport)) + " " + server.ToString() +
           (transport == Transport::kTls ? " accepts connections" : " answers");
  }
  return std::unexpected("`listen` has no listener that can be asked");
}

}  // namespace turnpike
