#include "tools/turnpike/http_client.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace turnpike {
namespace {

constexpr size_t kMostBytes = size_t{64} << 20;
constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};

// Connection owns a socket.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct Host {
  std::string name;
  std::string port = "80";
};

std::expected<Host, std::string> ReadUrl(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  Host host;
  if (url.starts_with(kScheme)) host.name = url.substr(kScheme.size());
  while (host.name.ends_with('/')) host.name.pop_back();
  const size_t colon = host.name.rfind(':');
  if (colon != std::string::npos && host.name.find(']', colon) == std::string::npos) {
    host.port = host.name.substr(colon + 1);
    host.name.resize(colon);
    uint16_t port = 0;
    const char* const end = host.port.data() + host.port.size();
    const auto read = std::from_chars(host.port.data(), end, port);
    if (read.ec != std::errc() || read.ptr != end || port == 0) {
      return std::unexpected(url + ": the port is a number from 1 to 65535");
    }
  }
  if (host.name.starts_with('[') && host.name.ends_with(']')) {
    host.name = host.name.substr(1, host.name.size() - 2);
  }
  if (host.name.empty() || host.name.find('/') != std::string::npos) {
    return std::unexpected("`" + url + "` is no address; use one like http://127.0.0.1:9641");
  }
  return host;
}

int Connect(const Host& host, int* error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  *error = EHOSTUNREACH;
  if (getaddrinfo(host.name.c_str(), host.port.c_str(), &hints, &found) != 0) return -1;
  int fd = -1;
  for (const addrinfo* each = found; each != nullptr && fd < 0; each = each->ai_next) {
    fd = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
    if (connect(fd, each->ai_addr, each->ai_addrlen) == 0) break;
    *error = errno;
    close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  return fd;
}

std::string Render(const HttpRequest& request, const Host& host) {
  std::string text = request.method + " " + request.path + " HTTP/1.1\r\nHost: " + host.name +
                     "\r\nConnection: close\r\n";
  if (!request.token.empty()) text += "Authorization: Bearer " + request.token + "\r\n";
  if (request.method != "GET") {
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(request.body.size()) +
        "\r\n";
  }
  return text + "\r\n" + request.body;
}

bool SendAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Header returns what `name`, in lower case, says in `head`; empty without it.
std::string Header(std::string_view head, std::string_view name) {
  std::string lower(head);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const size_t at = lower.find("\r\n" + std::string(name) + ":");
  if (at == std::string::npos) return "";
  const size_t start = lower.find_first_not_of(" \t", at + 3 + name.size());
  return lower.substr(start, lower.find("\r\n", start) - start);
}

// JoinChunks undoes the chunked transfer coding (RFC 9112 §7.1); nullopt when a chunk lacks.
std::optional<std::string> JoinChunks(std::string_view coded) {
  std::string body;
  for (;;) {
    size_t size = 0;
    const auto read = std::from_chars(coded.data(), coded.data() + coded.size(), size, 16);
    const size_t line = coded.find("\r\n");
    if (read.ec != std::errc() || line == std::string_view::npos) return std::nullopt;
    if (size == 0) return body;
    coded.remove_prefix(line + 2);
    if (coded.size() < size + 2) return std::nullopt;
    body += coded.substr(0, size);
    coded.remove_prefix(size + 2);
  }
}

}  // namespace

std::expected<HttpResponse, std::string> Exchange(const HttpRequest& request) {
  const auto host = ReadUrl(request.url);
  if (!host) return std::unexpected(host.error());
  if (request.token.find_first_of("\r\n") != std::string::npos) {
    return std::unexpected("the token must be one line");
  }
  int error = 0;
  const Connection connection(Connect(*host, &error));
  if (connection.fd() < 0) {
    return std::unexpected("cannot reach " + request.url + ": " + std::strerror(error));
  }
  std::string text;
  if (SendAll(connection.fd(), Render(request, *host))) {
    std::array<char, 16384> buffer;
    for (ssize_t got = 0; (got = recv(connection.fd(), buffer.data(), buffer.size(), 0)) > 0;) {
      text.append(buffer.data(), static_cast<size_t>(got));
      if (text.size() > kMostBytes) {
        return std::unexpected(request.url + " answers with more than 64 MiB");
      }
    }
  }
  constexpr std::string_view kStart = "HTTP/1.";
  const size_t end = text.find("\r\n\r\n");
  HttpResponse response;
  if (text.starts_with(kStart) && end != std::string::npos) {
    std::from_chars(text.data() + kStart.size() + 2, text.data() + end, response.status);
  }
  if (response.status == 0) return std::unexpected(request.url + " does not answer in HTTP");
  const std::string_view head = std::string_view(text).substr(0, end + 2);
  response.body = text.substr(end + 4);
  if (Header(head, "transfer-encoding") == "chunked") {
    auto body = JoinChunks(response.body);
    if (!body) return std::unexpected(request.url + " ended in the middle of its answer");
    response.body = std::move(*body);
  }
  size_t length = 0;
  const std::string said = Header(head, "content-length");
  std::from_chars(said.data(), said.data() + said.size(), length);
  if (response.body.size() < length) {
    return std::unexpected(request.url + " ended in the middle of its answer");
  }
  return response;
}

std::expected<std::string, std::string> HttpGet(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return std::unexpected(url +
                           " is not http://HOST[:PORT][/PATH]; for https: curl -s URL | "
                           "turnpike usage reconcile --prometheus - ...");
  }
  const size_t slash = std::min(url.find('/', kScheme.size()), url.size());
  HttpRequest request;
  request.url = url.substr(0, slash);
  request.path = slash < url.size() ? url.substr(slash) : "/";
  auto response = Exchange(request);
  if (!response) return std::unexpected(response.error());
  if (response->status == 200) return std::move(response->body);
  return std::unexpected(url + " answers " + std::to_string(response->status) +
                         ", not 200: " + response->body.substr(0, 200));
}

std::string EncodeQuery(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace turnpike
