#include <doctest/doctest.h>

#include "common/metering/output.h"
#include "tests/common/metering/output_cases.h"

namespace turnpike {
namespace {

using metering_test::SmallReport;
using metering_test::Written;

TEST_CASE("CSV for finance") {
  CHECK(Written(SmallReport(), ReportFormat::kCsv) ==
        "account,region,sessions,client_to_peer_bytes,peer_to_client_bytes,billable_bytes,"
        "client_to_peer_packets,peer_to_client_packets,client_to_peer_wire_bytes,"
        "peer_to_client_wire_bytes,as_of,complete\r\n"
        "acme,us1,2,1000,234567,235567,1,20,1004,234600,2026-11-20T12:00:00Z,true\r\n");
}

}  // namespace
}  // namespace turnpike
