#include "tools/turnpike/http_client.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace turnpike {
namespace {

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
    }
  }
  constexpr std::string_view kStart = "HTTP/1.1 ";
  const size_t end = text.find("\r\n\r\n");
  HttpResponse response;
  if (text.starts_with(kStart) && end != std::string::npos) {
    std::from_chars(text.data() + kStart.size(), text.data() + end, response.status);
  }
  if (response.status == 0) return std::unexpected(request.url + " does not answer as a turnpiked");
  response.body = text.substr(end + 4);
  return response;
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
