#include "common/metering/billing_invoices.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/log.h"
#include "common/metering/invoice_columns.h"
#include "common/metering/money.h"
#include "common/metering/output.h"
#include "common/metering/usage_rows.h"

namespace turnpike {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTotal = "total";
constexpr std::string_view kCorrections = "corrections";

// ToJson renders a line with every figure that made its amount; decimals are text, so that no
// reader of JSON rounds them.
Json ToJson(const Invoice& invoice, const InvoiceLine& line) {
  Json json = {{"line_id", PlainText(line.id)},
               {"kind", LineKindName(line.kind)},
               {"amount", FormatAmount(line.amount, invoice.decimals)},
               {"currency", invoice.currency},
               {"price_id", PlainText(line.sku_price_id)},
               {"from", FormatRfc3339(line.from)},
               {"to", FormatRfc3339(line.to)}};
  if (!line.card.empty()) json["card"] = PlainText(line.card);
  if (!line.corrects.empty()) json["corrects"] = PlainText(line.corrects);
  if (columns::HasBytes(line)) {
    json["bytes"] =
        line.is_credit ? -static_cast<int64_t>(line.bytes) : static_cast<int64_t>(line.bytes);
    json["unit"] = RateUnitName(line.unit);
    json["unit_price"] = FormatPrice(line.price);
    json["rule"] = PlainText(line.rule);
    json["tier"] = line.tier;
  }
  return json;
}

// Detail reads what ToJson wrote. It keeps the first thing that is not as expected.
class Detail {
 public:
  explicit Detail(const std::string& text) : json_(Json::parse(text, nullptr, false)) {
    if (!json_.is_object()) error_ = "no object";
  }

  const std::string& error() const { return error_; }

  std::string Text(const char* name) {
    const auto found = json_.find(name);
    if (found != json_.end() && found->is_string()) return *found->get_ptr<const std::string*>();
    return Bad(name), "";
  }
  std::string TextOrNone(const char* name) { return json_.contains(name) ? Text(name) : ""; }
  int64_t Whole(const char* name) {
    const auto found = json_.find(name);
    if (found != json_.end() && found->is_number_integer()) return found->get<int64_t>();
    return Bad(name), 0;
  }
  Int128 Decimal(const char* name, int decimals) {
    const auto value = ParseDecimal(Text(name), decimals);
    if (!value) Bad(name);
    return value.value_or(0);
  }
  WallTime Time(const char* name) {
    const auto time = ParseDate(Text(name));
    if (!time) Bad(name);
    return time.value_or(WallTime());
  }
  LineKind Kind() {
    const std::string name = Text("kind");
    for (const LineKind kind :
         {LineKind::kUsage, LineKind::kAllowance, LineKind::kMinimum, LineKind::kRounding}) {
      if (name == LineKindName(kind)) return kind;
    }
    return Bad("kind"), LineKind::kRounding;
  }
  bool Has(const char* name) const { return json_.contains(name); }

 private:
  void Bad(const char* name) {
    if (error_.empty()) error_ = name;
  }

  Json json_;
  std::string error_;
};

// ReadLine is the inverse of ToJson.
InvoiceLine ReadLine(const BillingEntry& entry, Detail& detail) {
  InvoiceLine line;
  line.id = detail.Text("line_id");
  line.kind = detail.Kind();
  line.region = entry.region;
  line.transport = entry.transport;
  line.amount = Amount(detail.Decimal("amount", kAmountDecimals));
  line.sku_price_id = detail.Text("price_id");
  line.from = detail.Time("from");
  line.to = detail.Time("to");
  line.card = detail.TextOrNone("card");
  line.corrects = detail.TextOrNone("corrects");
  if (!columns::HasBytes(line)) return line;
  const int64_t bytes = detail.Whole("bytes");
  line.is_credit = bytes < 0;
  line.bytes = static_cast<uint64_t>(bytes < 0 ? -bytes : bytes);
  line.unit = detail.Text("unit") == RateUnitName(RateUnit::kMb) ? RateUnit::kMb : RateUnit::kGb;
  line.price = Price(static_cast<int64_t>(detail.Decimal("unit_price", kPriceDecimals)));
  line.rule = detail.TextOrNone("rule");
  line.tier = detail.Has("tier") ? static_cast<uint32_t>(detail.Whole("tier")) : 0;
  return line;
}

// VisitInvoices calls `visit` with every entry of an invoice and its detail.
std::expected<void, std::string> VisitInvoices(
    BillingFile& file, const std::function<void(const BillingEntry&, Detail&)>& visit) {
  std::string error;
  file.Walk([&](const BillingEntry& entry) {
    if (entry.kind != EntryKind::kInvoice) return true;
    Detail detail(entry.detail);
    if (detail.error().empty()) visit(entry, detail);
    if (!detail.error().empty()) {
      error = file.database().path() + ": entry " + std::to_string(entry.number) +
              " does not hold the line of an invoice: " + detail.error() +
              " is not as it should be";
    }
    return error.empty();
  });
  if (!error.empty()) return std::unexpected(error);
  if (!file.database().ok()) return std::unexpected("cannot read " + file.database().error());
  return {};
}

// IsSum says that an entry ends lines and is none.
bool IsSum(Detail& detail) {
  const std::string kind = detail.Text("kind");
  return kind == kTotal || kind == kCorrections;
}

void AddStored(const BillingEntry& entry, Detail& detail, const BillingPeriod& period,
               StoredInvoices& stored) {
  if (!entry.original_period.empty()) {
    if (IsSum(detail)) return;
    stored.corrections[entry.account].push_back(ReadLine(entry, detail));
    return;
  }
  Invoice& invoice = stored.invoices[entry.account];
  invoice.id = detail.Text("invoice_id");
  invoice.account = entry.account;
  invoice.period = period;
  invoice.currency = detail.Text("currency");
  invoice.decimals = CurrencyDecimals(invoice.currency).value_or(2);
  if (!IsSum(detail)) {
    invoice.lines.push_back(ReadLine(entry, detail));
    return;
  }
  invoice.bytes = static_cast<uint64_t>(detail.Whole("bytes"));
  invoice.total = Amount(detail.Decimal("amount", kAmountDecimals));
}

}  // namespace

void AddToLine(InvoiceLine& line, const InvoiceLine& more, int sign) {
  const auto signed_bytes = [](const InvoiceLine& each) {
    const Int128 bytes{each.bytes};
    return each.is_credit ? -bytes : bytes;
  };
  const Int128 bytes = signed_bytes(line) + sign * signed_bytes(more);
  line.is_credit = bytes < 0;
  line.bytes = static_cast<uint64_t>(bytes < 0 ? -bytes : bytes);
  line.amount = Amount(line.amount.value() + sign * more.amount.value());
}

void AppendLine(const BillingRequest& request, BillingEntry base, const Invoice& invoice,
                const InvoiceLine& line, BillingFile& file) {
  base.kind = EntryKind::kInvoice;
  base.account = invoice.account;
  base.region = line.region;
  base.transport = line.transport;
  Json detail = ToJson(invoice, line);
  detail["invoice_id"] = PlainText(invoice.id);
  detail["rates_sha256"] = request.rates_hash;
  base.detail = detail.dump();
  file.Append(std::move(base));
}

void AppendSum(const BillingRequest& request, BillingEntry base, const Invoice& invoice,
               std::string_view kind, Amount amount, BillingFile& file) {
  base.kind = EntryKind::kInvoice;
  base.account = invoice.account;
  base.detail = Json{{"kind", kind},
                     {"bytes", invoice.bytes},
                     {"amount", FormatAmount(amount, invoice.decimals)},
                     {"currency", invoice.currency},
                     {"invoice_id", PlainText(invoice.id)},
                     {"rates_sha256", request.rates_hash}}
                    .dump();
  file.Append(std::move(base));
}

std::expected<uint64_t, std::string> FreezeInvoices(const BillingRequest& request,
                                                    const BillingEntry& base,
                                                    const std::map<std::string, int64_t>& billable,
                                                    BillingFile& file) {
  const auto period = ParseBillingPeriod(base.period);
  if (!period) return std::unexpected(period.error());
  auto usage = ReadUsageRows(request.ledger, {period->from, period->to}, std::nullopt);
  if (!usage) return std::unexpected(usage.error());
  auto stored = ReadStoredInvoices(file, *period);
  if (!stored) return std::unexpected(stored.error());
  for (const auto& [account, lines] : stored->corrections) usage->accounts[account];
  uint64_t invoices = 0;
  for (auto& [account, rows] : usage->accounts) {
    uint64_t sum = 0;
    for (const UsageRow& row : rows) sum += row.totals.billable_bytes();
    const auto frozen = billable.find(account);
    // The rows are of a second look at the ledger.
    if (static_cast<uint64_t>(frozen == billable.end() ? 0 : frozen->second) != sum) {
      return std::unexpected("usage of " + base.period +
                             " arrived while it was being closed: run it again");
    }
    const auto own = RateAccount(*request.rates, *period, account, std::move(rows));
    if (!own) {
      return std::unexpected("cannot rate account " + EscapeText(account) + ": " + own.error());
    }
    const auto invoice = AddCorrections(*own, stored->corrections[account]);
    if (!invoice) return std::unexpected(invoice.error());
    for (const InvoiceLine& line : invoice->lines) {
      if (line.corrects.empty()) AppendLine(request, base, *invoice, line, file);
    }
    AppendSum(request, base, *invoice, kTotal, invoice->total, file);
    ++invoices;
  }
  return invoices;
}

std::expected<StoredInvoices, std::string> ReadStoredInvoices(BillingFile& file,
                                                              const BillingPeriod& period) {
  StoredInvoices stored;
  auto read = VisitInvoices(file, [&](const BillingEntry& entry, Detail& detail) {
    if (entry.period == period.name) AddStored(entry, detail, period, stored);
  });
  if (!read) return std::unexpected(read.error());
  // Corrections stand before the rounding.
  for (auto& [account, invoice] : stored.invoices) {
    const auto found = stored.corrections.find(account);
    if (found == stored.corrections.end()) continue;
    auto place = invoice.lines.end();
    if (!invoice.lines.empty() && invoice.lines.back().kind == LineKind::kRounding) --place;
    invoice.lines.insert(place, found->second.begin(), found->second.end());
  }
  return stored;
}

std::expected<std::map<std::string, InvoiceLine>, std::string> ReadInvoiced(
    BillingFile& file, const BillingPeriod& period, const std::string& account) {
  std::map<std::string, InvoiceLine> lines;
  const auto read = VisitInvoices(file, [&](const BillingEntry& entry, Detail& detail) {
    const bool is_own = entry.original_period.empty() && entry.period == period.name;
    if (entry.account != account || (!is_own && entry.original_period != period.name)) return;
    if (IsSum(detail)) return;
    InvoiceLine line = ReadLine(entry, detail);
    if (line.kind == LineKind::kRounding) return;
    if (!is_own) line.id = std::exchange(line.corrects, "");
    const auto [sum, is_first] = lines.try_emplace(line.id, line);
    if (!is_first) AddToLine(sum->second, line);
  });
  if (!read) return std::unexpected(read.error());
  return lines;
}

}  // namespace turnpike
