#include "server/http/http_send.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/unique_fd.h"

namespace turnpike {
namespace {

constexpr timeval kTimeout{.tv_sec = 5, .tv_usec = 0};  // of connecting, sending and the answer

// Target is a URL's parts.
struct Target {
  std::string host;  // without brackets
  std::string port;
  std::string authority;  // as the URL has it
  std::string path;       // with the query
};

std::optional<Target> ReadUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  url = url.substr(0, url.find('#'));
  Target target;
  const size_t path = std::min(url.find_first_of("/?"), url.size());
  target.authority = url.substr(0, path);
  target.path = std::string(url.substr(path).starts_with('/') ? "" : "/");
  target.path += url.substr(path);
  if (target.authority.empty() || target.authority.contains('@')) return std::nullopt;
  const std::string& authority = target.authority;
  const size_t colon = authority.starts_with('[') ? authority.find("]:") : authority.find(':');
  const size_t end = authority.starts_with('[') ? authority.find(']') : colon;
  target.host =
      authority.starts_with('[') ? authority.substr(1, end - 1) : authority.substr(0, end);
  target.port = colon == std::string::npos ? "80" : authority.substr(authority.rfind(':') + 1);
  return target;
}

IpAddress AddressOf(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return IpAddress::V4(bytes);
  }
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
  return IpAddress::V6(bytes);
}

std::expected<UniqueFd, std::string> Connect(const Target& target, const MayReach& may_reach) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found);
  if (failed != 0) return std::unexpected(std::string("no such host: ") + gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::string error = "the host has no address";
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    if (!may_reach(AddressOf(each->ai_addr).Unmapped())) {
      error = "its address is private: api.webhook_networks does not list it";
      continue;
    }
    UniqueFd socket(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // Linux takes the time to send for that to connect, too.
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
    if (connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0) return socket;
    error = std::string("cannot connect: ") + std::strerror(errno);
    break;  // one attempt: the message comes again anyway
  }
  return std::unexpected(error);
}

}  // namespace

std::expected<int, std::string> SendHttp(const HttpSend& message, const MayReach& may_reach) {
  const auto target = ReadUrl(message.url);
  if (!target) return std::unexpected("the URL is not http://HOST[:PORT]/PATH");
  const auto socket = Connect(*target, may_reach);
  if (!socket) return std::unexpected(socket.error());
  const std::string text =
      message.method + " " + target->path + " HTTP/1.1\r\nHost: " + target->authority +
      "\r\nConnection: close\r\nContent-Length: " + std::to_string(message.body.size()) + "\r\n" +
      message.headers + "\r\n" + message.body;
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t now = send(socket->get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return std::unexpected(std::string("cannot send: ") + std::strerror(errno));
    sent += static_cast<size_t>(now);
  }
  std::string line;
  std::array<char, 256> buffer;
  while (line.size() < 12) {
    const ssize_t got = recv(socket->get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return std::unexpected("there was no answer");
    line.append(buffer.data(), static_cast<size_t>(got));
  }
  if (!line.starts_with("HTTP/1.")) return std::unexpected("the answer is no HTTP");
  return std::atoi(line.c_str() + 9);
}

}  // namespace turnpike
