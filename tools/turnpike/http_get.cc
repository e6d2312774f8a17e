#include "tools/turnpike/http_get.h"

#include <civetweb.h>

#include <array>
#include <charconv>
#include <memory>
#include <string_view>

namespace turnpike {
namespace {

constexpr int kTimeoutMs = 10'000;
constexpr size_t kMostBytes = size_t{64} << 20;

// Target is a URL taken apart.
struct Target {
  std::string host;
  int port = 80;
  std::string path = "/";
};

std::expected<Target, std::string> ParseUrl(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return std::unexpected(url +
                           " is not http://HOST[:PORT][/PATH]; for https: curl -s URL | "
                           "turnpike usage reconcile --prometheus - ...");
  }
  Target target;
  std::string_view rest = std::string_view(url).substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  if (slash < rest.size()) target.path = rest.substr(slash);
  std::string_view host = rest.substr(0, slash);
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    const auto read = std::from_chars(port.data(), port.data() + port.size(), target.port);
    if (read.ec != std::errc() || read.ptr != port.data() + port.size() || target.port < 1 ||
        target.port > 65'535) {
      return std::unexpected(url + ": the port is a number from 1 to 65535");
    }
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return std::unexpected(url + " names no host");
  target.host = host;
  return target;
}

}  // namespace

std::expected<std::string, std::string> HttpGet(const std::string& url) {
  const auto target = ParseUrl(url);
  if (!target) return std::unexpected(target.error());
  mg_init_library(0);
  std::array<char, 256> error{};
  const std::unique_ptr<mg_connection, void (*)(mg_connection*)> connection(
      mg_connect_client(target->host.c_str(), target->port, 0, error.data(), error.size()),
      mg_close_connection);
  if (connection == nullptr) {
    return std::unexpected("cannot reach " + url + ": " + error.data());
  }
  mg_printf(connection.get(), "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
            target->path.c_str(), target->host.c_str());
  if (mg_get_response(connection.get(), error.data(), error.size(), kTimeoutMs) < 0) {
    return std::unexpected("no answer from " + url + ": " + error.data());
  }
  std::string body;
  std::array<char, 16'384> block;
  for (int n; (n = mg_read(connection.get(), block.data(), block.size())) > 0;) {
    body.append(block.data(), static_cast<size_t>(n));
    if (body.size() > kMostBytes) return std::unexpected(url + " answers with more than 64 MiB");
  }
  const int status = mg_get_response_info(connection.get())->status_code;
  if (status == 200) return body;
  return std::unexpected(url + " answers " + std::to_string(status) +
                         ", not 200: " + body.substr(0, 200));
}

}  // namespace turnpike
