// Any request to the API gets an answer that an HTTP client can read, never a 500, and nobody gets
// at another account's records. The input is lines: method, path (`~` stands for acme's), query,
// authorization (`a`: acme's, `o`: another's), content type, X-Forwarded-For; the rest is the body.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/check.h"
#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/server/api/api_world.h"

namespace turnpike {
namespace {

using test::ApiWorld;
using test::kAcmeSid;
using test::kOtherSid;

// Books is a ledger in which acme has relayed over two months.
struct Books {
  TempDirectory directory;
  metering_test::World world{directory.path()};

  Books() {
    world.Start();
    const SlotId acme = world.Begin("acme");
    world.Relay(acme, Direction::kClientToPeer, 2'000'000);
    world.now += std::chrono::hours(24 * 20);
    world.Relay(acme, Direction::kPeerToClient, 500'000);
    world.End(acme);
    TP_CHECK(world.ledger->Finish(*world.slots, world.now).has_value());
  }
};

struct Request {
  std::string method;
  std::string target;
  std::string authorization;
  ApiWorld::Headers headers;
  std::string body;
};

Request Read(std::string_view text) {
  Request request;
  request.method = TakeLine(text);
  const std::string_view path = TakeLine(text);
  request.target = path.starts_with('~')
                       ? "/2010-04-01/Accounts/" + kAcmeSid + std::string(path.substr(1))
                       : std::string(path);
  if (const std::string_view query = TakeLine(text); !query.empty()) {
    request.target += '?';
    request.target += query;
  }
  request.authorization = TakeLine(text);
  if (request.authorization == "a") request.headers = ApiWorld::Basic(kAcmeSid, "acme-token");
  if (request.authorization == "o") request.headers = ApiWorld::Basic(kOtherSid, "other-token");
  if (request.headers.empty()) request.headers["Authorization"] = request.authorization;
  request.headers["Content-Type"] = TakeLine(text);
  request.headers["X-Forwarded-For"] = TakeLine(text);
  request.body = text;
  return request;
}

// IsWholeLines says whether `headers` is printable lines, each with its end, and none is empty.
bool IsWholeLines(std::string_view headers) {
  while (!headers.empty()) {
    const size_t end = headers.find("\r\n");
    if (end == 0 || end == std::string_view::npos) return false;
    const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
    if (!std::ranges::all_of(headers.substr(0, end), printable)) return false;
    headers.remove_prefix(end + 2);
  }
  return true;
}

void CheckAnswer(const HttpAnswer& answer) {
  constexpr std::array kStatuses = {200, 201, 204, 400, 401, 403, 404, 405, 415, 429};
  TP_CHECK(std::ranges::count(kStatuses, answer.status) == 1);
  TP_CHECK(IsWholeLines(answer.headers));
  if (answer.status == 204) {
    TP_CHECK(answer.body.empty());
  } else if (answer.status >= 400 || answer.content_type.starts_with("application/json")) {
    TP_CHECK(nlohmann::json::accept(answer.body));
  }
}

void Run(std::string_view text) {
  static const Books books;
  static const ApiSettings settings = [] {
    ApiSettings made = test::TestSettings();
    made.rates = metering_test::FlatTable("1");
    made.nettest.account = "acme";
    return made;
  }();
  ApiWorld api(settings, books.directory.path(), TriggerStore::Open(":memory:").value());
  api.now->wall = books.world.now + std::chrono::hours(24 * 20);
  api.AsAcme("POST", "/Usage/Triggers.json",
             "CallbackUrl=http%3A%2F%2F203.0.113.9%2F&TriggerValue=1&UsageCategory=turnmegabytes");
  Request request = Read(text);
  // Twice, for what a request leaves behind.
  for (int i = 0; i < 2; ++i) {
    const HttpAnswer answer =
        api.Send(request.method, request.target, request.body, request.headers);
    CheckAnswer(answer);
    const bool others = request.target.starts_with("/2010-04-01/Accounts/" + kAcmeSid);
    TP_CHECK(request.authorization != "o" || !others || answer.status >= 400);
  }
}

}  // namespace
}  // namespace turnpike

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  turnpike::Run(turnpike::AsText({data, size}));
  return 0;
}
