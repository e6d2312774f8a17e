#include "server/io/stun_query.h"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/stun/message.h"
#include "server/io/clock.h"
#include "server/io/sockaddr.h"
#include "server/io/system_random.h"
#include "server/io/udp_socket.h"

namespace turnpike {
namespace {

// Resolve looks `server` up in the family of `bind`.
std::optional<TransportAddress> Resolve(const std::string& server, const IpAddress& bind) {
  const size_t colon = server.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = server.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_family = bind.is_v4() ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), server.c_str() + colon + 1, &hints, &found) != 0) {
    return std::nullopt;
  }
  SocketAddress address{};
  std::memcpy(&address, found->ai_addr, std::min<size_t>(found->ai_addrlen, sizeof(address)));
  freeaddrinfo(found);
  return FromSocketAddress(address);
}

// ReadAnswer returns what a datagram from `server` tells in answer to `id`.
std::optional<IpAddress> ReadAnswer(const UdpSocket& socket, const TransportAddress& server,
                                    const stun::TransactionId& id) {
  std::array<uint8_t, 2048> bytes;
  SocketAddress from{};
  socklen_t size = sizeof(from);
  const ssize_t got = recvfrom(socket.fd.get(), bytes.data(), bytes.size(), 0, &from.base, &size);
  if (got <= 0 || FromSocketAddress(from) != server) return std::nullopt;
  const auto message = stun::MessageView::Parse(ByteSpan(bytes).first(static_cast<size_t>(got)));
  if (!message || message->transaction_id() != id ||
      message->message_class() != stun::Class::kSuccessResponse) {
    return std::nullopt;
  }
  const auto value = message->Find(stun::AttributeType::kXorMappedAddress);
  const auto mapped = value ? stun::DecodeXorAddress(*value, id) : std::nullopt;
  if (!mapped || mapped->ip.family() != server.ip.family()) return std::nullopt;
  return mapped->ip;
}

// AwaitAnswer waits until `deadline`; datagrams that are no answer do not end it.
std::optional<IpAddress> AwaitAnswer(const UdpSocket& socket, const TransportAddress& server,
                                     const stun::TransactionId& id, MonoTime deadline) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - ReadClocks().mono).count();
    if (left <= 0) return std::nullopt;
    pollfd wait{.fd = socket.fd.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, static_cast<int>(left)) <= 0) continue;
    if (const auto answer = ReadAnswer(socket, server, id)) return answer;
  }
}

}  // namespace

std::expected<IpAddress, std::string> QueryPublicAddress(const IpAddress& bind,
                                                         const StunQuery& query) {
  const auto server = Resolve(query.server, bind);
  if (!server) {
    return std::unexpected("the STUN server " + query.server + " has no address of the family of " +
                           bind.ToString());
  }
  const auto socket = OpenUdpSocket({bind, 0}, {});
  if (!socket) {
    return std::unexpected("cannot send from " + bind.ToString() + ": " +
                           std::strerror(socket.error()));
  }
  stun::TransactionId id;
  SystemRandom().Fill(id);
  std::array<uint8_t, 64> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::kRequest, stun::Method::kBinding, id);
  const ByteSpan request = builder.FinishUnauthenticated(true);
  SocketAddress to;
  const socklen_t size = ToSocketAddress(*server, to);
  Duration wait = query.rto;
  for (int i = 0; i < query.sendings; ++i, wait *= 2) {
    sendto(socket->fd.get(), request.data(), request.size(), 0, &to.base, size);
    const auto answer = AwaitAnswer(*socket, *server, id, ReadClocks().mono + wait);
    if (answer) return *answer;
  }
  return std::unexpected("the STUN server " + query.server + " does not answer " + bind.ToString());
}

}  // namespace turnpike
