// Invoices by API.
#pragma once

#include "server/api/routes.h"

namespace turnpike {

// FetchInvoice answers GET /2010-04-01/Accounts/{AccountSid}/Invoices/{Month}.html: the account's
// invoice of that month (YYYY-MM, UTC) as a page to print, which says whether the month is closed;
// 404 where no rates are in force.
HttpAnswer FetchInvoice(ApiService& service, const ApiCall& call);

}  // namespace turnpike
