#include "common/metering/billing.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <tuple>

#include "common/base/log.h"
#include "common/metering/billing_invoices.h"
#include "common/metering/ledger_schema.h"
#include "common/metering/split.h"

namespace turnpike {
namespace {

using std::chrono::microseconds;

constexpr std::array<std::string_view, 4> kStateNames = {"open", "grace", "ready", "closed"};

// UsageKey is what usage is frozen by: account, region, transport, label.
using UsageKey = std::tuple<std::string, std::string, std::string, std::string>;

// Frozen is what entries hold of a key's usage in a period.
struct Frozen {
  int64_t original = 0;  // the entry of kind usage
  BilledCounts counts{};
};

// ClosedPeriod is what the entries say of one period.
struct ClosedPeriod {
  bool closed = false;
  WallTime closed_at{};
  WallTime as_of{};
  std::string closed_by;
  int64_t billed_bytes = 0;
  int64_t corrected_bytes = 0;
  std::map<UsageKey, Frozen> frozen;  // usage of this period, with its corrections
};

// Books is the billing file as a whole: periods by name.
using Books = std::map<std::string, ClosedPeriod>;

// Late is usage of a closed period that its entries do not hold.
struct Late {
  std::string period;
  UsageKey key;
  int64_t original = 0;
  BilledCounts counts{};  // the difference
};

// Ledger is the reader's side: one transaction on usage.db.
struct LedgerView {
  std::unique_ptr<Database> database;
  WallTime as_of{};
  bool is_closed = false;  // cleanly
};

int64_t Billable(const BilledCounts& counts) { return counts[0] + counts[1]; }

bool IsZero(const BilledCounts& counts) {
  return std::ranges::all_of(counts, [](int64_t count) { return count == 0; });
}

void Add(BilledCounts& sum, const BilledCounts& counts, int64_t sign = 1) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += sign * counts[i];
}

std::expected<LedgerView, std::string> ReadLedger(const std::string& ledger) {
  auto database = OpenLedgerForReading(ledger);
  if (!database) return std::unexpected(database.error());
  LedgerView view;
  view.database = std::move(*database);
  view.database->Exec("BEGIN");
  Statement meta(*view.database, "SELECT as_of, state = 'closed' FROM meta");
  if (meta.Step()) {
    view.as_of = WallTime(microseconds(meta.Int(0)));
    view.is_closed = meta.Int(1) != 0;
  }
  if (!view.database->ok()) return std::unexpected("cannot read " + view.database->error());
  return view;
}

// ReadUsage returns what the ledger has for `month`.
std::map<UsageKey, BilledCounts> ReadUsage(Database& ledger, const BillingMonth& month) {
  std::map<UsageKey, BilledCounts> usage;
  Statement rows(ledger,
                 "SELECT account.name, region, transport, label, sum(client_to_peer_bytes), "
                 "sum(peer_to_client_bytes), sum(client_to_peer_wire_bytes), "
                 "sum(peer_to_client_wire_bytes), sum(client_to_peer_packets), "
                 "sum(peer_to_client_packets), sum(sessions) FROM usage_bucket JOIN account ON "
                 "account.key = account WHERE bucket >= ? AND bucket < ? GROUP BY 1, 2, 3, 4");
  rows.Bind(month.first.value(), month.end.value());
  while (rows.Step()) {
    BilledCounts counts;
    for (size_t i = 0; i < counts.size(); ++i) counts[i] = rows.Int(4 + static_cast<int>(i));
    usage[{rows.Bytes(0), rows.Bytes(1), rows.Bytes(2), rows.Bytes(3)}] = counts;
  }
  return usage;
}

// ReadMonths lists the months that have usage, the oldest first: one look into the key per month.
std::vector<BillingMonth> ReadMonths(Database& ledger) {
  std::vector<BillingMonth> months;
  Statement next(ledger, "SELECT min(bucket) FROM usage_bucket WHERE bucket >= ?");
  int64_t from = 0;
  while (next.Bind(from).Step() && !next.IsNull(0)) {
    months.push_back(MonthOf(BucketIndex(static_cast<uint32_t>(next.Int(0)))));
    from = months.back().end.value();
    next.Step();
  }
  return months;
}

Books ReadBooks(BillingFile& file) {
  Books books;
  file.Walk([&](const BillingEntry& entry) {
    ClosedPeriod& period = books[entry.period];
    const UsageKey key = {entry.account, entry.region, entry.transport, entry.label};
    if (entry.kind == EntryKind::kUsage) {
      period.frozen[key] = {entry.number, entry.counts};
      period.billed_bytes += Billable(entry.counts);
    } else if (entry.kind == EntryKind::kCorrection) {
      Add(books[entry.original_period].frozen[key].counts, entry.counts);
      books[entry.period].corrected_bytes += Billable(entry.counts);
    } else if (entry.kind == EntryKind::kClose) {
      period.closed = true;
      period.closed_at = entry.at;
      period.as_of = entry.as_of;
      period.closed_by = entry.actor;
    }
    return true;
  });
  return books;
}

// FindLate compares every closed period with the ledger.
std::vector<Late> FindLate(const Books& books, Database& ledger) {
  std::vector<Late> late;
  for (const auto& [name, period] : books) {
    if (!period.closed) continue;
    std::map<UsageKey, Late> differences;
    for (const auto& [key, counts] : ReadUsage(ledger, *ParseMonth(name))) {
      differences[key] = {name, key, 0, counts};
    }
    for (const auto& [key, frozen] : period.frozen) {
      Late& difference = differences.try_emplace(key, Late{name, key, 0, {}}).first->second;
      difference.original = frozen.original;
      Add(difference.counts, frozen.counts, -1);
    }
    for (auto& [key, difference] : differences) {
      if (!IsZero(difference.counts)) late.push_back(std::move(difference));
    }
  }
  return late;
}

BillingEntry MakeEntry(const BillingRequest& request, const LedgerView& ledger, EntryKind kind,
                       const std::string& period) {
  BillingEntry entry;
  entry.kind = kind;
  entry.period = period;
  entry.actor = request.actor;
  entry.at = request.now;
  entry.as_of = ledger.as_of;
  entry.detail = "{}";
  return entry;
}

void SetUsage(BillingEntry& entry, const UsageKey& key, const BilledCounts& counts) {
  std::tie(entry.account, entry.region, entry.transport, entry.label) = key;
  entry.counts = counts;
}

// BookLate writes corrections into `period`. A ledger that has less than what was billed was
// replaced, or restored from a backup: nobody is credited for that without being asked to.
std::expected<void, std::string> BookLate(const BillingRequest& request, const LedgerView& ledger,
                                          const std::vector<Late>& late, const std::string& period,
                                          BillingFile& file, CloseResult& result) {
  for (const Late& row : late) {
    if (!request.allow_less && std::ranges::any_of(row.counts, [](int64_t n) { return n < 0; })) {
      return std::unexpected(
          "the ledger has less usage in " + row.period + " than was closed (account " +
          EscapeText(std::get<0>(row.key)) + ", region " + EscapeText(std::get<1>(row.key)) +
          "): was it restored from a backup? Merge in the missing ledger, or credit the "
          "difference with: turnpike usage correct --allow-less");
    }
    BillingEntry entry = MakeEntry(request, ledger, EntryKind::kCorrection, period);
    SetUsage(entry, row.key, row.counts);
    entry.original_period = row.period;
    entry.original = row.original;
    entry.reason = request.reason;
    file.Append(std::move(entry));
    ++result.corrections;
    result.billable_bytes += Billable(row.counts);
  }
  return {};
}

PeriodState StateOf(const BillingMonth& month, const LedgerView& ledger, Duration grace,
                    WallTime now) {
  // A server that stopped and wrote everything adds nothing until it starts again.
  const WallTime known = ledger.is_closed ? std::max(ledger.as_of, now) : ledger.as_of;
  const WallTime end = BucketStart(month.end);
  if (known < end) return PeriodState::kOpen;
  const auto wait = std::chrono::ceil<microseconds>(grace);
  return known < end + wait ? PeriodState::kGrace : PeriodState::kReady;
}

// CheckClosable says why `month` cannot be closed now.
std::expected<void, std::string> CheckClosable(const BillingRequest& request,
                                               const BillingMonth& month, const Books& books,
                                               const LedgerView& ledger) {
  const PeriodState state = StateOf(month, ledger, request.grace, request.now);
  if (state != PeriodState::kReady) {
    const auto wait = std::chrono::ceil<microseconds>(request.grace);
    const std::string until = FormatRfc3339(BucketStart(month.end) + wait);
    return std::unexpected(
        month.name + (state == PeriodState::kOpen ? " is not over" : " is in its grace") +
        ": the ledger is complete up to " + FormatRfc3339(ledger.as_of) +
        ", closing needs it up to " + until + " (the period's end and a grace of " +
        FormatDuration(request.grace) + ")");
  }
  for (const BillingMonth& earlier : ReadMonths(*ledger.database)) {
    if (earlier.first >= month.first) break;
    const auto found = books.find(earlier.name);
    if (found != books.end() && found->second.closed) continue;
    return std::unexpected(earlier.name + " has usage and is not closed: close it before " +
                           month.name);
  }
  return {};
}

std::expected<CloseResult, std::string> Finish(BillingFile& file, const LedgerView& ledger,
                                               CloseResult result) {
  if (!ledger.database->ok()) return std::unexpected("cannot read " + ledger.database->error());
  result.head = file.head();
  if (!file.Commit()) return std::unexpected("cannot write " + file.database().error());
  return result;
}

}  // namespace

std::expected<BillingMonth, std::string> ParseMonth(std::string_view text) {
  if (const auto day = ParseDate(std::string(text) + "-01")) {
    BillingMonth month = MonthOf(BucketOf(*day));
    if (month.name == text) return month;
  }
  return std::unexpected("\"" + EscapeText(text) + "\" is not a month: write it as 2026-11");
}

BillingMonth MonthOf(BucketIndex bucket) {
  const std::chrono::year_month_day date(
      std::chrono::floor<std::chrono::days>(BucketStart(bucket)));
  const auto first = date.year() / date.month();
  const std::chrono::sys_days begin = first / 1;
  const std::chrono::sys_days end = (first + std::chrono::months(1)) / 1;
  return {FormatRfc3339(begin).substr(0, 7), BucketOf(begin), BucketOf(end)};
}

std::string_view PeriodStateName(PeriodState state) {
  return kStateNames[static_cast<size_t>(state)];
}

std::expected<std::vector<PeriodStatus>, std::string> ListPeriods(const BillingRequest& request) {
  const auto ledger = ReadLedger(request.ledger);
  if (!ledger) return std::unexpected(ledger.error());
  const auto file = BillingFile::OpenForReading(request.ledger);
  if (!file) return std::unexpected(file.error());
  const Books books = *file != nullptr ? ReadBooks(**file) : Books();
  std::map<std::string, BillingMonth> months;
  for (BillingMonth& month : ReadMonths(*ledger->database)) months[month.name] = month;
  for (const auto& [name, period] : books) months.try_emplace(name, *ParseMonth(name));
  const std::vector<Late> late = FindLate(books, *ledger->database);
  std::vector<PeriodStatus> statuses;
  for (const auto& [name, month] : months) {
    PeriodStatus& status = statuses.emplace_back();
    status.month = month;
    status.state = StateOf(month, *ledger, request.grace, request.now);
    status.as_of = ledger->as_of;
    status.complete = ledger->is_closed || BucketStart(month.end) <= ledger->as_of;
    for (const auto& [key, counts] : ReadUsage(*ledger->database, month)) {
      Sums sums = ToSums(status.totals);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<uint64_t>(counts[i]);
      status.totals = FromSums(sums);
      status.sessions += static_cast<uint64_t>(counts[6]);
    }
    if (const auto found = books.find(name); found != books.end()) {
      const ClosedPeriod& period = found->second;
      status.corrected_bytes = period.corrected_bytes;
      status.billed_bytes = period.billed_bytes;
      if (!period.closed) continue;
      status.state = PeriodState::kClosed;
      status.as_of = period.as_of;
      status.closed_at = period.closed_at;
      status.closed_by = period.closed_by;
    }
    for (const Late& row : late) {
      if (row.period == name) status.late_bytes += Billable(row.counts);
    }
  }
  if (!ledger->database->ok()) return std::unexpected("cannot read " + ledger->database->error());
  return statuses;
}

std::expected<CloseResult, std::string> ClosePeriod(const BillingRequest& request,
                                                    const BillingMonth& month) {
  // The billing file first: a second command waits here, and then sees what the first one wrote.
  const auto file = BillingFile::OpenForWriting(request.ledger, request.vfs);
  if (!file) return std::unexpected(file.error());
  const auto ledger = ReadLedger(request.ledger);
  if (!ledger) return std::unexpected(ledger.error());
  const Books books = ReadBooks(**file);
  const std::vector<Late> late = FindLate(books, *ledger->database);
  CloseResult result;
  if (const auto found = books.find(month.name); found != books.end() && found->second.closed) {
    result.was_closed = true;
    result.late = late.size();
    result.head = (*file)->head();
    return result;
  }
  if (auto ok = CheckClosable(request, month, books, *ledger); !ok) {
    return std::unexpected(ok.error());
  }
  if (auto ok = BookLate(request, *ledger, late, month.name, **file, result); !ok) {
    return std::unexpected(ok.error());
  }
  std::map<std::string, int64_t> billable;  // by account
  for (const auto& [key, counts] : ReadUsage(*ledger->database, month)) {
    BillingEntry entry = MakeEntry(request, *ledger, EntryKind::kUsage, month.name);
    billable[std::get<0>(key)] += Billable(counts);
    SetUsage(entry, key, counts);
    (*file)->Append(std::move(entry));
    ++result.rows;
    result.billable_bytes += Billable(counts);
  }
  BillingEntry close = MakeEntry(request, *ledger, EntryKind::kClose, month.name);
  if (request.rates != nullptr) {
    const auto invoices = FreezeInvoices(request, close, billable, **file);
    if (!invoices) return std::unexpected(invoices.error());
    result.invoices = *invoices;
  }
  close.detail = nlohmann::json{{"rows", result.rows},
                                {"invoices", result.invoices},
                                {"corrections", result.corrections},
                                {"billable_bytes", result.billable_bytes},
                                {"grace", FormatDuration(request.grace)}}
                     .dump();
  (*file)->Append(std::move(close));
  return Finish(**file, *ledger, result);
}

std::expected<CloseResult, std::string> CorrectPeriods(const BillingRequest& request) {
  const auto file = BillingFile::OpenForWriting(request.ledger, request.vfs);
  if (!file) return std::unexpected(file.error());
  const auto ledger = ReadLedger(request.ledger);
  if (!ledger) return std::unexpected(ledger.error());
  const Books books = ReadBooks(**file);
  std::optional<BillingMonth> next;
  for (const auto& [name, period] : books) {
    if (period.closed) next = MonthOf(ParseMonth(name)->end);
  }
  if (!next) return std::unexpected("no period is closed: there is nothing to correct");
  CloseResult result;
  const std::vector<Late> late = FindLate(books, *ledger->database);
  if (auto ok = BookLate(request, *ledger, late, next->name, **file, result); !ok) {
    return std::unexpected(ok.error());
  }
  return Finish(**file, *ledger, result);
}

}  // namespace turnpike
