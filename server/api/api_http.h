// The HTTP endpoint of account holders.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "common/net/transport_address.h"
#include "server/api/service.h"
#include "server/http/http_server.h"

namespace turnpike {

// StartApiHttp answers the routes of routes.h and the pages of pages.h. `service` is not owned and
// outlives the server. It fails as HttpServer::Start does.
std::expected<std::unique_ptr<HttpServer>, std::string> StartApiHttp(
    const TransportAddress& address, ApiService& service);

}  // namespace turnpike
