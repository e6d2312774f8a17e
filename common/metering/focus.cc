#include "common/metering/focus.h"

#include <array>
#include <nlohmann/json.hpp>

#include "common/metering/invoice_columns.h"
#include "common/metering/output.h"

namespace turnpike {
namespace {

// FocusRow is a line with all that its columns are made of.
struct FocusRow {
  const RateTable* table;
  const ReportScope* scope;
  const Invoice* invoice;
  const InvoiceLine* line;
};

// Of reads a member that is text.
template <auto Object, auto Member>
Cell Of(const FocusRow& row) {
  return (row.*Object)->*Member;
}

Cell Text(std::string_view text) { return std::string(text); }
Cell Null() { return std::monostate{}; }

Cell Cost(const FocusRow& row) { return Exact{FormatAmount(row.line->amount)}; }

// UnitPrice: a minimum is one charge of its amount.
Cell UnitPrice(const FocusRow& row) {
  if (columns::HasBytes(*row.line)) return Exact{FormatPrice(row.line->price)};
  if (row.line->kind != LineKind::kMinimum) return Null();
  const Int128 amount = row.line->amount.value();
  return Exact{FormatAmount(Amount(amount < 0 ? -amount : amount))};
}

Cell PricingQuantity(const FocusRow& row) {
  if (columns::HasBytes(*row.line)) return Exact{columns::Quantity(*row.line)};
  if (row.line->kind != LineKind::kMinimum) return Null();
  return row.line->amount.value() < 0 ? Cell(int64_t{-1}) : Cell(uint64_t{1});
}

Cell PricingUnit(const FocusRow& row) {
  if (columns::HasBytes(*row.line)) return Text(RateUnitName(row.line->unit));
  return row.line->kind == LineKind::kMinimum ? Text("Months") : Null();
}

Cell ChargeCategory(const FocusRow& row) {
  if (columns::HasBytes(*row.line)) return Text("Usage");
  return Text(row.line->kind == LineKind::kMinimum ? "Purchase" : "Adjustment");
}

Cell ChargeFrequency(const FocusRow& row) {
  if (columns::HasBytes(*row.line)) return Text("Usage-Based");
  return Text(row.line->kind == LineKind::kMinimum ? "Recurring" : "One-Time");
}

// IfUsage is null for lines that price no usage, IfPriced for the rounding alone.
template <auto Value>
Cell IfUsage(const FocusRow& row) {
  return columns::HasBytes(*row.line) ? Value(row) : Null();
}
template <auto Value>
Cell IfPriced(const FocusRow& row) {
  return row.line->kind == LineKind::kRounding ? Null() : Value(row);
}

Cell Region(const FocusRow& row) { return row.line->region; }

Cell Tags(const FocusRow& row) {
  return nlohmann::json({{"transport", PlainText(row.line->transport)}}).dump();
}

struct FocusColumn {
  std::string_view name;
  Cell (*value)(const FocusRow&);
};

// THE table of the export. Scripts lean on names and order: add own columns at the end.
constexpr std::array<FocusColumn, 44> kColumns = {{
    {"BilledCost", Cost},
    {"EffectiveCost", Cost},
    {"ListCost", Cost},
    {"ContractedCost", Cost},
    {"BillingAccountId", Of<&FocusRow::invoice, &Invoice::account>},
    {"BillingAccountName", Of<&FocusRow::invoice, &Invoice::account>},
    {"BillingCurrency", Of<&FocusRow::invoice, &Invoice::currency>},
    {"BillingPeriodStart", [](const FocusRow& row) { return Cell(row.invoice->period.from); }},
    {"BillingPeriodEnd", [](const FocusRow& row) { return Cell(row.invoice->period.to); }},
    {"ChargePeriodStart", Of<&FocusRow::line, &InvoiceLine::from>},
    {"ChargePeriodEnd", Of<&FocusRow::line, &InvoiceLine::to>},
    {"ChargeCategory", ChargeCategory},
    {"ChargeClass",
     [](const FocusRow& row) { return row.line->corrects.empty() ? Null() : Text("Correction"); }},
    {"ChargeDescription", [](const FocusRow& row) { return Cell(DescribeLine(*row.line)); }},
    {"ChargeFrequency", ChargeFrequency},
    {"ConsumedQuantity", IfUsage<[](const FocusRow& row) { return columns::Bytes(*row.line); }>},
    {"ConsumedUnit", IfUsage<[](const FocusRow&) { return Text("B"); }>},
    {"PricingQuantity", PricingQuantity},
    {"PricingUnit", PricingUnit},
    {"PricingCategory", IfPriced<[](const FocusRow&) { return Text("Standard"); }>},
    {"ListUnitPrice", UnitPrice},
    {"ContractedUnitPrice", UnitPrice},
    {"InvoiceId", Of<&FocusRow::invoice, &Invoice::id>},
    {"InvoiceIssuerName", Of<&FocusRow::table, &RateTable::invoice_issuer>},
    {"ProviderName", Of<&FocusRow::table, &RateTable::seller>},
    {"PublisherName", Of<&FocusRow::table, &RateTable::publisher>},
    {"RegionId", IfUsage<Region>},
    {"RegionName", IfUsage<Region>},
    {"ServiceCategory", [](const FocusRow&) { return Text("Networking"); }},
    {"ServiceName", [](const FocusRow&) { return Text("TURN Relay"); }},
    {"SkuId", IfPriced<[](const FocusRow& row) {
       return Text(columns::HasBytes(*row.line) ? "data-transfer" : "minimum-charge");
     }>},
    {"SkuMeter", IfUsage<[](const FocusRow&) { return Text("Data Transfer"); }>},
    {"SkuPriceId", IfPriced<[](const FocusRow& row) { return Cell(row.line->sku_price_id); }>},
    {"SubAccountId", Of<&FocusRow::invoice, &Invoice::account>},
    {"SubAccountName", Of<&FocusRow::invoice, &Invoice::account>},
    {"Tags", IfUsage<Tags>},
    {"x_LineId", Of<&FocusRow::line, &InvoiceLine::id>},
    {"x_LineKind", [](const FocusRow& row) { return Text(LineKindName(row.line->kind)); }},
    {"x_Transport", IfUsage<[](const FocusRow& row) { return Cell(row.line->transport); }>},
    {"x_RateCard", Of<&FocusRow::line, &InvoiceLine::card>},
    {"x_Tier", IfUsage<[](const FocusRow& row) { return Cell(uint64_t{row.line->tier}); }>},
    {"x_AsOf", [](const FocusRow& row) { return Cell(row.scope->as_of); }},
    {"x_Complete",
     [](const FocusRow& row) { return Text(row.scope->complete ? "true" : "false"); }},
    {"x_Corrects",
     [](const FocusRow& row) {
       return row.line->corrects.empty() ? Null() : Text(row.line->corrects);
     }},
}};

}  // namespace

void WriteFocus(const RateTable& table, const ReportScope& scope, std::span<const Invoice> invoices,
                std::ostream& out) {
  const auto writer = MakePlainCsvWriter(out);
  std::vector<OutputColumn> header;
  for (const FocusColumn& column : kColumns) header.push_back({column.name, InTable::kYes});
  writer->Begin(scope, std::move(header));
  std::vector<Cell> cells;
  for (const Invoice& invoice : invoices) {
    for (const InvoiceLine& line : invoice.lines) {
      cells.clear();
      for (const FocusColumn& column : kColumns) {
        cells.push_back(column.value({&table, &scope, &invoice, &line}));
      }
      writer->Row(cells);
    }
  }
  writer->End({});
}

}  // namespace turnpike
