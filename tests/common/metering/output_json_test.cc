#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "common/metering/output.h"
#include "tests/common/metering/output_cases.h"

namespace turnpike {
namespace {

using metering_test::SmallReport;
using metering_test::Written;

TEST_CASE("JSON for programs: counts are integers, members in the order of the columns") {
  const std::string text = Written(SmallReport(), ReportFormat::kJson);
  CHECK(text ==
        "{\"as_of\": \"2026-11-20T12:00:00Z\", \"complete\": true, \"rows\": [\n"
        "{\"account\":\"acme\",\"region\":\"us1\",\"sessions\":2,\"client_to_peer_bytes\":1000,"
        "\"peer_to_client_bytes\":234567,\"billable_bytes\":235567,\"client_to_peer_packets\":1,"
        "\"peer_to_client_packets\":20,\"client_to_peer_wire_bytes\":1004,"
        "\"peer_to_client_wire_bytes\":234600}\n]}\n");
  CHECK(nlohmann::json::parse(text)["rows"][0]["billable_bytes"].is_number_unsigned());
}

TEST_CASE("JSON lines: an object a row, with as_of and complete") {
  CHECK(Written(SmallReport(), ReportFormat::kJsonLines) ==
        "{\"account\":\"acme\",\"region\":\"us1\",\"sessions\":2,\"client_to_peer_bytes\":1000,"
        "\"peer_to_client_bytes\":234567,\"billable_bytes\":235567,\"client_to_peer_packets\":1,"
        "\"peer_to_client_packets\":20,\"client_to_peer_wire_bytes\":1004,"
        "\"peer_to_client_wire_bytes\":234600,\"as_of\":\"2026-11-20T12:00:00Z\","
        "\"complete\":true}\n");
  CHECK(Written(Report{}, ReportFormat::kJsonLines).empty());
}

}  // namespace
}  // namespace turnpike
