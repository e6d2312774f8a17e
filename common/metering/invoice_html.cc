// The page to print: plain HTML with its style inside.
#include "common/base/log.h"
#include "common/metering/invoice_columns.h"
#include "common/metering/invoice_output.h"

namespace turnpike {
namespace {

constexpr std::string_view kHead = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 11pt/1.45 system-ui, sans-serif; color: #1b1f24; margin: 2.5rem auto; max-width: 62rem;
  padding: 0 1.5rem; }
header { display: flex; justify-content: space-between; gap: 2rem; flex-wrap: wrap;
  border-bottom: 2px solid #1b1f24; padding-bottom: 1rem; }
h1 { font-size: 1.7rem; margin: 0; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1.2rem; margin: 0; }
dt { color: #59626d; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0; }
.n { font-variant-numeric: tabular-nums; }
th { text-align: left; color: #59626d; font-weight: 600; border-bottom: 1px solid #9aa4af; }
th, td { padding: .4rem .5rem; vertical-align: top; }
tbody tr { border-bottom: 1px solid #e3e7eb; break-inside: avoid; }
.n { text-align: right; white-space: nowrap; }
.id { display: block; color: #59626d; font-size: .8em; overflow-wrap: anywhere; }
tfoot td { font-weight: 700; font-size: 1.15em; border-top: 2px solid #1b1f24; }
.note { color: #59626d; font-size: .85em; }
.warn { border: 1px solid #b25e00; background: #fff6e8; padding: .5rem .8rem; }
@media print { body { margin: 0; max-width: none; } @page { margin: 18mm; } }
</style>
)html";

// Escaped makes a name from outside harmless: first for people, then for HTML.
std::string Escaped(std::string_view name) {
  std::string html;
  for (const char c : EscapeText(name)) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

// Day renders an instant of a period, most often midnight.
std::string Day(WallTime time) {
  const std::string text = FormatRfc3339(time);
  return text.ends_with("T00:00:00Z") ? text.substr(0, 10) : text;
}

// Description adds the line's share of its month, the invoice's or the corrected one, where that is
// not all of it.
std::string Description(const InvoiceLine& line) {
  std::string text = Escaped(DescribeLine(line));
  const BillingPeriod month = BillingPeriodOf(line.from);
  if (line.from == month.from && line.to == month.to) return text;
  return text + " (from " + Day(line.from) + ", before " + Day(line.to) + ")";
}

void WriteFact(std::ostream& out, std::string_view name, const std::string& html) {
  out << "<dt>" << name << "</dt><dd>" << html << "</dd>\n";
}

void WriteHeader(const InvoiceDocument& document, std::ostream& out) {
  const Invoice& invoice = document.invoice;
  out << "<title>Invoice " << Escaped(invoice.id)
      << "</title>\n</head>\n<body>\n<header>\n<div><h1>"
      << "Invoice</h1><div>" << Escaped(invoice.id) << "</div></div>\n<dl>\n";
  WriteFact(out, "From", Escaped(document.invoice_issuer));
  if (document.seller != document.invoice_issuer) {
    WriteFact(out, "Seller", Escaped(document.seller));
  }
  WriteFact(out, "To", Escaped(invoice.account));
  WriteFact(
      out, "Period",
      Day(invoice.period.from) + " to " + Day(invoice.period.to - std::chrono::days(1)) + " (UTC)");
  std::string cards;
  for (const std::string& card : InvoiceCards(invoice)) {
    cards += (cards.empty() ? "" : ", ") + Escaped(card);
  }
  WriteFact(out, "Rates", cards.empty() ? "none used" : cards);
  WriteFact(out, "Usage as of", FormatRfc3339(document.scope.as_of));
  WriteFact(out, "Complete", document.scope.complete ? "yes" : "no");
  out << "</dl>\n</header>\n";
  if (document.scope.complete) return;
  out << "<p class=\"warn\">Not complete: usage may still be added to this period.</p>\n";
}

void WriteLine(const InvoiceLine& line, const Invoice& invoice, std::ostream& out) {
  const bool has_bytes = columns::HasBytes(line);
  out << "<tr><td>" << Description(line) << "<span class=\"id\">" << Escaped(line.id)
      << "</span></td><td class=\"n\">";
  if (has_bytes) out << columns::Quantity(line) << ' ' << RateUnitName(line.unit);
  out << "</td><td class=\"n\">";
  if (has_bytes) out << FormatPrice(line.price) << " / " << RateUnitName(line.unit);
  out << "</td><td class=\"n\">" << FormatAmount(line.amount, invoice.decimals) << "</td></tr>\n";
}

}  // namespace

void WriteInvoiceHtml(const InvoiceDocument& document, std::ostream& out) {
  const Invoice& invoice = document.invoice;
  out << kHead;
  WriteHeader(document, out);
  out << "<table>\n<thead><tr><th>Description</th><th class=\"n\">Quantity</th>"
      << "<th class=\"n\">Unit price</th><th class=\"n\">Amount (" << invoice.currency
      << ")</th></tr></thead>\n<tbody>\n";
  for (const InvoiceLine& line : invoice.lines) WriteLine(line, invoice, out);
  if (invoice.lines.empty()) out << "<tr><td colspan=\"4\">No usage in this period.</td></tr>\n";
  out << "</tbody>\n<tfoot><tr><td colspan=\"3\">Total</td><td class=\"n\">"
      << FormatAmount(invoice.total, invoice.decimals) << ' ' << invoice.currency
      << "</td></tr></tfoot>\n</table>\n<p class=\"note\">Lines are exact: quantity times unit "
      << "price. The total is their sum, rounded once, half to even. Quantities are counts of "
      << "bytes: 1 GB is 10<sup>9</sup> bytes, 1 MB 10<sup>6</sup>.</p>\n</body>\n</html>\n";
}

}  // namespace turnpike
