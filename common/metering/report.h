// Reports: reads a ledger, beside a running server or without one. Nothing here writes to it.
//
// Every report is one read transaction: all its rows are of the same checkpoint. Periods are
// half-open, and begin and end on a bucket's boundary.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/metering/money.h"
#include "common/metering/time_zone.h"
#include "common/metering/usage.h"

namespace turnpike {

struct RateTable;

// ReportKey is what a usage report can be grouped by.
// Buckets have no edge: a report by edge reads the parts of sessions, which takes longer and
// reaches back as far as they are kept.
enum class ReportKey : uint8_t { kAccount, kRegion, kTransport, kLabel, kDay, kMonth, kEdge };
inline constexpr int kReportKeyCount = 7;

// ReportKeyName returns the name that `--by` takes and the column has: `account`, …, `month`.
std::string_view ReportKeyName(ReportKey key);

// ParseReportKeys reads the names of `--by`. It fails with a sentence on an unknown or repeated
// name, and when there is none.
std::expected<std::vector<ReportKey>, std::string> ParseReportKeys(
    std::span<const std::string> names);

// Period is half-open: `from` is in it, `to` is not. Without a bound it is open on that side.
struct Period {
  std::optional<WallTime> from;
  std::optional<WallTime> to;
};

// ParsePeriod reads dates, which begin when they do in `zone`, or date-times (UTC); an empty text
// means no bound. It fails with a sentence when a bound is not a multiple of 15 minutes or the
// period is empty.
std::expected<Period, std::string> ParsePeriod(const std::string& from, const std::string& to,
                                               const TimeZone& zone = {});

// ReportScope is what every report says of itself.
struct ReportScope {
  Period period;
  WallTime as_of{};       // everything relayed before it is in the ledger
  bool complete = false;  // nothing can be added to this period any more
};

// ReportQuery asks for usage, grouped by `by`.
struct ReportQuery {
  std::string directory;  // the server's metering.directory
  Period period;
  std::vector<ReportKey> by = {ReportKey::kAccount, ReportKey::kRegion};
  TimeZone zone = {};  // of days and months
  // When set, rows get a cost: not by edge, as rates price buckets.
  const RateTable* rates = nullptr;
  // Called now and then while parts are read, with a share from 0 to 100.
  std::function<void(int percent)> progress = {};
};

// ReportRow is one group. Of the first seven, those that the query groups by are set, as bytes from
// outside. `sessions` counts the sessions that started in the row's share of the period: each
// session counts once, however many days or months it spans, so that counts add up like bytes do.
struct ReportRow {
  std::string account;
  std::string region;
  std::string transport;
  std::string label;
  std::string day;    // 2026-11-20
  std::string month;  // 2026-11
  std::string edge;
  uint64_t sessions = 0;
  UsageTotals totals;
  Amount cost;  // with rates: of these bytes, exactly, as the month's invoice prices them
};

// Report is a whole usage report; rows are in the order of their keys.
struct Report {
  ReportScope scope;
  std::vector<ReportKey> by;
  std::vector<ReportRow> rows;
  std::string currency;  // of costs; empty without rates
};

// UsageReport reads the buckets of `query`, or parts where it groups by edge. It fails with a
// sentence that names the file.
std::expected<Report, std::string> UsageReport(const ReportQuery& query);

// SessionQuery asks for the sessions that overlap the period, or have usage in it.
struct SessionQuery {
  std::string directory;
  Period period;
  std::optional<std::string> account;
  std::optional<std::string> region;
};

// SessionRow is one session. `totals` are what it relayed within the period, so that the rows add
// up to the usage report of the same period; drops are those of its whole life.
struct SessionRow {
  SessionId id{};
  std::string node;
  std::string edge;
  std::string account;
  std::string region;
  std::string username;
  std::string label;
  std::string transport;
  std::string client_address;
  std::string relayed_address;
  WallTime started_at{};
  std::optional<WallTime> ended_at;         // not set while the session lives
  std::optional<std::string> close_reason;  // with ended_at
  UsageTotals totals;
  std::array<uint64_t, kDropReasonCount> dropped_packets{};
};

// SessionVisitor gets the scope first and then each session, by start; false ends the reading.
struct SessionVisitor {
  std::function<bool(const ReportScope&)> begin;
  std::function<bool(const SessionRow&)> row;
};

// SessionsReport reads one session after the other and keeps none. It fails with a sentence that
// names the file.
std::expected<void, std::string> SessionsReport(const SessionQuery& query,
                                                const SessionVisitor& visitor);

}  // namespace turnpike
