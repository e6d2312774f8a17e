#include "server/api/invoices.h"

#include <sstream>
#include <string>
#include <utility>

#include "common/base/log.h"
#include "common/metering/invoice_output.h"
#include "common/metering/invoices.h"
#include "server/api/access.h"
#include "server/api/errors.h"

namespace turnpike {

HttpAnswer FetchInvoice(ApiService& service, const ApiCall& call) {
  const auto account = AuthorizeAccount(service, call.request, call.ids[0]);
  if (!account) return account.error();
  const auto month = ParseBillingPeriod(call.ids[1]);
  if (!month) return InvalidParameter("the month is written YYYY-MM");
  const auto settings = service.settings();
  if (!settings->rates) return ErrorAnswer(ErrorCode::kNotFound, "this server has no rates");
  if (month->from > service.now().wall) {
    return ErrorAnswer(ErrorCode::kNotFound, "the month has not begun");
  }
  const ReadingTurn turn = service.TakeReadingTurn();
  if (turn == nullptr) {
    return ErrorAnswer(ErrorCode::kUnavailable, "too many requests read usage; try again soon");
  }
  auto set = ReadInvoices(service.ledger(), *settings->rates, *month, account->account,
                          UnknownAccount::kNoUsage);
  if (!set && CheckCoverage(*settings->rates, month->from, month->to)) {
    return ErrorAnswer(ErrorCode::kNotFound, "this server has no rates for all of that month");
  }
  if (!set) {
    Log(LogLevel::kError, "api_invoice_failed", {{"error", set.error()}});
    return ErrorAnswer(ErrorCode::kInternal, "the invoice cannot be made");
  }
  std::ostringstream page;
  WriteInvoiceHtml({settings->rates->seller, settings->rates->invoice_issuer, set->scope,
                    std::move(set->invoices.front())},
                   page);
  return {.content_type = "text/html; charset=utf-8",
          .body = std::move(page).str(),
          .headers = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"};
}

}  // namespace turnpike
