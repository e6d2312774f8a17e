// Who a request is from, and whether it may go on.
#pragma once

#include <expected>
#include <string_view>

#include "common/accounts/account.h"
#include "common/net/transport_address.h"
#include "server/api/service.h"
#include "server/http/http_server.h"

namespace turnpike {

// ClientAddress returns the address of the client: that of the connection, or, when that is a
// trusted proxy's, the last one in X-Forwarded-For that is not.
IpAddress ClientAddress(const HttpRequest& request, const IpSet& trusted_proxies);

// AuthorizeAccount wants HTTP Basic with an account's SID and auth token, and `sid`, the account in
// the path, to be the same: of any other account it says 404, whether there is one or not. A wrong
// SID and a wrong token get the same answer after the same work. It counts the request against the
// account's limit.
std::expected<ApiAccount, HttpAnswer> AuthorizeAccount(ApiService& service,
                                                       const HttpRequest& request,
                                                       std::string_view sid);

// AuthorizeKey wants an API key: in the query's `key`, in the header X-API-Key, or as a bearer
// token.
std::expected<ApiAccount, HttpAnswer> AuthorizeKey(ApiService& service, const HttpRequest& request);

// AllowAddress counts the request against its address's limit: an answer means that it is refused.
std::expected<void, HttpAnswer> AllowAddress(ApiService& service, const HttpRequest& request);

}  // namespace turnpike
