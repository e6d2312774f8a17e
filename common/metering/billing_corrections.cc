#include "common/metering/billing_corrections.h"

#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/metering/billing_invoices.h"
#include "common/metering/invoice_columns.h"
#include "common/metering/rating.h"
#include "common/metering/usage_rows.h"

namespace turnpike {
namespace {

using Lines = std::map<std::string, InvoiceLine>;  // by id

// Differences returns what `rated` has beyond `invoiced`, line by line.
std::expected<std::vector<InvoiceLine>, std::string> Differences(const Invoice& rated,
                                                                 Lines invoiced) {
  std::vector<InvoiceLine> differences;
  const auto note = [&](InvoiceLine line) {
    if (line.bytes == 0 && line.amount == Amount()) return;
    line.corrects = line.id;
    differences.push_back(std::move(line));
  };
  for (InvoiceLine line : rated.lines) {
    if (line.kind == LineKind::kRounding) continue;
    const auto known = invoiced.extract(line.id);
    if (!known.empty()) {
      const InvoiceLine& old = known.mapped();
      if (columns::HasBytes(line) && (old.price != line.price || old.unit != line.unit)) {
        return std::unexpected(EscapeText(line.id) + " was invoiced at " + FormatPrice(old.price) +
                               " and has the price " + FormatPrice(line.price) +
                               " in these rates: correct with the rates that made the invoice");
      }
      AddToLine(line, old, -1);
    }
    note(std::move(line));
  }
  for (auto& [id, old] : invoiced) {
    InvoiceLine line = old;
    line.bytes = 0;
    line.amount = Amount();
    AddToLine(line, old, -1);
    note(std::move(line));
  }
  return differences;
}

}  // namespace

std::expected<uint64_t, std::string> PriceCorrections(
    const BillingRequest& request, const BillingEntry& base, const std::string& original,
    const std::map<std::string, int64_t>& billable, BillingFile& file) {
  const auto month = ParseBillingPeriod(original);
  const auto period = ParseBillingPeriod(base.period);
  if (!month) return std::unexpected(month.error());
  if (!period) return std::unexpected(period.error());
  BillingEntry entry = base;
  entry.original_period = original;
  entry.reason = request.reason;
  uint64_t count = 0;
  for (const auto& [account, bytes] : billable) {
    auto usage = ReadUsageRows(request.ledger, {month->from, month->to}, account);
    if (!usage) return std::unexpected(usage.error());
    std::vector<UsageRow>& rows = usage->accounts[account];
    int64_t sum = 0;
    for (const UsageRow& row : rows) sum += static_cast<int64_t>(row.totals.billable_bytes());
    if (sum != bytes) {
      return std::unexpected("usage of " + original +
                             " arrived while it was being corrected: run it again");
    }
    const auto rated = RateAccount(*request.rates, *month, account, std::move(rows));
    if (!rated) return std::unexpected(rated.error());
    auto invoiced = ReadInvoiced(file, *month, account);
    if (!invoiced) return std::unexpected(invoiced.error());
    const auto lines = Differences(*rated, std::move(*invoiced));
    if (!lines) return std::unexpected(lines.error());
    Invoice invoice = *rated;  // for its account and currency
    invoice.id = InvoiceId(*period, account);
    Amount total;
    for (InvoiceLine line : *lines) {
      line.id = invoice.id + "/correction/" + line.corrects;
      total = Amount(total.value() + line.amount.value());
      AppendLine(request, entry, invoice, line, file);
    }
    count += lines->size();
    AppendSum(request, entry, invoice, "corrections", total, file);
  }
  return count;
}

}  // namespace turnpike
