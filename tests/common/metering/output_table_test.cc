#include <doctest/doctest.h>

#include <algorithm>

#include "common/metering/output.h"
#include "tests/common/metering/output_cases.h"

namespace turnpike {
namespace {

using metering_test::SmallReport;
using metering_test::Written;

TEST_CASE("a table for people") {
  CHECK(Written(SmallReport(), ReportFormat::kTable) ==
        "account  region  sessions  client_to_peer_bytes  peer_to_client_bytes  billable_bytes\n"
        "acme     us1            2                  1000                234567          235567\n"
        "total: 2 sessions, 235567 billable bytes (235.567 kB)\n"
        "period: the beginning to 2026-11-20T12:00:00Z\n"
        "as of: 2026-11-20T12:00:00Z, complete\n");
}

TEST_CASE("a table of more rows than are kept for the widths") {
  Report report = SmallReport();
  for (int i = 0; i < 1500; ++i) report.rows.push_back(report.rows[0]);
  const std::string table = Written(report, ReportFormat::kTable);
  CHECK(std::ranges::count(table, '\n') == 1505);
  CHECK(table.find("total: 3002 sessions, ") != std::string::npos);
}

TEST_CASE("bytes in the unit that people read, cut, never rounded up") {
  Report report = SmallReport();
  const auto last = [&](uint64_t bytes) {
    report.rows[0].totals.payload_bytes = {bytes, 0};
    const std::string text = Written(report, ReportFormat::kTable);
    const size_t begin = text.find(" billable bytes (") + 17;
    return text.substr(begin, text.find(')', begin) - begin);
  };
  CHECK(last(999) == "999 bytes");
  CHECK(last(1000) == "1.000 kB");
  CHECK(last(1999999) == "1.999 MB");
  CHECK(last(5000000000) == "5.000 GB");
  CHECK(last(1234567890123456) == "1234.567 TB");
}

}  // namespace
}  // namespace turnpike
