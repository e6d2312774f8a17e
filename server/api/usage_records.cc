#include "server/api/usage_records.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "common/base/log.h"
#include "server/api/access.h"
#include "server/api/errors.h"
#include "server/api/formats.h"
#include "server/api/paging.h"
#include "server/api/usage_category.h"
#include "server/api/usage_range.h"
#include "server/api/usage_sums.h"
#include "server/http/form.h"

namespace turnpike {
namespace {

using nlohmann::ordered_json;
using std::chrono::days;
using std::chrono::sys_days;

struct SubResource {
  std::string_view key;
  std::string_view name;
};
constexpr SubResource kSubResources[] = {
    {"all_time", "AllTime"}, {"daily", "Daily"},          {"last_month", "LastMonth"},
    {"monthly", "Monthly"},  {"this_month", "ThisMonth"}, {"today", "Today"},
    {"yearly", "Yearly"},    {"yesterday", "Yesterday"},
};

std::string RecordsPath(std::string_view sid, std::string_view sub_resource) {
  std::string path = "/2010-04-01/Accounts/" + std::string(sid) + "/Usage/Records";
  if (!sub_resource.empty()) path += "/" + std::string(sub_resource);
  return path + ".json";
}

std::string Date(sys_days day) { return FormatRfc3339(day).substr(0, 10); }

// RecordWriter renders one record after the other.
struct RecordWriter {
  const std::string& sid;
  std::string as_of;
  std::string currency;

  ordered_json Write(std::string_view region, sys_days first, sys_days last,
                     const UsageSum& sum) const {
    const std::string category = region.empty() ? std::string(kAllRegions) : CategoryOf(region);
    const std::string megabytes = FormatMegabytes(sum.bytes);
    ordered_json sub_resources;
    for (const SubResource& each : kSubResources) {
      sub_resources[std::string(each.key)] =
          RecordsPath(sid, each.name) + "?Category=" + EncodePercent(category);
    }
    return {
        {"account_sid", sid},
        {"api_version", "2010-04-01"},
        {"as_of", as_of},
        {"category", category},
        {"description",
         region.empty() ? "TURN Megabytes" : "TURN Megabytes - " + EscapeText(std::string(region))},
        {"start_date", Date(first)},
        {"end_date", Date(last)},
        {"count", megabytes},
        {"count_unit", "megabytes"},
        {"usage", megabytes},
        {"usage_unit", "megabytes"},
        {"price", sum.is_priced ? ordered_json(FormatAmount(sum.amount)) : ordered_json()},
        {"price_unit", currency},
        {"uri", RecordUri(sid, category) + "&StartDate=" + Date(first) + "&EndDate=" + Date(last)},
        {"subresource_uris", sub_resources}};
  }
};

// RegionsOf lists what there is usage of in the range: all of it first, then each region.
std::vector<std::string> RegionsOf(const DailyUsage& daily, sys_days first, sys_days last,
                                   const std::optional<std::string>& only) {
  if (only) return {*only};
  std::set<std::string> regions;
  for (const auto& [key, sum] : daily) {
    if (key.first >= first && key.first <= last) regions.insert(key.second);
  }
  std::vector<std::string> all = {""};
  all.insert(all.end(), regions.begin(), regions.end());
  return all;
}

// Span is what one record is about.
struct Span {
  sys_days first;
  sys_days last;
  const std::string* region;
};

// Spans lists the records' in their order: the newest interval comes first.
std::vector<Span> Spans(const AccountDays& read, const UsageRange& range,
                        const std::vector<std::string>& regions, sys_days first) {
  // What lies before the first byte is not told interval by interval.
  if (range.interval != Interval::kAll) {
    const sys_days known = read.days.empty() ? range.last : read.days.begin()->first.first;
    first = std::max(first, std::min(range.last, known));
  }
  std::vector<Span> spans;
  while (first <= range.last) {
    const sys_days last = std::min(IntervalEnd(range.interval, first), range.last);
    for (auto each = regions.rbegin(); each != regions.rend(); ++each) {
      spans.push_back({first, last, &*each});
    }
    first = last + days(1);
  }
  std::ranges::reverse(spans);
  return spans;
}

std::string AsOf(WallTime time) {
  std::string text = FormatRfc3339(std::chrono::floor<std::chrono::seconds>(time));
  text.pop_back();
  return text + "+00:00";
}

}  // namespace

std::string RecordUri(std::string_view account_sid, std::string_view category) {
  return RecordsPath(account_sid, "") + "?Category=" + EncodePercent(category);
}

HttpAnswer ListUsage(ApiService& service, const ApiCall& call) {
  const auto account = AuthorizeAccount(service, call.request, call.ids[0]);
  if (!account) return account.error();
  const std::string_view name = call.ids.size() > 1 ? call.ids[1] : std::string_view();
  const Form query = ReadForm(call.request.query);
  const auto today = std::chrono::floor<days>(service.now().wall);
  const auto range = ReadUsageRange(name, query, today);
  if (!range) return InvalidParameter(range.error());
  if (!*range) return ErrorAnswer(ErrorCode::kNotFound);
  const auto page = ReadPage(query);
  if (!page) return page.error();
  std::optional<std::string> region;
  if (const auto category = query.find("Category"); category != query.end()) {
    region = RegionOf(category->second);
    if (!region) {
      return InvalidParameter("Category is turnmegabytes, or turnmegabytes- and a region");
    }
  }
  const ReadingTurn turn = service.TakeReadingTurn();
  if (turn == nullptr) {
    return ErrorAnswer(ErrorCode::kUnavailable, "too many requests read usage; try again soon");
  }
  const auto settings = service.settings();
  const RateTable* const rates = settings->rates ? &*settings->rates : nullptr;
  const auto read =
      ReadDays(service.ledger(), account->account, (*range)->first, (*range)->last, rates);
  if (!read) {
    Log(LogLevel::kError, "api_usage_unreadable", {{"error", read.error()}});
    return ErrorAnswer(ErrorCode::kInternal, "the ledger cannot be read");
  }
  std::string currency = rates == nullptr ? "usd" : rates->currency;
  std::ranges::transform(currency, currency.begin(),
                         [](char c) { return static_cast<char>(c | 0x20); });
  const sys_days first = (*range)->first.value_or(
      read->days.empty() ? (*range)->last : read->days.begin()->first.first);
  const auto regions = RegionsOf(read->days, first, (*range)->last, region);
  const std::vector<Span> spans = Spans(*read, **range, regions, first);
  const RecordWriter writer{account->sid, AsOf(read->as_of), currency};
  const auto row = [&](size_t index) {
    const Span& span = spans[index];
    return writer.Write(*span.region, span.first, span.last,
                        SumOf(read->days, span.first, span.last, *span.region));
  };
  return WritePage({spans.size(), row}, "usage_records", RecordsPath(account->sid, name), query,
                   *page);
}

}  // namespace turnpike
