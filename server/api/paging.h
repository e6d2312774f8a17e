// Pages of lists, as the hosted services number them.
#pragma once

#include <expected>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

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

// Rows is a whole list, of which `row` renders one.
struct Rows {
  size_t count = 0;
  std::function<nlohmann::ordered_json(size_t index)> row;
};

// WritePage renders one page of `rows` under the name `list`. `path` is the list's, and `query`
// what the request asked for, which the links of the page repeat.
HttpAnswer WritePage(const Rows& rows, std::string_view list, std::string_view path, Form query,
                     const Page& page);

}  // namespace turnpike
