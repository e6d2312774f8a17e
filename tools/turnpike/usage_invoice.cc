// `turnpike usage invoice` and `turnpike usage explain`.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "common/base/log.h"
#include "common/metering/explain.h"
#include "common/metering/invoice_output.h"
#include "common/metering/invoices.h"
#include "common/metering/output.h"
#include "common/metering/usage_rows.h"
#include "tools/turnpike/usage_commands.h"
#include "tools/turnpike/usage_common.h"

namespace turnpike {
namespace {

struct InvoiceOptions {
  std::string ledger;
  std::string rates;
  std::string period;
  std::string account;
  std::string format = "table";
  std::string line_id;
};

// Rated is an invoice with the rates that made it.
struct Rated {
  RateTable table;
  InvoiceDocument document;
};

// RateOrComplain prices the usage of `account` in `period`, or says why not and returns nullopt.
std::optional<Rated> RateOrComplain(const InvoiceOptions& options, const BillingPeriod& period,
                                    const std::string& account) {
  auto table = LoadRatesOrPrintProblems(options.rates, config::RatedTime{period.from, period.to});
  if (!table) return std::nullopt;
  auto usage = ReadUsageRows(options.ledger, {period.from, period.to}, account);
  if (!usage) return Complain(usage.error()), std::nullopt;
  auto invoice = RateAccount(*table, period, account, std::move(usage->accounts[account]));
  if (!invoice) return Complain(invoice.error()), std::nullopt;
  Rated rated;
  rated.document = {table->seller, table->invoice_issuer, usage->scope, *std::move(invoice)};
  rated.table = *std::move(table);
  return rated;
}

int RunInvoice(const InvoiceOptions& options) {
  const auto period = ParseBillingPeriod(options.period);
  if (!period) return Complain("--period: " + period.error());
  const auto format = ParseInvoiceFormat(options.format);
  if (!format) return Complain("--format: " + format.error());
  const auto table =
      LoadRatesOrPrintProblems(options.rates, config::RatedTime{period->from, period->to});
  if (!table) return 1;
  auto set = ReadInvoices(options.ledger, *table, *period, options.account);
  if (!set) return Complain(set.error());
  WarnOfBooks(options.ledger, *period, set->frozen);
  WriteInvoice({table->seller, table->invoice_issuer, set->scope, std::move(set->invoices.front())},
               *format, std::cout);
  return Finish();
}

// Explained is a session with those of its bytes that the line's card prices.
struct Explained {
  const SessionRow* session = nullptr;
  uint64_t bytes = 0;
};

constexpr std::array<Column<Explained>, 9> kExplainColumns = {{
    {"session_id", "UUIDv7", InTable::kYes,
     [](const Explained& row) { return Cell(FormatSessionId(row.session->id)); }},
    {"node", "the server that ran it", InTable::kYes,
     [](const Explained& row) { return Cell(row.session->node); }},
    {"edge", "the site of that server", InTable::kNo,
     [](const Explained& row) { return Cell(row.session->edge); }},
    {"username", "who authenticated", InTable::kYes,
     [](const Explained& row) { return Cell(row.session->username); }},
    {"label", "tells one use of an account from another", InTable::kYes,
     [](const Explained& row) { return Cell(row.session->label); }},
    {"client_address", "as the server sees it", InTable::kNo,
     [](const Explained& row) { return Cell(row.session->client_address); }},
    {"started_at", "UTC", InTable::kYes,
     [](const Explained& row) { return Cell(row.session->started_at); }},
    {"ended_at", "UTC", InTable::kYes,
     [](const Explained& row) { return columns::EndedAt(*row.session); }},
    {"bytes", "that the card prices, in the line's region, transport and share of the period",
     InTable::kYes, [](const Explained& row) { return Cell(row.bytes); }},
}};

// Summary says how the sessions' bytes make the line's.
std::string Summary(const Slice& slice, const InvoiceLine& line, uint64_t sum) {
  std::string text = "sessions: " + std::to_string(sum) + " bytes\n";
  for (const InvoiceLine* other : slice.lines) {
    text += (other == &line ? "this line: " : "other line: ") + std::to_string(other->bytes) +
            " bytes, " + other->id + "\n";
  }
  if (sum == slice.bytes) {
    return text + (slice.lines.size() == 1 ? "the sessions add up to the line"
                                           : "the sessions add up to these lines");
  }
  if (sum > slice.bytes) {
    return text + "DIFFERENCE: " + std::to_string(sum - slice.bytes) +
           " bytes of sessions are in no line: run `turnpike usage verify`";
  }
  return text + "DIFFERENCE: " + std::to_string(slice.bytes - sum) +
         " bytes are of sessions that the ledger does not keep any more";
}

// Explainable returns the line whose sessions are to be shown: a correction's are those of the line
// that it corrects, with what came late.
std::string Explainable(const std::string& line_id) {
  constexpr std::string_view kMark = "/correction/";
  const size_t mark = line_id.find(kMark);
  if (mark == std::string::npos) return line_id;
  std::string corrected = line_id.substr(mark + kMark.size());
  std::cerr << "turnpike: " << EscapeText(line_id) << " is what came late to "
            << EscapeText(corrected) << ", whose sessions these are\n";
  return corrected;
}

int RunExplain(InvoiceOptions options) {
  options.line_id = Explainable(options.line_id);
  const auto owner = ParseLineId(options.line_id);
  if (!owner) return Complain(owner.error());
  const auto format = ParseReportFormat(options.format);
  if (!format) return Complain("--format: " + format.error());
  const auto rated = RateOrComplain(options, owner->period, owner->account);
  if (!rated) return 1;
  const Invoice& invoice = rated->document.invoice;
  const auto line = std::ranges::find(invoice.lines, options.line_id, &InvoiceLine::id);
  if (line == invoice.lines.end()) {
    return Complain("the invoice " + invoice.id + " has no line " + EscapeText(options.line_id) +
                    "; `turnpike usage invoice` prints its lines");
  }
  if (line->kind == LineKind::kMinimum || line->kind == LineKind::kRounding) {
    return Complain(line->id + " is a line of the whole invoice, and no session's");
  }
  const auto writer = MakeRowWriter(*format, std::cout);
  std::vector<OutputColumn> columns;
  for (const auto& column : kExplainColumns) columns.push_back({column.name, column.in_table});
  ReportScope scope = rated->document.scope;
  scope.period = {line->from, line->to};
  writer->Begin(scope, std::move(columns));
  OutputTotal total;
  std::vector<Cell> cells;
  const auto visited = VisitSlice(options.ledger, rated->table, invoice, *line,
                                  [&](const SessionRow& session, uint64_t bytes) {
                                    cells.clear();
                                    for (const auto& column : kExplainColumns)
                                      cells.push_back(column.value({&session, bytes}));
                                    writer->Row(cells);
                                    ++total.rows;
                                    total.billable_bytes += bytes;
                                    return std::cout.good();
                                  });
  if (!visited) return Complain(visited.error());
  const Slice slice = SliceOf(invoice, *line);
  total.summary = Summary(slice, *line, total.billable_bytes);
  writer->End(total);
  if (*format != ReportFormat::kTable || total.rows == 0) std::cerr << total.summary << "\n";
  const int finished = Finish();
  return total.billable_bytes == slice.bytes ? finished : 1;
}

}  // namespace

void AddInvoiceCommands(CLI::App& usage, int* exit_status) {
  const auto options = std::make_shared<InvoiceOptions>();
  CLI::App* const invoice =
      usage.add_subcommand("invoice", "What an account pays for a month, line by line");
  AddLedgerOption(*invoice, options->ledger);
  AddRatesOption(*invoice, options->rates);
  AddPeriodOption(*invoice, options->period);
  invoice->add_option("--account", options->account, "Who pays")->required();
  invoice->add_option("--format", options->format, "table, csv, json, or html to print")
      ->type_name("FORMAT")
      ->capture_default_str();
  invoice->callback([options, exit_status] { *exit_status = RunInvoice(*options); });

  CLI::App* const explain =
      usage.add_subcommand("explain", "The sessions that an invoice's line is made of");
  explain->add_option("LINE_ID", options->line_id, "As `usage invoice` prints it")->required();
  AddLedgerOption(*explain, options->ledger);
  AddRatesOption(*explain, options->rates);
  explain->add_option("--format", options->format, "table, csv, json or jsonl")
      ->type_name("FORMAT")
      ->capture_default_str();
  explain->callback([options, exit_status] { *exit_status = RunExplain(*options); });
}

}  // namespace turnpike
