#include "common/metering/billing_invoices.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/metering/money.h"
#include "common/metering/output.h"
#include "common/metering/rating.h"
#include "common/metering/usage_rows.h"

namespace turnpike {
namespace {

// Line renders a line with every figure that made its amount; decimals are text, so that no reader
// of JSON rounds them.
nlohmann::json Line(const Invoice& invoice, const InvoiceLine& line) {
  nlohmann::json json = {{"line_id", PlainText(line.id)},
                         {"kind", LineKindName(line.kind)},
                         {"amount", FormatAmount(line.amount, invoice.decimals)},
                         {"currency", invoice.currency},
                         {"price_id", PlainText(line.sku_price_id)},
                         {"from", FormatRfc3339(line.from)},
                         {"to", FormatRfc3339(line.to)}};
  if (!line.card.empty()) json["card"] = PlainText(line.card);
  if (line.kind == LineKind::kUsage || line.kind == LineKind::kAllowance) {
    json["bytes"] = line.bytes;
    json["unit"] = RateUnitName(line.unit);
    json["unit_price"] = FormatPrice(line.price);
  }
  return json;
}

// Append writes one invoice: its lines, then its total, under the hash of the rates.
void Append(const BillingRequest& request, const BillingEntry& close, const Invoice& invoice,
            BillingFile& file) {
  BillingEntry entry = close;
  entry.kind = EntryKind::kInvoice;
  entry.account = invoice.account;
  const auto append = [&](nlohmann::json detail) {
    detail["invoice_id"] = PlainText(invoice.id);
    detail["rates_sha256"] = request.rates_hash;
    entry.detail = detail.dump();
    file.Append(entry);
  };
  for (const InvoiceLine& line : invoice.lines) {
    entry.region = line.region;
    entry.transport = line.transport;
    append(Line(invoice, line));
  }
  entry.region.clear();
  entry.transport.clear();
  append({{"kind", "total"},
          {"bytes", invoice.bytes},
          {"amount", FormatAmount(invoice.total, invoice.decimals)},
          {"currency", invoice.currency}});
}

}  // namespace

std::expected<uint64_t, std::string> FreezeInvoices(const BillingRequest& request,
                                                    const BillingEntry& close,
                                                    const std::map<std::string, int64_t>& billable,
                                                    BillingFile& file) {
  const auto period = ParseBillingPeriod(close.period);
  if (!period) return std::unexpected(period.error());
  auto usage = ReadUsageRows(request.ledger, {period->from, period->to}, std::nullopt);
  if (!usage) return std::unexpected(usage.error());
  uint64_t invoices = 0;
  for (auto& [account, rows] : usage->accounts) {
    uint64_t sum = 0;
    for (const UsageRow& row : rows) sum += row.totals.billable_bytes();
    const auto frozen = billable.find(account);
    // The rows are of a second look at the ledger.
    if (frozen == billable.end() || static_cast<uint64_t>(frozen->second) != sum) {
      return std::unexpected("usage of " + close.period +
                             " arrived while it was being closed: "
                             "run it again");
    }
    const auto invoice = RateAccount(*request.rates, *period, account, std::move(rows));
    if (!invoice) {
      return std::unexpected("cannot rate account " + EscapeText(account) + ": " + invoice.error());
    }
    Append(request, close, *invoice, file);
    ++invoices;
  }
  return invoices;
}

}  // namespace turnpike
