#include "common/metering/invoice_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/log.h"
#include "common/metering/invoice_columns.h"
#include "common/metering/output.h"

namespace turnpike {
namespace {

// WriteRows writes the lines through `writer`.
void WriteRows(const InvoiceDocument& document, RowWriter& writer, const std::string& summary) {
  std::vector<OutputColumn> columns;
  for (const auto& column : kInvoiceColumns) columns.push_back({column.name, column.in_table});
  writer.Begin(document.scope, std::move(columns));
  OutputTotal total;
  total.summary = summary;
  std::vector<Cell> cells;
  for (const InvoiceLine& line : document.invoice.lines) {
    cells.clear();
    for (const auto& column : kInvoiceColumns) {
      cells.push_back(column.value({&document.invoice, &line}));
    }
    writer.Row(cells);
    ++total.rows;
  }
  writer.End(total);
}

void WriteTable(const InvoiceDocument& document, std::ostream& out) {
  const Invoice& invoice = document.invoice;
  out << "invoice " << invoice.id << "\nfrom:   " << EscapeText(document.invoice_issuer)
      << "\nto:     " << EscapeText(invoice.account) << "\nperiod: " << invoice.period.name << '\n';
  std::string cards;
  for (const std::string& card : InvoiceCards(invoice)) cards += (cards.empty() ? "" : ", ") + card;
  out << "rates:  " << (cards.empty() ? "-" : cards) << "\n\n";
  WriteRows(document, *MakeTableWriter(out),
            "total: " + FormatAmount(invoice.total, invoice.decimals) + " " + invoice.currency);
  if (invoice.lines.empty()) {
    out << "total: " << FormatAmount(invoice.total, invoice.decimals) << ' ' << invoice.currency
        << '\n';
  }
}

void WriteJson(const InvoiceDocument& document, std::ostream& out) {
  const Invoice& invoice = document.invoice;
  nlohmann::ordered_json head;
  head["invoice_id"] = invoice.id;
  head["seller"] = document.seller;
  head["invoice_issuer"] = document.invoice_issuer;
  head["account"] = PlainText(invoice.account);
  head["period"] = invoice.period.name;
  head["from"] = FormatRfc3339(invoice.period.from);
  head["to"] = FormatRfc3339(invoice.period.to);
  head["cards"] = InvoiceCards(invoice);
  head["currency"] = invoice.currency;
  head["total"] = FormatAmount(invoice.total, invoice.decimals);
  head["bytes"] = invoice.bytes;
  // One object: the members above, then those that every report has.
  std::string members = head.dump();
  members.pop_back();
  std::ostringstream report;
  WriteRows(document, *MakeJsonWriter(report), {});
  out << members << ", " << report.str().substr(1);
}

}  // namespace

std::expected<InvoiceFormat, std::string> ParseInvoiceFormat(std::string_view name) {
  if (name == "table") return InvoiceFormat::kTable;
  if (name == "csv") return InvoiceFormat::kCsv;
  if (name == "json") return InvoiceFormat::kJson;
  if (name == "html") return InvoiceFormat::kHtml;
  return std::unexpected("unknown format \"" + EscapeText(name) +
                         "\": known are table, csv, json and html");
}

std::vector<std::string> InvoiceCards(const Invoice& invoice) {
  std::vector<std::string> cards;
  for (const InvoiceLine& line : invoice.lines) {
    if (!line.card.empty() && std::ranges::count(cards, line.card) == 0) cards.push_back(line.card);
  }
  return cards;
}

void WriteInvoice(const InvoiceDocument& document, InvoiceFormat format, std::ostream& out) {
  switch (format) {
    case InvoiceFormat::kTable:
      return WriteTable(document, out);
    case InvoiceFormat::kCsv:
      return WriteRows(document, *MakeCsvWriter(out), {});
    case InvoiceFormat::kJson:
      return WriteJson(document, out);
    case InvoiceFormat::kHtml:
      break;
  }
  WriteInvoiceHtml(document, out);
}

}  // namespace turnpike
