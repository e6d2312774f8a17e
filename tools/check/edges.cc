#include "tools/check/edges.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace turnpike::check {
namespace {

using nlohmann::json;

// Uri is a `stun:`, `turn:` or `turns:` URI taken apart; the host without brackets.
struct Uri {
  std::string scheme;
  std::string host;
  std::optional<uint16_t> port;
  std::string transport;
};

std::optional<Uri> ParseUri(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  Uri uri{
      .scheme = text.substr(0, colon), .host = text.substr(colon + 1), .port = {}, .transport = ""};
  constexpr std::string_view kQuery = "?transport=";
  if (const size_t query = uri.host.find(kQuery); query != std::string::npos) {
    uri.transport = uri.host.substr(query + kQuery.size());
    uri.host.resize(query);
  }
  const size_t end = uri.host.rfind(':');
  if (end != std::string::npos && uri.host.find(']', end) == std::string::npos) {
    uint16_t port = 0;
    const char* const last = uri.host.data() + uri.host.size();
    const auto read = std::from_chars(uri.host.data() + end + 1, last, port);
    if (read.ec != std::errc() || read.ptr != last || port == 0) return std::nullopt;
    uri.port = port;
    uri.host.resize(end);
  }
  if (uri.host.starts_with('[') && uri.host.ends_with(']')) {
    uri.host = uri.host.substr(1, uri.host.size() - 2);
  }
  if (uri.host.empty()) return std::nullopt;
  return uri;
}

// AddUri notes the port of `uri`, unless one of its transport is known already.
void AddUri(const Uri& uri, Edge& edge) {
  uint16_t* place = nullptr;
  if (uri.scheme == "turns" && uri.transport != "udp") place = &edge.tls_port;
  if (uri.scheme == "turn") place = uri.transport == "tcp" ? &edge.tcp_port : &edge.udp_port;
  if (place != nullptr && *place == 0)
    *place = uri.port.value_or(uri.scheme == "turns" ? 5349 : 3478);
}

}  // namespace

std::expected<std::vector<Edge>, std::string> ParseEdges(std::string_view body) {
  const std::unexpected<std::string> foreign(
      "that is not what GET /v1/edges of a Turnpike answers");
  const json document = json::parse(body, nullptr, false);
  if (!document.is_object() || !document.contains("edges") || !document["edges"].is_array()) {
    return foreign;
  }
  std::vector<Edge> edges;
  for (const json& row : document["edges"]) {
    if (!row.is_object() || !row.contains("uris") || !row["uris"].is_array()) return foreign;
    const size_t first = edges.size();
    for (const json& text : row["uris"]) {
      const auto uri = text.is_string() ? ParseUri(text) : std::nullopt;
      if (!uri) return foreign;
      size_t at = first;
      while (at < edges.size() && edges[at].host != uri->host) ++at;
      if (at == edges.size()) {
        edges.push_back({.name = row.value("name", uri->host),
                         .region = row.value("region", ""),
                         .host = uri->host,
                         .udp_port = 0,
                         .tcp_port = 0,
                         .tls_port = 0});
      }
      AddUri(*uri, edges[at]);
    }
  }
  return edges;
}

}  // namespace turnpike::check
