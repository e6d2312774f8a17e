// Sending clients to another server (RFC 8489 §10).
#include <algorithm>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

namespace {

// Suits says whether `client` can be sent to `server`. RFC 8489 §14.15: "The IP address family MUST
// be identical to that of the source IP address of the request."
bool Suits(const AlternateServer& server, const Client& client) {
  return server.ip.family() == client.five_tuple.client.ip.family();
}

}  // namespace

bool TurnServer::Impl::Redirects(const Client& client) const {
  if (!draining_ && !options_.redirect_always) return false;
  return std::ranges::any_of(options_.alternate_servers,
                             [&](const AlternateServer& server) { return Suits(server, client); });
}

void TurnServer::Impl::AddAlternate(stun::MessageBuilder& builder, const Client& client) {
  const auto& servers = options_.alternate_servers;
  TP_CHECK(Redirects(client));
  while (!Suits(servers[next_alternate_ % servers.size()], client)) ++next_alternate_;
  const AlternateServer& server = servers[next_alternate_++ % servers.size()];
  // RFC 8489 §10: the client goes there "using the same transport protocol".
  const Transport transport = client.five_tuple.transport;
  const bool secure = transport == Transport::kTls || transport == Transport::kDtls;
  builder.AddAddress(stun::AttributeType::kAlternateServer,
                     {server.ip, secure ? server.tls_port : server.port});
  if (!server.domain.empty()) {
    builder.AddText(stun::AttributeType::kAlternateDomain, server.domain);
  }
}

}  // namespace turnpike
