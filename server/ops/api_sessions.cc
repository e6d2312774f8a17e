#include "server/ops/api_sessions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "server/http/form.h"

namespace turnpike {
namespace {

using nlohmann::json;

constexpr size_t kDefaultLimit = 1000;

// Text is a name as JSON can carry it: bytes that are no UTF-8 are escaped.
std::string Text(const std::string& name) { return EscapeText(name); }

uint64_t Rate(const LiveSession& session) {
  if (!session.bytes_per_second) return 0;
  return (*session.bytes_per_second)[0] + (*session.bytes_per_second)[1];
}

json ToJson(const LiveSession& session) {
  const SessionInfo& info = session.info;
  const UsageTotals& totals = session.totals;
  json row = {{"session_id", FormatSessionId(info.id)},
              {"account", Text(info.account)},
              {"label", Text(info.label)},
              {"username", Text(info.username)},
              {"transport", TransportName(info.transport)},
              {"client_address", info.client.ToString()},
              {"relayed_address", info.relayed.ToString()},
              {"started_at", FormatRfc3339(info.started_at)},
              {"client_to_peer_bytes", totals.payload_bytes[0]},
              {"peer_to_client_bytes", totals.payload_bytes[1]},
              {"billable_bytes", totals.billable_bytes()},
              {"client_to_peer_packets", totals.packets[0]},
              {"peer_to_client_packets", totals.packets[1]},
              {"dropped_packets", session.dropped_packets}};
  const auto& rates = session.bytes_per_second;
  row["client_to_peer_bytes_per_second"] = rates ? json((*rates)[0]) : json();
  row["peer_to_client_bytes_per_second"] = rates ? json((*rates)[1]) : json();
  return row;
}

// Matches says whether every filter of the query holds.
bool Matches(const LiveSession& session, const Form& query) {
  const SessionInfo& info = session.info;
  const auto fits = [&](const char* name, auto matches) {
    const auto wanted = query.find(name);
    return wanted == query.end() || matches(wanted->second);
  };
  const auto is = [](const std::string& value) {
    return [&value](const std::string& wanted) { return wanted == value; };
  };
  return fits("account", is(info.account)) && fits("username", is(info.username)) &&
         fits("label", is(info.label)) &&
         fits("transport", [&](auto& wanted) { return wanted == TransportName(info.transport); }) &&
         fits("address", [&](auto& wanted) {
           return wanted == info.client.ip.ToString() || wanted == info.client.ToString() ||
                  wanted == info.relayed.ToString();
         });
}

void Sort(std::vector<LiveSession>& sessions, std::string_view by) {
  const auto before = [&](const LiveSession& a, const LiveSession& b) {
    if (by == "rate" && Rate(a) != Rate(b)) return Rate(a) > Rate(b);
    if (by == "bytes" && a.totals.billable_bytes() != b.totals.billable_bytes()) {
      return a.totals.billable_bytes() > b.totals.billable_bytes();
    }
    if (by == "age" && a.info.started_at != b.info.started_at) {
      return a.info.started_at < b.info.started_at;
    }
    return a.info.id < b.info.id;
  };
  std::ranges::sort(sessions, before);
}

}  // namespace

ApiAnswer ApiError(int status, std::string_view sentence) {
  return {status, json{{"error", EscapeText(sentence)}}.dump() + "\n"};
}

ApiAnswer ListSessions(AdminActions& actions, const ApiRequest& request, std::string_view) {
  const auto query = ReadForm(request.query);
  for (const auto& [name, value] : query) {
    constexpr std::string_view kKnown[] = {"account", "username", "label", "transport",
                                           "address", "sort",     "limit"};
    if (std::ranges::find(kKnown, name) == std::end(kKnown)) {
      return ApiError(400, "there is no parameter `" + name +
                               "`; there are account, username, label, transport, address, sort "
                               "and limit");
    }
  }
  const auto sort = query.contains("sort") ? query.at("sort") : "rate";
  if (sort != "rate" && sort != "bytes" && sort != "age") {
    return ApiError(400, "sort is one of rate, bytes, age");
  }
  size_t limit = kDefaultLimit;
  if (query.contains("limit")) {
    const std::string& text = query.at("limit");
    if (text.empty() || text.size() > 7 ||
        text.find_first_not_of("0123456789") != std::string::npos) {
      return ApiError(400, "limit is a whole number");
    }
    limit = std::stoul(text);
  }
  auto sessions = actions.Sessions();
  if (!sessions) return ApiError(503, sessions.error());
  std::erase_if(*sessions, [&](const LiveSession& each) { return !Matches(each, query); });
  Sort(*sessions, sort);
  json rows = json::array();
  uint64_t rate = 0;
  for (const LiveSession& session : *sessions) {
    rate += Rate(session);
    if (rows.size() < limit) rows.push_back(ToJson(session));
  }
  const json answer = {
      {"sessions", sessions->size()}, {"bytes_per_second", rate}, {"rows", std::move(rows)}};
  return {200, answer.dump() + "\n"};
}

ApiAnswer KillSession(AdminActions& actions, const ApiRequest&, std::string_view id) {
  const auto sessions = actions.Sessions();
  if (!sessions) return ApiError(503, sessions.error());
  const auto found = std::ranges::find_if(
      *sessions, [&](const LiveSession& each) { return FormatSessionId(each.info.id) == id; });
  if (found == sessions->end()) {
    return ApiError(404, "no session that lives has the id `" + std::string(id) + "`");
  }
  actions.KillSessions({found->info.id});
  Log(LogLevel::kInfo, "session_killed",
      {{"session_id", id}, {"account", found->info.account}, {"username", found->info.username}});
  return {200, json{{"killed", id}}.dump() + "\n"};
}

ApiAnswer RevokeCredentials(AdminActions& actions, const ApiRequest& request, std::string_view) {
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) return ApiError(400, "the body must be a JSON object");
  Revocation revocation;
  for (const auto& [name, value] : body.items()) {
    std::string* const field = name == "username"  ? &revocation.username
                               : name == "account" ? &revocation.account
                               : name == "label"   ? &revocation.label
                                                   : nullptr;
    if (field != nullptr && value.is_string()) {
      *field = value.get<std::string>();
    } else if (name == "until" && value.is_string()) {
      const auto until = ParseDate(value.get<std::string>());
      if (!until) return ApiError(400, "until: " + until.error());
      revocation.until = *until;
    } else {
      return ApiError(400, "`" + name +
                               "` is not a text that is known here; there are username, "
                               "account, label and until");
    }
  }
  if (revocation.username.empty() && revocation.account.empty()) {
    return ApiError(400, "name whom to revoke: username or account");
  }
  if (revocation.until == WallTime()) return ApiError(400, "until is missing");
  const auto kept = actions.Revoke(revocation);
  uint64_t ended = 0;
  const auto sessions = actions.Sessions();
  if (sessions) {
    std::vector<SessionId> ids;
    for (const LiveSession& each : *sessions) {
      if (revocation.Fits(each.info.username, each.info.account, each.info.label)) {
        ids.push_back(each.info.id);
      }
    }
    ended = ids.size();
    actions.KillSessions(ids);
  }
  Log(LogLevel::kInfo, "credentials_revoked",
      {{"username", revocation.username},
       {"account", revocation.account},
       {"label", revocation.label},
       {"until", FormatRfc3339(revocation.until)},
       {"sessions_ended", ended}});
  if (!kept) return ApiError(500, kept.error());
  if (!sessions) {
    return ApiError(503, "revoked, but sessions that live were not ended: " + sessions.error() +
                             "; do this again");
  }
  return {200, json{{"sessions_ended", ended}, {"until", FormatRfc3339(revocation.until)}}.dump() +
                   "\n"};
}

}  // namespace turnpike
