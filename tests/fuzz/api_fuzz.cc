// Any request to the JSON API gets an answer that is JSON, and without the token it does nothing.
// The input is lines: method, path, query, authorization; the rest is the body.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "server/ops/api_routes.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/server/ops/fake_actions.h"

namespace turnpike {
namespace {

constexpr std::string_view kBearer = "Bearer t0ken";

LiveSession Session(uint8_t number) {
  LiveSession session;
  session.info.id.fill(number);
  session.info.account = number == 1 ? "acme" : std::string("a\"\xFF\n");
  session.info.label = "web";
  session.info.username = "alice";
  session.totals.payload_bytes = {number, 5};
  if (number == 1) session.bytes_per_second = {7, 8};
  return session;
}

void Run(std::string_view text) {
  test::FakeActions actions;
  actions.sessions = {Session(1), Session(2)};
  actions.reload.changes = {"a\xFF: 1 -> 2"};
  ApiRequest request;
  request.method = TakeLine(text);
  request.path = TakeLine(text);
  request.query = TakeLine(text);
  request.authorization = TakeLine(text);
  request.body = text;
  for (const bool authorized : {false, true}) {
    if (authorized) request.authorization = kBearer;
    const ApiAnswer answer = AnswerApi(actions, request);
    constexpr std::array kStatuses = {200, 202, 204, 400, 401, 404, 405, 413, 422};
    TP_CHECK(std::ranges::count(kStatuses, answer.status) == 1);
    TP_CHECK(answer.status == 204 || nlohmann::json::accept(answer.body));
    if (authorized || request.authorization == kBearer) continue;
    TP_CHECK(!actions.drained && actions.killed.empty() && actions.revoked.empty());
  }
  for (const Revocation& each : actions.revoked) {
    TP_CHECK(!each.username.empty() || !each.account.empty());
  }
}

}  // namespace
}  // namespace turnpike

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  turnpike::Run(turnpike::AsText({data, size}));
  return 0;
}
