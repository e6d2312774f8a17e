// Handlers of the JSON API that see and end sessions.
#pragma once

#include "server/ops/api_routes.h"

namespace turnpike {

// ListSessions answers GET /v1/sessions: filters and order from the query.
ApiAnswer ListSessions(AdminActions& actions, const ApiRequest& request, std::string_view id);

// KillSession answers DELETE /v1/sessions/{id}.
ApiAnswer KillSession(AdminActions& actions, const ApiRequest& request, std::string_view id);

// RevokeCredentials answers POST /v1/credentials/revoke.
ApiAnswer RevokeCredentials(AdminActions& actions, const ApiRequest& request, std::string_view id);

// ApiError makes the answer to a request that cannot be served: `{"error": sentence}`.
ApiAnswer ApiError(int status, std::string_view sentence);

}  // namespace turnpike
