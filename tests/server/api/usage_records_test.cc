#include "server/api/usage_records.h"

#include "server/api/usage_category.h"
#include "server/api/usage_range.h"
#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"
#include "tests/server/api/api_world.h"

namespace turnpike {
namespace {

using metering_test::FlatTable;
using metering_test::World;
using nlohmann::json;
using test::ApiWorld;
using test::CheckError;
using test::JsonOf;
using test::kAcmeSid;

// Books is a ledger in which acme relayed 2 MB at noon and 0.5 MB two days later, another account
// 7 bytes; a GB costs 1.
struct Books {
  TempDirectory directory;
  World world{directory.path()};
  std::unique_ptr<ApiWorld> api;

  Books() {
    world.Start();
    const SlotId acme = world.Begin("acme");
    const SlotId other = world.Begin("other");
    world.Relay(acme, Direction::kClientToPeer, 2'000'000);
    world.Relay(other, Direction::kPeerToClient, 7);
    world.now += std::chrono::hours(48);
    world.Relay(acme, Direction::kPeerToClient, 500'000);
    for (const SlotId slot : {acme, other}) world.End(slot);
    REQUIRE(world.ledger->Finish(*world.slots, world.now));
    ApiSettings settings = test::TestSettings();
    settings.rates = FlatTable("1");
    api = std::make_unique<ApiWorld>(settings, directory.path());
    api->now->wall = world.now + std::chrono::hours(24);  // 2026-11-23
  }

  HttpAnswer Get(const std::string& below) { return api->AsAcme("GET", "/Usage/Records" + below); }
  json Rows(const std::string& below) { return JsonOf(Get(below)).at("usage_records"); }
};

TEST_CASE("a usage record is field for field what the hosted services answer") {
  Books books;
  const json rows = books.Rows(".json?StartDate=2026-11-01&EndDate=2026-11-22");
  REQUIRE(rows.size() == 2);
  const json& row = rows[0];
  CHECK(row.size() == 15);
  CHECK(row.at("account_sid") == kAcmeSid);
  CHECK(row.at("api_version") == "2010-04-01");
  CHECK(row.at("as_of") == "2026-11-22T12:00:00+00:00");
  CHECK(row.at("category") == "turnmegabytes");
  CHECK(row.at("start_date") == "2026-11-01");
  CHECK(row.at("end_date") == "2026-11-22");
  CHECK(row.at("count") == "2.5");
  CHECK(row.at("usage") == "2.5");
  CHECK(row.at("count_unit") == "megabytes");
  CHECK(row.at("usage_unit") == "megabytes");
  CHECK(row.at("price") == "0.0025");
  CHECK(row.at("price_unit") == "eur");
  const std::string records = "/2010-04-01/Accounts/" + kAcmeSid + "/Usage/Records";
  CHECK(row.at("uri") ==
        records + ".json?Category=turnmegabytes&StartDate=2026-11-01&EndDate=2026-11-22");
  CHECK(row.at("subresource_uris").size() == 8);
  CHECK(row.at("subresource_uris").at("this_month") ==
        records + "/ThisMonth.json?Category=turnmegabytes");
  CHECK(rows[1].at("category") == "turnmegabytes-useast");
  CHECK(rows[1].at("usage") == "2.5");
}

TEST_CASE("daily, monthly and yearly records, newest first") {
  Books books;
  const json daily = books.Rows("/Daily.json?Category=turnmegabytes");
  REQUIRE(daily.size() == 4);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"2026-11-23", "0"}, {"2026-11-22", "0.5"}, {"2026-11-21", "0"}, {"2026-11-20", "2"}};
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(daily[i].at("start_date") == expected[i].first);
    CHECK(daily[i].at("end_date") == expected[i].first);
    CHECK(daily[i].at("usage") == expected[i].second);
  }
  const json monthly = books.Rows("/Monthly.json?Category=turnmegabytes-useast");
  REQUIRE(monthly.size() == 1);
  CHECK(monthly[0].at("usage") == "2.5");
  CHECK(books.Rows("/Yearly.json").size() == 2);
}

TEST_CASE("today, yesterday, this month, last month and all time") {
  Books books;
  const auto usage = [&](const std::string& name) {
    return books.Rows("/" + name + ".json?Category=turnmegabytes").at(0).at("usage");
  };
  CHECK(usage("Today") == "0");
  CHECK(usage("Yesterday") == "0.5");
  CHECK(usage("ThisMonth") == "2.5");
  CHECK(usage("LastMonth") == "0");
  CHECK(usage("AllTime") == "2.5");
  CheckError(books.Get("/Hourly.json"), 404, 20404);
}

TEST_CASE("where nothing was relayed there is one record, however long the range is") {
  Books books;
  const json rows = books.Rows("/Daily.json?StartDate=1970-01-01&EndDate=2026-10-31");
  REQUIRE(rows.size() == 1);
  CHECK(rows.at(0).at("usage") == "0");
  CHECK(rows.at(0).at("start_date") == "2026-10-31");
}

TEST_CASE("dates take offsets; what is no date, category or page is refused") {
  Books books;
  CHECK(books.Rows("/Daily.json?StartDate=-1days&Category=turnmegabytes").size() == 2);
  CHECK(books.Rows(".json?StartDate=-30days&EndDate=%2B30days").at(0).at("usage") == "2.5");
  for (const char* query :
       {"StartDate=2026-13-01", "StartDate=yesterday", "EndDate=2026-11-1",
        "StartDate=-9999999days", "StartDate=2026-11-02&EndDate=2026-11-01",
        "StartDate=2026-11-01T00:00Z", "StartDate=1'%20OR%201=1--", "Category=calls",
        "Category=turnmegabytes-", "PageSize=0", "PageSize=1001", "PageSize=99999999999999999999",
        "Page=-1", "Page=x"}) {
    CAPTURE(std::string(query));
    CheckError(books.Get(".json?" + std::string(query)), 400, 20001);
  }
}

TEST_CASE("pages link to each other and hold every row once") {
  Books books;
  std::string uri = "/Daily.json?Category=turnmegabytes&PageSize=3";
  const json first = JsonOf(books.Get(uri));
  CHECK(first.at("usage_records").size() == 3);
  CHECK(first.at("page") == 0);
  CHECK(first.at("page_size") == 3);
  CHECK(first.at("start") == 0);
  CHECK(first.at("end") == 2);
  CHECK(first.at("previous_page_uri").is_null());
  const std::string next = first.at("next_page_uri");
  const std::string prefix = "/2010-04-01/Accounts/" + kAcmeSid + "/Usage/Records";
  REQUIRE(next.starts_with(prefix));
  const json second = JsonOf(books.Get(next.substr(prefix.size())));
  REQUIRE(second.at("usage_records").size() == 1);
  CHECK(second.at("usage_records")[0].at("start_date") == "2026-11-20");
  CHECK(second.at("next_page_uri").is_null());
  CHECK(JsonOf(books.Get("/Daily.json?Page=1000000")).at("usage_records").empty());
}

TEST_CASE(
    "an account that never relayed has no usage, and a lost ledger is told without its path") {
  Books books;
  const HttpAnswer answer = books.api->Send(
      "GET", "/2010-04-01/Accounts/" + test::kOtherSid + "/Usage/Records/ThisMonth.json", "",
      ApiWorld::Basic(test::kOtherSid, "other-token"));
  CHECK(JsonOf(answer).at("usage_records").at(0).at("usage") == "0.000007");
  ApiSettings settings = test::TestSettings();
  settings.accounts[0].account = "newcomer";
  ApiWorld newcomer(settings, books.directory.path());
  newcomer.now->wall = books.api->now->wall;
  const json rows = JsonOf(newcomer.AsAcme("GET", "/Usage/Records.json")).at("usage_records");
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].at("usage") == "0");
  ApiWorld lost;
  const HttpAnswer refused = lost.AsAcme("GET", "/Usage/Records.json");
  CheckError(refused, 500, 20500);
  CHECK_FALSE(refused.body.contains("nowhere"));
}

TEST_CASE("without a rate card usage has no price") {
  Books books;
  ApiWorld unpriced(test::TestSettings(), books.directory.path());
  unpriced.now->wall = books.api->now->wall;
  const json rows = JsonOf(unpriced.AsAcme("GET", "/Usage/Records.json")).at("usage_records");
  CHECK(rows.at(0).at("usage") == "2.5");
  CHECK(rows.at(0).at("price").is_null());
}

TEST_CASE("categories and regions name each other") {
  for (const char* region :
       {"us1", "us2", "de1", "ie1", "sg1", "jp1", "au1", "in1", "br1", "local"}) {
    CHECK(RegionOf(CategoryOf(region)) == region);
  }
  CHECK(CategoryOf("br1") == "turnmegabytes-brasil");
  CHECK(CategoryOf("local") == "turnmegabytes-local");
  CHECK(RegionOf("turnmegabytes") == "");
  CHECK(RegionOf("turn") == std::nullopt);
}

}  // namespace
}  // namespace turnpike
