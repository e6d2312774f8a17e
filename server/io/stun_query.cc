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

// MakeRequest writes a Binding request into `buffer` and returns its part.
ByteSpan MakeRequest(std::array<uint8_t, 64>& buffer, const stun::TransactionId& id) {
  stun::MessageBuilder builder(buffer, stun::Class::kRequest, stun::Method::kBinding, id);
  return builder.FinishUnauthenticated(true);
}

// OpenConnection connects within `timeout`, which then bounds every read and write too.
std::expected<UniqueFd, std::string> OpenConnection(const TransportAddress& server,
                                                    Duration timeout) {
  UniqueFd fd(
      socket(server.ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
  const timeval limit{.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  SocketAddress to;
  const socklen_t size = ToSocketAddress(server, to);
  if (connect(fd.get(), &to.base, size) == 0) return fd;
  const int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
  return std::unexpected("cannot connect to " + server.ToString() + ": " + std::strerror(error));
}

}  // namespace

std::expected<void, std::string> ConnectTcp(const TransportAddress& server, Duration timeout) {
  const auto connection = OpenConnection(server, timeout);
  if (!connection) return std::unexpected(connection.error());
  return {};
}

std::expected<void, std::string> QueryOverTcp(const TransportAddress& server, Duration timeout) {
  const auto connection = OpenConnection(server, timeout);
  if (!connection) return std::unexpected(connection.error());
  stun::TransactionId id;
  SystemRandom().Fill(id);
  std::array<uint8_t, 64> buffer;
  const ByteSpan request = MakeRequest(buffer, id);
  send(connection->get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::array<uint8_t, 2048> bytes;
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = recv(connection->get(), bytes.data() + size, bytes.size() - size, 0);
    if (got <= 0) break;
    size += static_cast<size_t>(got);
    const auto answer = stun::MessageView::Parse(ByteSpan(bytes).first(size));
    if (answer && answer->transaction_id() == id &&
        answer->message_class() == stun::Class::kSuccessResponse) {
      return {};
    }
  }
  return std::unexpected("no STUN answer over TCP from " + server.ToString());
}

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
  const ByteSpan request = MakeRequest(buffer, id);
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
