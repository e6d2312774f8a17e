#include "common/metering/billing.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "common/base/log.h"
#include "common/metering/billing_books.h"
#include "common/metering/billing_corrections.h"
#include "common/metering/billing_invoices.h"
#include "common/metering/split.h"

namespace turnpike {
namespace {

using std::chrono::microseconds;

constexpr std::array<std::string_view, 4> kStateNames = {"open", "grace", "ready", "closed"};

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

// Describe names whose usage a key is.
std::string Describe(const UsageKey& key) {
  const auto& [account, region, transport, label] = key;
  return "account " + EscapeText(account) + ", region " + EscapeText(region) + ", transport " +
         EscapeText(transport) + ", label " + (label.empty() ? "(none)" : EscapeText(label));
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
    if (!request.allow_less && row.IsLoss()) {
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

PeriodState StateOf(const BillingPeriod& month, const LedgerView& ledger, Duration grace,
                    WallTime now) {
  // A server that stopped and wrote everything adds nothing until it starts again.
  const WallTime known = ledger.is_closed ? std::max(ledger.as_of, now) : ledger.as_of;
  const WallTime end = month.to;
  if (known < end) return PeriodState::kOpen;
  const auto wait = std::chrono::ceil<microseconds>(grace);
  return known < end + wait ? PeriodState::kGrace : PeriodState::kReady;
}

// CheckClosable says why `month` cannot be closed now.
std::expected<void, std::string> CheckClosable(const BillingRequest& request,
                                               const BillingPeriod& month, const Books& books,
                                               const LedgerView& ledger) {
  const PeriodState state = StateOf(month, ledger, request.grace, request.now);
  if (state != PeriodState::kReady) {
    const auto wait = std::chrono::ceil<microseconds>(request.grace);
    const std::string until = FormatRfc3339(month.to + wait);
    return std::unexpected(
        month.name + (state == PeriodState::kOpen ? " is not over" : " is in its grace") +
        ": the ledger is complete up to " + FormatRfc3339(ledger.as_of) +
        ", closing needs it up to " + until + " (the period's end and a grace of " +
        FormatDuration(request.grace) + ")");
  }
  for (const BillingPeriod& earlier : ReadMonths(*ledger.database)) {
    if (earlier.from >= month.from) break;
    const auto found = books.find(earlier.name);
    if (found != books.end() && found->second.closed) continue;
    return std::unexpected(earlier.name + " has usage and is not closed: close it before " +
                           month.name);
  }
  return {};
}

// PriceBooked prices the corrections that have no amount yet, those of `late` included, which were
// booked into the period of `base` just now.
std::expected<void, std::string> PriceBooked(const BillingRequest& request, Books books,
                                             const std::vector<Late>& late,
                                             const BillingEntry& base, BillingFile& file,
                                             CloseResult& result) {
  if (request.rates == nullptr) return {};
  for (const Late& row : late) {
    ClosedPeriod& period = books[row.period];
    BilledCounts& counts = period.frozen[row.key].counts;
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += row.counts[i];
    period.to_be_priced.insert(std::get<0>(row.key));
  }
  for (const auto& [name, period] : books) {
    if (!period.has_invoices || period.to_be_priced.empty()) continue;
    std::map<std::string, int64_t> billable;
    for (const auto& [key, frozen] : period.frozen) {
      if (period.to_be_priced.contains(std::get<0>(key))) {
        billable[std::get<0>(key)] += Billable(frozen.counts);
      }
    }
    const auto lines = PriceCorrections(request, base, name, billable, file);
    if (!lines) return std::unexpected(lines.error());
    result.priced += *lines;
  }
  return {};
}

// FreezeLater adds the invoices of a month that was closed without rates.
std::expected<void, std::string> FreezeLater(const BillingRequest& request,
                                             const LedgerView& ledger, const std::string& month,
                                             const ClosedPeriod& period,
                                             const std::vector<Late>& late, BillingFile& file,
                                             CloseResult& result) {
  if (request.rates == nullptr || period.has_invoices) return {};
  std::map<std::string, int64_t> billable;  // by account
  for (const auto& [key, frozen] : period.frozen) {
    billable[std::get<0>(key)] += Billable(frozen.counts);
  }
  const bool is_late =
      std::ranges::any_of(late, [&](const Late& row) { return row.period == month; });
  int64_t sum = 0;
  for (const auto& [account, bytes] : billable) sum += bytes;
  if (is_late || sum != period.billed_bytes) {
    return std::unexpected(month +
                           " was closed without --rates, and usage came after that: invoices of "
                           "what was closed cannot be made any more; `usage invoice` prices all "
                           "of its usage");
  }
  const auto invoices = FreezeInvoices(
      request, MakeEntry(request, ledger, EntryKind::kInvoice, month), billable, file);
  if (!invoices) return std::unexpected(invoices.error());
  result.invoices = *invoices;
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

std::string_view PeriodStateName(PeriodState state) {
  return kStateNames[static_cast<size_t>(state)];
}

std::expected<std::vector<PeriodStatus>, std::string> ListPeriods(const BillingRequest& request) {
  const auto ledger = ReadLedger(request.ledger);
  if (!ledger) return std::unexpected(ledger.error());
  const auto file = BillingFile::OpenForReading(request.ledger);
  if (!file) return std::unexpected(file.error());
  const Books books = *file != nullptr ? ReadBooks(**file) : Books();
  std::map<std::string, BillingPeriod> months;
  for (BillingPeriod& month : ReadMonths(*ledger->database)) months[month.name] = month;
  for (const auto& [name, period] : books) months.try_emplace(name, *ParseBillingPeriod(name));
  const std::vector<Late> late = FindLate(books, *ledger->database);
  std::vector<PeriodStatus> statuses;
  for (const auto& [name, month] : months) {
    PeriodStatus& status = statuses.emplace_back();
    status.month = month;
    status.state = StateOf(month, *ledger, request.grace, request.now);
    status.as_of = ledger->as_of;
    status.complete = ledger->is_closed || month.to <= ledger->as_of;
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
      if (row.period != name) continue;
      if (row.IsLoss() && status.first_loss.empty()) status.first_loss = Describe(row.key);
      const int64_t bytes = Billable(row.counts);
      (bytes < 0 ? status.lost_bytes : status.late_bytes) += bytes < 0 ? -bytes : bytes;
    }
  }
  if (!ledger->database->ok()) return std::unexpected("cannot read " + ledger->database->error());
  return statuses;
}

std::expected<CloseResult, std::string> ClosePeriod(const BillingRequest& request,
                                                    const BillingPeriod& month) {
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
    if (auto ok = FreezeLater(request, *ledger, month.name, found->second, late, **file, result);
        !ok) {
      return std::unexpected(ok.error());
    }
    return Finish(**file, *ledger, result);
  }
  if (auto ok = CheckClosable(request, month, books, *ledger); !ok) {
    return std::unexpected(ok.error());
  }
  if (auto ok = BookLate(request, *ledger, late, month.name, **file, result); !ok) {
    return std::unexpected(ok.error());
  }
  if (auto ok =
          PriceBooked(request, books, late,
                      MakeEntry(request, *ledger, EntryKind::kInvoice, month.name), **file, result);
      !ok) {
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
  std::optional<BillingPeriod> next;
  for (const auto& [name, period] : books) {
    if (period.closed) next = BillingPeriodOf(ParseBillingPeriod(name)->to);
  }
  if (!next) return std::unexpected("no period is closed: there is nothing to correct");
  CloseResult result;
  const std::vector<Late> late = FindLate(books, *ledger->database);
  if (auto ok = BookLate(request, *ledger, late, next->name, **file, result); !ok) {
    return std::unexpected(ok.error());
  }
  if (auto ok =
          PriceBooked(request, books, late,
                      MakeEntry(request, *ledger, EntryKind::kInvoice, next->name), **file, result);
      !ok) {
    return std::unexpected(ok.error());
  }
  return Finish(**file, *ledger, result);
}

std::expected<std::vector<BillingEntry>, std::string> ReadCorrections(const std::string& ledger) {
  const auto file = BillingFile::OpenForReading(ledger);
  if (!file) return std::unexpected(file.error());
  std::vector<BillingEntry> corrections;
  if (*file == nullptr) return corrections;
  (*file)->Walk([&](const BillingEntry& entry) {
    if (entry.kind == EntryKind::kCorrection) corrections.push_back(entry);
    return true;
  });
  if ((*file)->database().ok()) return corrections;
  return std::unexpected("cannot read " + (*file)->database().error());
}

std::expected<PeriodBooks, std::string> ReadPeriodBooks(const std::string& ledger,
                                                        const BillingPeriod& month) {
  const auto file = BillingFile::OpenForReading(ledger);
  if (!file) return std::unexpected(file.error());
  PeriodBooks result;
  if (*file == nullptr) return result;
  const Books books = ReadBooks(**file);
  if (!(*file)->database().ok()) {
    return std::unexpected("cannot read " + (*file)->database().error());
  }
  const auto found = books.find(month.name);
  if (found == books.end()) return result;
  result.closed = found->second.closed;
  result.billed_bytes = found->second.billed_bytes;
  result.unpriced_bytes = found->second.unpriced_bytes;
  if (!result.closed) return result;
  const auto view = ReadLedger(ledger);
  if (!view) return std::unexpected(view.error());
  for (const auto& [key, counts] : ReadUsage(*view->database, month)) {
    result.later_bytes += Billable(counts);
  }
  result.later_bytes -= result.billed_bytes;
  if (!view->database->ok()) return std::unexpected("cannot read " + view->database->error());
  return result;
}

}  // namespace turnpike
