// What the tests of the writers share: a small report, and what a writer makes of it.
#pragma once

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "common/metering/output.h"
#include "tests/common/metering/metering_world.h"

namespace turnpike::metering_test {

inline std::string Written(const Report& report, ReportFormat format) {
  std::ostringstream out;
  WriteReport(report, format, out);
  return out.str();
}

inline std::string WrittenSessions(const SessionQuery& query, ReportFormat format) {
  std::ostringstream out;
  const auto ok = WriteSessions(query, format, out);
  REQUIRE_MESSAGE(ok, ok.error());
  return out.str();
}

inline Report SmallReport() {
  Report report;
  report.scope.as_of = kNoon;
  report.scope.complete = true;
  report.scope.period.to = kNoon;
  report.by = {ReportKey::kAccount, ReportKey::kRegion};
  ReportRow row;
  row.account = "acme";
  row.region = "us1";
  row.sessions = 2;
  row.totals.payload_bytes = {1000, 234567};
  row.totals.wire_bytes = {1004, 234600};
  row.totals.packets = {1, 20};
  report.rows.push_back(row);
  return report;
}

// ParseCsv reads RFC 4180 strictly.
inline std::vector<std::vector<std::string>> ParseCsv(const std::string& text) {
  std::vector<std::vector<std::string>> rows(1);
  rows[0].emplace_back();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      REQUIRE(rows.back().back().empty());
      for (++i; text[i] != '"' || text[i + 1] == '"'; ++i) {
        if (text[i] == '"') ++i;
        rows.back().back() += text[i];
      }
    } else if (text[i] == ',') {
      rows.back().emplace_back();
    } else if (text[i] == '\r') {
      REQUIRE(text[++i] == '\n');
      rows.emplace_back(1);
    } else {
      rows.back().back() += text[i];
    }
  }
  CHECK(rows.back() == std::vector<std::string>{""});
  rows.pop_back();
  return rows;
}

}  // namespace turnpike::metering_test
