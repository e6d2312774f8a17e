// Pages of lists, as the hosted services number them.
#pragma once

#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/form.h"
#include "server/http/http_server.h"

namespace turnpike {

// Page is what a request asks for: `PageSize` (1 to 1000, default 50) and `Page` (from 0).
struct Page {
  size_t size = 50;
  size_t number = 0;
};

// ReadPage fails with the answer to a page that cannot be.
std::expected<Page, HttpAnswer> ReadPage(const Form& query);

// WritePage renders `rows`, all of the list, as one page under the name `list`. `path` is the
// list's, and `query` what the request asked for, which the links of the page repeat.
HttpAnswer WritePage(std::vector<nlohmann::ordered_json> rows, std::string_view list,
                     std::string_view path, Form query, const Page& page);

}  // namespace turnpike
