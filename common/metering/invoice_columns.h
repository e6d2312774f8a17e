// THE table of what an invoice's lines show: a new column is a row here. Scripts lean on names and
// order, as with columns.h.
#pragma once

#include <array>
#include <string>

#include "common/metering/columns.h"
#include "common/metering/rating.h"

namespace turnpike {

// InvoiceRow is a line with the invoice that it stands on.
struct InvoiceRow {
  const Invoice* invoice = nullptr;
  const InvoiceLine* line = nullptr;
};

namespace columns {

// HasBytes says that a line prices usage; other lines have neither quantity nor price.
inline bool HasBytes(const InvoiceLine& line) {
  return line.kind == LineKind::kUsage || line.kind == LineKind::kAllowance;
}
inline std::string Quantity(const InvoiceLine& line) {
  const Int128 bytes{line.bytes};
  return FormatDecimal(line.is_credit ? -bytes : bytes, RateUnitDecimals(line.unit));
}
// Bytes is a count; what a correction takes back is negative.
inline Cell Bytes(const InvoiceLine& line) {
  return line.is_credit ? Cell(-static_cast<int64_t>(line.bytes)) : Cell(line.bytes);
}

template <auto Member>
Cell OfLine(const InvoiceRow& row) {
  return row.line->*Member;
}
// OfUsage is nothing for lines that price no usage.
template <auto Value>
Cell OfUsage(const InvoiceRow& row) {
  return HasBytes(*row.line) ? Cell(Value(*row.line)) : Cell(std::monostate{});
}

}  // namespace columns

// kInvoiceColumns are those of `turnpike usage invoice`.
inline constexpr std::array<Column<InvoiceRow>, 18> kInvoiceColumns = {{
    {"invoice_id", "period and account", InTable::kNo,
     [](const InvoiceRow& row) { return Cell(row.invoice->id); }},
    {"account", "who pays", InTable::kNo,
     [](const InvoiceRow& row) { return Cell(row.invoice->account); }},
    {"period", "the month, UTC", InTable::kNo,
     [](const InvoiceRow& row) { return Cell(row.invoice->period.name); }},
    {"line_id", "what `usage explain` takes", InTable::kYes, columns::OfLine<&InvoiceLine::id>},
    {"kind", "usage, allowance, minimum or rounding", InTable::kNo,
     [](const InvoiceRow& row) { return Cell(std::string(LineKindName(row.line->kind))); }},
    {"region", "where the server stood", InTable::kNo, columns::OfLine<&InvoiceLine::region>},
    {"transport", "between client and server", InTable::kNo,
     columns::OfLine<&InvoiceLine::transport>},
    {"card", "the rate card in force", InTable::kNo, columns::OfLine<&InvoiceLine::card>},
    {"price_id", "card, price and tier", InTable::kNo, columns::OfLine<&InvoiceLine::sku_price_id>},
    {"from", "the line's share of the period begins, UTC", InTable::kNo,
     columns::OfLine<&InvoiceLine::from>},
    {"to", "and the first instant after it", InTable::kNo, columns::OfLine<&InvoiceLine::to>},
    {"bytes", "priced", InTable::kYes,
     columns::OfUsage<[](const InvoiceLine& line) { return columns::Bytes(line); }>},
    {"quantity", "the same in units", InTable::kYes,
     columns::OfUsage<[](const InvoiceLine& line) { return Exact{columns::Quantity(line)}; }>},
    {"unit", "GB is 10^9 bytes, MB 10^6", InTable::kYes,
     columns::OfUsage<[](const InvoiceLine& line) {
       return std::string(RateUnitName(line.unit));
     }>},
    {"unit_price", "of one unit", InTable::kYes,
     columns::OfUsage<[](const InvoiceLine& line) { return Exact{FormatPrice(line.price)}; }>},
    {"amount", "quantity times unit price, not rounded", InTable::kYes,
     [](const InvoiceRow& row) {
       return Cell(Exact{FormatAmount(row.line->amount, row.invoice->decimals)});
     }},
    {"currency", "ISO 4217", InTable::kYes,
     [](const InvoiceRow& row) { return Cell(row.invoice->currency); }},
    {"corrects", "the line of an earlier invoice that this one corrects", InTable::kNo,
     [](const InvoiceRow& row) {
       return row.line->corrects.empty() ? Cell(std::monostate{}) : Cell(row.line->corrects);
     }},
}};

}  // namespace turnpike
