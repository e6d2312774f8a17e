#include "server/api/triggers.h"

#include <deque>

#include "server/api/trigger_watch.h"
#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"
#include "tests/server/api/api_world.h"

namespace turnpike {
namespace {

using metering_test::World;
using nlohmann::json;
using test::ApiWorld;
using test::CheckError;
using test::JsonOf;
using test::kAcmeSid;
using test::kOtherSid;

constexpr std::string_view kForm =
    "CallbackUrl=http%3A%2F%2F203.0.113.9%2Fhook&TriggerValue=1.5&UsageCategory=turnmegabytes";

// TriggerBooks is a ledger in which acme has relayed 2 MB, and an API with triggers.
struct TriggerBooks {
  TempDirectory directory;
  World world{directory.path()};
  std::unique_ptr<ApiWorld> api;
  std::vector<HttpSend> sent;
  std::deque<int> answers;  // what receivers say; 200 when it is empty
  std::unique_ptr<TriggerWatch> watch;

  TriggerBooks() {
    world.Start();
    const SlotId acme = world.Begin("acme");
    world.Relay(acme, Direction::kClientToPeer, 2'000'000);
    world.End(acme);
    REQUIRE(world.ledger->Finish(*world.slots, world.now));
    ApiSettings settings = test::TestSettings();
    settings.rates = metering_test::FlatTable("1000");
    api = std::make_unique<ApiWorld>(settings, directory.path(),
                                     TriggerStore::Open(directory.file("api.db")).value());
    api->now->wall = world.now;
    watch = std::make_unique<TriggerWatch>(*api->service, [this](const HttpSend& message) {
      sent.push_back(message);
      const int status = answers.empty() ? 200 : answers.front();
      if (!answers.empty()) answers.pop_front();
      return status;
    });
  }

  HttpAnswer Create(const std::string& more = "") {
    return api->AsAcme("POST", "/Usage/Triggers.json", std::string(kForm) + more);
  }
  json List() { return JsonOf(api->AsAcme("GET", "/Usage/Triggers.json")).at("usage_triggers"); }
};

TEST_CASE("a trigger is field for field what the hosted services answer") {
  TriggerBooks books;
  const HttpAnswer answer = books.Create("&FriendlyName=Limit&Recurring=monthly");
  CHECK(answer.status == 201);
  const json made = JsonOf(answer);
  CHECK(made.size() == 16);
  const std::string sid = made.at("sid");
  CHECK(IsSid("UT", sid));
  CHECK(made.at("account_sid") == kAcmeSid);
  CHECK(made.at("callback_method") == "POST");
  CHECK(made.at("callback_url") == "http://203.0.113.9/hook");
  CHECK(made.at("current_value") == "2");
  CHECK(made.at("date_created") == "Fri, 20 Nov 2026 12:00:00 +0000");
  CHECK(made.at("date_fired").is_null());
  CHECK(made.at("friendly_name") == "Limit");
  CHECK(made.at("recurring") == "monthly");
  CHECK(made.at("trigger_by") == "usage");
  CHECK(made.at("trigger_value") == "1.5");
  CHECK(made.at("usage_category") == "turnmegabytes");
  CHECK(books.List() == json::array({made}));
  const std::string path = "/Usage/Triggers/" + sid + ".json";
  CHECK(JsonOf(books.api->AsAcme("GET", path)) == made);
  CheckError(books.api->Send("DELETE", "/2010-04-01/Accounts/" + kOtherSid + path, "",
                             ApiWorld::Basic(kOtherSid, "other-token")),
             404, 20404);
  CHECK(books.api->AsAcme("DELETE", path).status == 204);
  CheckError(books.api->AsAcme("DELETE", path), 404, 20404);
  CHECK(books.List().empty());
}

TEST_CASE("what cannot be a trigger is refused") {
  TriggerBooks books;
  for (const char* more :
       {"&TriggerValue=x", "&TriggerValue=", "&TriggerBy=minutes", "&Recurring=hourly",
        "&UsageCategory=calls", "&CallbackMethod=PUT", "&CallbackUrl=x",
        "&CallbackUrl=ftp%3A%2F%2Fx", "&CallbackUrl=http%3A%2F%2Fx%2F%0D%0AX-Evil%3A1",
        "&FriendlyName=%0A", "&FriendlyName=%FF", "&TriggerValue=-1",
        "&CallbackUrl=https%3A%2F%2Fme%40x%2F", "&UsageCategory=turnmegabytes-%00"}) {
    CAPTURE(std::string(more));
    CheckError(books.Create(more), 400, 20001);
  }
  for (int i = 0; i < 100; ++i) REQUIRE(books.Create().status == 201);
  CheckError(books.Create(), 400, 20001);
}

TEST_CASE("a value with a plus counts from now, and price is money") {
  TriggerBooks books;
  CHECK(JsonOf(books.Create("&TriggerValue=%2B0.5")).at("trigger_value") == "2.5");
  const json by_price = JsonOf(books.Create("&TriggerBy=price"));
  CHECK(by_price.at("current_value") == "2");  // 2 MB at 1000 a GB
}

TEST_CASE("a trigger whose value is reached calls its webhook, signed, once") {
  TriggerBooks books;
  const std::string sid = JsonOf(books.Create()).at("sid");
  REQUIRE(books.Create("&TriggerValue=2.5").status == 201);
  books.watch->Step();
  books.watch->Step();
  REQUIRE(books.sent.size() == 1);
  const HttpSend& message = books.sent.front();
  CHECK(message.url == "http://203.0.113.9/hook");
  CHECK(message.method == "POST");
  const Form form = ReadForm(message.body);
  CHECK(form.at("AccountSid") == kAcmeSid);
  CHECK(form.at("UsageTriggerSid") == sid);
  CHECK(form.at("CurrentValue") == "2");
  CHECK(form.at("IdempotencyToken") == sid + "-FIRES-all");
  const std::string key = FormatDigest(Sha256("acme-token"));
  CHECK(message.headers.contains("X-Twilio-Signature: " + WebhookSignature(key, message.url, form) +
                                 "\r\n"));
  const HttpAnswer fired = books.api->AsAcme("GET", "/Usage/Triggers/" + sid + ".json");
  CHECK(JsonOf(fired).at("date_fired") == "Fri, 20 Nov 2026 12:00:00 +0000");
}

TEST_CASE("a recurring trigger fires again in the next period") {
  TriggerBooks books;
  REQUIRE(books.Create("&Recurring=daily").status == 201);
  books.watch->Step();
  CHECK(books.sent.size() == 1);
  books.api->now->wall += std::chrono::hours(24);
  books.watch->Step();
  CHECK(books.sent.size() == 1);  // nothing was relayed on that day
}

TEST_CASE("a message comes again, later and later, until its receiver takes it") {
  TriggerBooks books;
  REQUIRE(books.Create().status == 201);
  books.answers = {500, 302};
  books.watch->Step();
  books.api->now->wall += std::chrono::seconds(4);
  books.watch->Step();
  CHECK(books.sent.size() == 1);
  books.api->now->wall += std::chrono::seconds(1);
  books.watch->Step();
  CHECK(books.sent.size() == 2);
  books.api->now->wall += std::chrono::seconds(10);
  books.watch->Step();
  books.api->now->wall += std::chrono::hours(1);
  books.watch->Step();
  CHECK(books.sent.size() == 3);
  CHECK(books.sent.front().body == books.sent.back().body);
}

TEST_CASE("the signature is the one that the services' own documentation shows") {
  const Form parameters = {{"CallSid", "CA1234567890ABCDE"},
                           {"Caller", "+14158675309"},
                           {"Digits", "1234"},
                           {"From", "+14158675309"},
                           {"To", "+18005551212"}};
  CHECK(WebhookSignature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", parameters) ==
        "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
}

}  // namespace
}  // namespace turnpike
