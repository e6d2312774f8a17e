#include "server/api/paging.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "server/api/errors.h"
#include "server/api/formats.h"

namespace turnpike {
namespace {

constexpr int64_t kMaxSize = 1000;
constexpr int64_t kMaxNumber = 1'000'000;

std::string Link(std::string_view path, Form query, size_t size, size_t number) {
  query["PageSize"] = std::to_string(size);
  query["Page"] = std::to_string(number);
  std::string uri(path);
  char separator = '?';
  for (const auto& [name, value] : query) {
    uri += std::exchange(separator, '&') + EncodePercent(name) + "=" + EncodePercent(value);
  }
  return uri;
}

}  // namespace

std::expected<Page, HttpAnswer> ReadPage(const Form& query) {
  const auto size = WholeOf(query, "PageSize", static_cast<int64_t>(Page{}.size));
  const auto number = WholeOf(query, "Page", 0);
  if (!size || *size < 1 || *size > kMaxSize) {
    return std::unexpected(InvalidParameter("PageSize is a whole number, 1 to 1000"));
  }
  if (!number || *number < 0 || *number > kMaxNumber) {
    return std::unexpected(InvalidParameter("Page is a whole number, 0 to 1000000"));
  }
  return Page{static_cast<size_t>(*size), static_cast<size_t>(*number)};
}

HttpAnswer WritePage(const Rows& rows, std::string_view list, std::string_view path, Form query,
                     const Page& page) {
  query.erase("PageToken");
  const size_t begin = std::min(rows.count, page.size * page.number);
  const size_t end = std::min(rows.count, begin + page.size);
  nlohmann::ordered_json shown = nlohmann::ordered_json::array();
  for (size_t index = begin; index < end; ++index) shown.push_back(rows.row(index));
  nlohmann::ordered_json answer = {{"first_page_uri", Link(path, query, page.size, 0)},
                                   {"start", begin},
                                   {"end", end == begin ? begin : end - 1},
                                   {"page", page.number},
                                   {"page_size", page.size},
                                   {"uri", Link(path, query, page.size, page.number)},
                                   {"next_page_uri", nullptr},
                                   {"previous_page_uri", nullptr}};
  if (end < rows.count) answer["next_page_uri"] = Link(path, query, page.size, page.number + 1);
  if (page.number > 0) answer["previous_page_uri"] = Link(path, query, page.size, page.number - 1);
  answer[std::string(list)] = std::move(shown);
  return JsonAnswer(DumpJson(answer));
}

}  // namespace turnpike
