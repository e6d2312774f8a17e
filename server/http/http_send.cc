#include "server/http/http_send.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/unique_fd.h"
#include "server/http/tls_client.h"

namespace turnpike {
namespace {

constexpr timeval kTimeout{.tv_sec = 5, .tv_usec = 0};  // of connecting, sending and the answer

// Target is a URL's parts.
struct Target {
  bool is_tls = false;
  std::string host;  // without brackets
  std::string port;
  std::string authority;  // as the URL has it
  std::string path;       // with the query
};

std::optional<Target> ReadUrl(std::string_view url) {
  constexpr std::string_view kSchemes[] = {"http://", "https://"};
  const auto scheme = std::ranges::find_if(
      kSchemes, [url](std::string_view each) { return url.starts_with(each); });
  if (scheme == std::end(kSchemes)) return std::nullopt;
  url.remove_prefix(scheme->size());
  url = url.substr(0, url.find('#'));
  Target target;
  target.is_tls = scheme != std::begin(kSchemes);
  const size_t path = std::min(url.find_first_of("/?"), url.size());
  target.authority = url.substr(0, path);
  target.path = std::string(url.substr(path).starts_with('/') ? "" : "/");
  target.path += url.substr(path);
  if (target.authority.empty() || target.authority.contains('@')) return std::nullopt;
  const std::string& authority = target.authority;
  const size_t colon = authority.starts_with('[') ? authority.find("]:") : authority.find(':');
  const size_t end = authority.starts_with('[') ? authority.find(']') : colon;
  if (authority.starts_with('[') && end == std::string::npos) return std::nullopt;
  target.host =
      authority.starts_with('[') ? authority.substr(1, end - 1) : authority.substr(0, end);
  target.port = colon != std::string::npos ? authority.substr(authority.rfind(':') + 1)
                : target.is_tls            ? "443"
                                           : "80";
  const auto is_of_host = [](char c) {
    return c > 0x20 && c < 0x7F && !std::string_view("\\\"<>^`{|}%").contains(c);
  };
  int port = 0;
  const char* const end_of_port = target.port.data() + target.port.size();
  const auto [read, error] = std::from_chars(target.port.data(), end_of_port, port);
  const bool is_port = error == std::errc() && read == end_of_port && port > 0 && port < 65536;
  if (target.host.empty() || !std::ranges::all_of(target.host, is_of_host) || !is_port) {
    return std::nullopt;
  }
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

// Exchange sends all of `text` and returns the status of what comes back. `send` and `receive` are
// as those of sockets.
template <typename Send, typename Receive>
std::expected<int, std::string> Exchange(std::string_view text, Send send, Receive receive) {
  while (!text.empty()) {
    const ssize_t sent = send(text.data(), text.size());
    if (sent <= 0) return std::unexpected(std::string("cannot send: ") + std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(sent));
  }
  constexpr size_t kStatusEnd = 12;  // of "HTTP/1.1 200"
  std::string line;
  std::array<char, 256> buffer;
  while (line.size() < kStatusEnd) {
    const ssize_t got = receive(buffer.data(), buffer.size());
    if (got <= 0) return std::unexpected("there was no answer");
    line.append(buffer.data(), static_cast<size_t>(got));
  }
  if (!line.starts_with("HTTP/1.")) return std::unexpected("the answer is no HTTP");
  return std::atoi(line.c_str() + 9);
}

}  // namespace

bool IsHttpUrl(std::string_view url) { return ReadUrl(url).has_value(); }

std::expected<int, std::string> SendHttp(const HttpSend& message, const MayReach& may_reach,
                                         const std::string& authorities) {
  const auto target = ReadUrl(message.url);
  if (!target) return std::unexpected("the URL is not http[s]://HOST[:PORT]/PATH");
  const auto socket = Connect(*target, may_reach);
  if (!socket) return std::unexpected(socket.error());
  const std::string text =
      message.method + " " + target->path + " HTTP/1.1\r\nHost: " + target->authority +
      "\r\nConnection: close\r\nContent-Length: " + std::to_string(message.body.size()) + "\r\n" +
      message.headers + "\r\n" + message.body;
  if (target->is_tls) {
    auto tls = TlsClient::Start(socket->get(), target->host, authorities);
    if (!tls) return std::unexpected(tls.error());
    return Exchange(
        text, [&](const char* from, size_t size) { return tls->Send(from, size); },
        [&](char* to, size_t size) { return tls->Receive(to, size); });
  }
  const int plain = socket->get();
  return Exchange(
      text,
      [plain](const char* from, size_t size) { return send(plain, from, size, MSG_NOSIGNAL); },
      [plain](char* to, size_t size) { return recv(plain, to, size, 0); });
}

}  // namespace turnpike
