#include <doctest/doctest.h>

#include <sstream>

#include "common/metering/invoice_output.h"
#include "tests/common/metering/rate_tables.h"

namespace turnpike {
namespace {

using metering_test::FlatCard;
using metering_test::FlatTable;
using metering_test::Usage;

std::string Page(const std::string& account, const std::string& region, bool complete = true) {
  RateTable table = FlatTable("0.4");
  table.cards.push_back(FlatCard("next", "2026-11-20", "0.5"));
  auto invoice = RateAccount(table, *ParseBillingPeriod("2026-11"), account,
                             {Usage("2026-11-01", region, 2'000'000'001)});
  REQUIRE(invoice);
  InvoiceDocument document{"Relays & \"Sons\"", "Billing <Ltd>", {}, *std::move(invoice)};
  document.scope.complete = complete;
  std::ostringstream out;
  WriteInvoiceHtml(document, out);
  return out.str();
}

bool Has(const std::string& page, std::string_view text) {
  return page.find(text) != std::string::npos;
}

TEST_CASE("the page says who, when, what and how much") {
  const std::string page = Page("acme", "us1");
  CHECK(page.starts_with("<!doctype html>\n"));
  CHECK(page.ends_with("</html>\n"));
  CHECK(Has(page, "<title>Invoice 2026-11/acme</title>"));
  CHECK(Has(page, "<dt>From</dt><dd>Billing &lt;Ltd&gt;</dd>"));
  CHECK(Has(page, "<dt>Seller</dt><dd>Relays &amp; &quot;Sons&quot;</dd>"));
  CHECK(Has(page, "<dt>To</dt><dd>acme</dd>"));
  CHECK(Has(page, "<dt>Period</dt><dd>2026-11-01 to 2026-11-30 (UTC)</dd>"));
  CHECK(Has(page, "<dt>Rates</dt><dd>2026</dd>"));
  CHECK(Has(page, "<dt>Complete</dt><dd>yes</dd>"));
  CHECK(Has(page, "Data transfer, us1, udp, tier 1 (from 2026-11-01, before 2026-11-20)"));
  CHECK(Has(page, "2.000000001 GB"));
  CHECK(Has(page, "0.4 / GB"));
  CHECK(Has(page, "0.8000000004"));
  CHECK(Has(page, "Rounding of the total"));
  CHECK(Has(page, "-0.0000000004"));
  CHECK(Has(page, ">0.80 EUR</td>"));
  CHECK(!Has(page, "Not complete"));
  CHECK(Has(Page("acme", "us1", false), "Not complete: usage may still be added"));
}

TEST_CASE("names from outside stay text, and the page loads nothing") {
  const std::string page =
      Page("<script>alert('x')</script>", "<img src=x onerror=y>\xe2\x80\xae\n");
  CHECK(!Has(page, "<script"));
  CHECK(!Has(page, "<img"));
  CHECK(Has(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
  CHECK(Has(page, "\\x0A"));
  CHECK(!Has(page, "\xe2\x80\xae"));
  for (const char* outside : {"http:", "https:", "url(", "@import", "src=x o\"", "<link"}) {
    CHECK(!Has(page, outside));
  }
}

}  // namespace
}  // namespace turnpike
