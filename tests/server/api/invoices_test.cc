#include "server/api/invoices.h"

#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"
#include "tests/server/api/api_world.h"

namespace turnpike {
namespace {

using metering_test::FlatTable;
using metering_test::World;
using test::ApiWorld;
using test::CheckError;
using test::kAcmeSid;
using test::kOtherSid;

TEST_CASE("an account's invoice, its own alone") {
  TempDirectory directory;
  World world{directory.path()};
  world.Start();
  const SlotId slot = world.Begin("acme");
  world.Relay(slot, Direction::kClientToPeer, 2'000'000'000);
  world.End(slot);
  REQUIRE(world.ledger->Finish(*world.slots, world.now));
  ApiSettings settings = test::TestSettings();
  settings.rates = FlatTable("3");
  ApiWorld api(settings, directory.path());

  const HttpAnswer invoice = api.AsAcme("GET", "/Invoices/2026-11.html");
  CHECK(invoice.status == 200);
  CHECK(invoice.content_type.starts_with("text/html"));
  CHECK(invoice.body.contains("acme"));
  CHECK(invoice.body.contains("6.00"));
  const std::string others = "/2010-04-01/Accounts/" + kOtherSid + "/Invoices/2026-11.html";
  CHECK(api.Send("GET", others, "", ApiWorld::Basic(kAcmeSid, "acme-token")).status == 404);
  const HttpAnswer idle = api.Send("GET", others, "", ApiWorld::Basic(kOtherSid, "other-token"));
  CHECK(idle.status == 200);
  CHECK_FALSE(idle.body.contains("acme"));
  CheckError(api.AsAcme("GET", "/Invoices/2026-13.html"), 400, 20001);
  CheckError(api.AsAcme("GET", "/Invoices/9999-12.html"), 404, 20404);  // has not begun
  CheckError(api.AsAcme("GET", "/Invoices/1970-01.html"), 404, 20404);  // before the rates
  CheckError(api.AsAcme("GET", "/Invoices/%2e%2e.html"), 400, 20001);
}

TEST_CASE("without rates there are no invoices, and an unreadable ledger tells nothing of itself") {
  ApiWorld api;
  CheckError(api.AsAcme("GET", "/Invoices/2026-11.html"), 404, 20404);
  ApiSettings settings = test::TestSettings();
  settings.rates = FlatTable("3");
  ApiWorld broken(settings);
  const HttpAnswer answer = broken.AsAcme("GET", "/Invoices/2026-11.html");
  CheckError(answer, 500, 20500);
  CHECK_FALSE(answer.body.contains("nowhere"));
}

}  // namespace
}  // namespace turnpike
