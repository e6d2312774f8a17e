// Writers of invoices: a table for people, CSV and JSON for programs, and a page to print.
#pragma once

#include <cstdint>
#include <expected>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/rating.h"
#include "common/metering/report.h"

namespace turnpike {

enum class InvoiceFormat : uint8_t { kTable, kCsv, kJson, kHtml };

// ParseInvoiceFormat reads `table`, `csv`, `json` or `html`. It fails with a sentence.
std::expected<InvoiceFormat, std::string> ParseInvoiceFormat(std::string_view name);

// InvoiceDocument is an invoice with what stands around it.
struct InvoiceDocument {
  std::string seller;
  std::string invoice_issuer;
  ReportScope scope;
  Invoice invoice;
};

// WriteInvoice writes `document` in `format`. Its errors stay in the stream's state.
void WriteInvoice(const InvoiceDocument& document, InvoiceFormat format, std::ostream& out);

// WriteInvoiceHtml writes one page that needs nothing beside itself: no script, font or picture
// from elsewhere. Names from outside are escaped.
void WriteInvoiceHtml(const InvoiceDocument& document, std::ostream& out);

// InvoiceCards lists the rate cards that an invoice's lines name, in their order.
std::vector<std::string> InvoiceCards(const Invoice& invoice);

}  // namespace turnpike
