#include "server/api/tokens.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/stun/time_limited.h"
#include "server/api/access.h"
#include "server/api/errors.h"
#include "server/api/formats.h"
#include "server/http/form.h"

namespace turnpike {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kMaxTtl = 86400;
constexpr size_t kMaxUsernameBytes = 508;  // RFC 8489 §14.3

// ReadTtl reads seconds; without any they are a day, which is also the most.
std::optional<int64_t> ReadTtl(const Form& form, const std::string& name) {
  const auto ttl = WholeOf(form, name, kMaxTtl);
  return ttl && *ttl >= 1 && *ttl <= kMaxTtl ? ttl : std::nullopt;
}

std::vector<Edge> NearestEdges(const ApiSettings& settings, const IpAddress& client) {
  const Edge* const nearest = NearestEdge(settings.edges, client);
  return nearest == nullptr ? settings.edges : std::vector{*nearest};
}

// ChooseEdges returns the edges that the request asks for.
std::expected<std::vector<Edge>, HttpAnswer> ChooseEdges(const ApiSettings& settings,
                                                         const Form& form,
                                                         const HttpRequest& request) {
  IpAddress client = ClientAddress(request, settings.trusted_proxies);
  if (const auto given = form.find("ClientAddress"); given != form.end()) {
    const auto parsed = IpAddress::Parse(given->second);
    if (!parsed) return std::unexpected(InvalidParameter("ClientAddress is an IP address"));
    client = parsed->Unmapped();
  }
  const auto wanted = form.find("Edge");
  if (wanted == form.end() || wanted->second.empty()) {
    return settings.edge_choice == EdgeChoice::kAll ? settings.edges
                                                    : NearestEdges(settings, client);
  }
  if (wanted->second == "all") return settings.edges;
  if (wanted->second == "nearest") return NearestEdges(settings, client);
  const Edge* const edge = FindEdge(settings.edges, wanted->second);
  if (edge == nullptr) {
    return std::unexpected(
        InvalidParameter("Edge is none that GET /v1/edges lists, nor nearest, nor all"));
  }
  return std::vector{*edge};
}

// Minted is what both conventions answer with.
struct Minted {
  TimeLimitedCredential credential;
  int64_t ttl = 0;
  std::vector<Edge> edges;
  WallTime at{};
};

std::expected<Minted, HttpAnswer> MintFor(ApiService& service, const ApiAccount& account,
                                          const HttpRequest& request, const Form& form,
                                          const std::string& ttl_name,
                                          const std::string& label_name) {
  const auto settings = service.settings();
  const auto ttl = ReadTtl(form, ttl_name);
  if (!ttl) {
    return std::unexpected(
        InvalidParameter(ttl_name + " is a whole number of seconds, 1 to 86400"));
  }
  const std::string label = ValueOf(form, label_name);
  if (const auto fits = CheckLabel(label); !fits) {
    return std::unexpected(InvalidParameter(label_name + " " + fits.error()));
  }
  auto edges = ChooseEdges(*settings, form, request);
  if (!edges) return std::unexpected(edges.error());
  if (settings->secret.empty()) {
    return std::unexpected(
        ErrorAnswer(ErrorCode::kUnavailable, "the server has no auth.secrets to mint with"));
  }
  const WallTime now = service.now().wall;
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  Minted minted{
      Mint(settings->secret, account.account, label, second.time_since_epoch().count() + *ttl),
      *ttl, std::move(*edges), now};
  if (minted.credential.username.size() > kMaxUsernameBytes) {
    return std::unexpected(InvalidParameter("the username would be longer than 508 bytes"));
  }
  return minted;
}

ordered_json IceServers(const Minted& minted) {
  ordered_json servers = ordered_json::array();
  for (const Edge& edge : minted.edges) {
    for (const std::string& uri : StunUris(edge)) {
      servers.push_back({{"url", uri}, {"urls", uri}});
    }
  }
  for (const Edge& edge : minted.edges) {
    for (const std::string& uri : TurnUris(edge)) {
      servers.push_back({{"url", uri},
                         {"username", minted.credential.username},
                         {"urls", uri},
                         {"credential", minted.credential.password}});
    }
  }
  return servers;
}

}  // namespace

HttpAnswer CreateToken(ApiService& service, const ApiCall& call) {
  const auto account = AuthorizeAccount(service, call.request, call.ids[0]);
  if (!account) return account.error();
  const Form form = ReadForm(call.request.body);
  const auto minted = MintFor(service, *account, call.request, form, "Ttl", "Label");
  if (!minted) return minted.error();
  const std::string date = FormatRfc2822(minted->at);
  const ordered_json answer = {{"username", minted->credential.username},
                               {"password", minted->credential.password},
                               {"ttl", std::to_string(minted->ttl)},
                               {"account_sid", account->sid},
                               {"date_created", date},
                               {"date_updated", date},
                               {"ice_servers", IceServers(*minted)}};
  return JsonAnswer(DumpJson(answer), 201);
}

HttpAnswer MintByRest(ApiService& service, const ApiCall& call) {
  const auto account = AuthorizeKey(service, call.request);
  if (!account) return account.error();
  Form form = ReadForm(call.request.query);
  for (const auto& [name, value] : ReadForm(call.request.body)) form[name] = value;
  const auto minted = MintFor(service, *account, call.request, form, "ttl", "username");
  if (!minted) return minted.error();
  std::vector<std::string> uris;
  for (const Edge& edge : minted->edges)
    std::ranges::move(TurnUris(edge), std::back_inserter(uris));
  const ordered_json answer = {{"username", minted->credential.username},
                               {"password", minted->credential.password},
                               {"ttl", minted->ttl},
                               {"uris", uris}};
  return JsonAnswer(DumpJson(answer));
}

}  // namespace turnpike
