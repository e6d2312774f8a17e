// The operators' HTTP endpoint: metrics, health and the JSON API.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "common/net/transport_address.h"
#include "server/http/http_server.h"
#include "server/ops/admin_actions.h"
#include "server/ops/metrics_source.h"

namespace turnpike {

// StartAdminHttp answers GET and HEAD on `/metrics`, `/livez`, `/readyz` and `/`, and the JSON API
// of api_routes.h below `/v1/`; everything else is a 404 or a 405. Only the API asks for a token:
// the address belongs to a private network, loopback by default.
//
// `/livez` is 200 as long as the process answers. `/readyz` is 200 when the server takes new
// allocations, else 503 with the reason.
//
// `source` and `actions` are not owned, outlive the server, and are called from two threads. It
// fails as HttpServer::Start does.
std::expected<std::unique_ptr<HttpServer>, std::string> StartAdminHttp(
    const TransportAddress& address, const MetricsSource& source, AdminActions& actions);

}  // namespace turnpike
