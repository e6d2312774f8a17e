// Usage by API: Usage Records and their sub-resources.
#pragma once

#include "server/api/routes.h"

namespace turnpike {

// ListUsage answers GET /2010-04-01/Accounts/{AccountSid}/Usage/Records[/{Period}].json from the
// ledger: one record for each category with usage and each interval of the range, newest first.
HttpAnswer ListUsage(ApiService& service, const ApiCall& call);

// RecordUri returns the path and query of the usage record of that category.
std::string RecordUri(std::string_view account_sid, std::string_view category);

}  // namespace turnpike
