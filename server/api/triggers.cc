#include "server/api/triggers.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "server/api/access.h"
#include "server/api/errors.h"
#include "server/api/formats.h"
#include "server/api/paging.h"
#include "server/api/usage_category.h"
#include "server/api/usage_range.h"
#include "server/api/usage_records.h"
#include "server/http/form.h"
#include "server/http/http_send.h"

namespace turnpike {
namespace {

using nlohmann::ordered_json;
using std::chrono::days;
using std::chrono::sys_days;

constexpr size_t kMaxTriggers = 100;  // of one account: each is looked at all the time
constexpr size_t kMaxUrlBytes = 1024;

HttpAnswer Broken(const std::string& error) {
  Log(LogLevel::kError, "api_triggers_failed", {{"error", error}});
  return ErrorAnswer(ErrorCode::kInternal, "the database of triggers cannot be used");
}

std::string TriggersPath(std::string_view account_sid, std::string_view sid) {
  std::string path = "/2010-04-01/Accounts/" + std::string(account_sid) + "/Usage/Triggers";
  if (!sid.empty()) path += "/" + std::string(sid);
  return path + ".json";
}

bool IsOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::count(words, word) != 0;
}

bool IsWebhookUrl(std::string_view url) {
  const auto is_printable = [](char c) { return c > 0x20 && c < 0x7F; };
  return url.size() <= kMaxUrlBytes && std::ranges::all_of(url, is_printable) && IsHttpUrl(url);
}

// ReadTrigger reads a form; the caller adds SIDs and time. It fails with a sentence.
std::expected<UsageTrigger, std::string> ReadTrigger(const Form& form) {
  UsageTrigger trigger;
  trigger.name = ValueOf(form, "FriendlyName");
  trigger.category = ValueOf(form, "UsageCategory");
  trigger.trigger_by = ValueOf(form, "TriggerBy", "usage");
  trigger.value = ValueOf(form, "TriggerValue");
  trigger.recurring = ValueOf(form, "Recurring");
  trigger.url = ValueOf(form, "CallbackUrl");
  trigger.method = ValueOf(form, "CallbackMethod", "POST");
  if (const auto fits = CheckLabel(trigger.name); !fits) {
    return std::unexpected("FriendlyName " + fits.error());
  }
  if (!RegionOf(trigger.category)) {
    return std::unexpected("UsageCategory is turnmegabytes, or turnmegabytes- and a region");
  }
  if (!IsOneOf(trigger.trigger_by, {"usage", "count", "price"})) {
    return std::unexpected("TriggerBy is usage, count or price");
  }
  if (!IsOneOf(trigger.recurring, {"", "daily", "monthly", "yearly"})) {
    return std::unexpected("Recurring is daily, monthly or yearly, or left out");
  }
  if (!IsOneOf(trigger.method, {"GET", "POST"})) {
    return std::unexpected("CallbackMethod is GET or POST");
  }
  if (!IsWebhookUrl(trigger.url)) {
    return std::unexpected("CallbackUrl is an http:// or https:// URL of at most 1024 bytes");
  }
  if (const auto value = ParseDecimal(trigger.value, kAmountDecimals); !value || *value < 0) {
    return std::unexpected(
        "TriggerValue is a decimal number, 0 or more, or + and one, from now on");
  }
  return trigger;
}

// First returns the first day of the period that `day` lies in; nullopt: there is none.
std::optional<sys_days> FirstDay(const UsageTrigger& trigger, sys_days day) {
  const std::chrono::year_month_day date(day);
  if (trigger.recurring == "daily") return day;
  if (trigger.recurring == "monthly") return date.year() / date.month() / 1;
  if (trigger.recurring == "yearly") return date.year() / std::chrono::January / 1;
  return std::nullopt;
}

ordered_json ToJson(const UsageTrigger& trigger, const TriggerState& state) {
  ordered_json json = {{"sid", trigger.sid},
                       {"account_sid", trigger.account_sid},
                       {"api_version", "2010-04-01"},
                       {"callback_method", trigger.method},
                       {"callback_url", trigger.url},
                       {"current_value", state.text},
                       {"date_created", FormatRfc2822(trigger.created_at)},
                       {"date_fired", nullptr},
                       {"date_updated", FormatRfc2822(trigger.created_at)},
                       {"friendly_name", trigger.name},
                       {"recurring", nullptr},
                       {"trigger_by", trigger.trigger_by},
                       {"trigger_value", trigger.value},
                       {"usage_category", trigger.category},
                       {"usage_record_uri", RecordUri(trigger.account_sid, trigger.category)},
                       {"uri", TriggersPath(trigger.account_sid, trigger.sid)}};
  if (trigger.fired_at) json["date_fired"] = FormatRfc2822(*trigger.fired_at);
  if (!trigger.recurring.empty()) json["recurring"] = trigger.recurring;
  return json;
}

// Reading is what triggers are evaluated by.
struct Reading {
  DailyUsage days;
  sys_days today;
};

std::expected<Reading, HttpAnswer> ReadUsage(ApiService& service, const ApiAccount& account) {
  const auto today = std::chrono::floor<days>(service.now().wall);
  const auto settings = service.settings();
  auto read = ReadDays(service.ledger(), account.account, std::nullopt, today,
                       settings->rates ? &*settings->rates : nullptr);
  if (!read) return std::unexpected(Broken(read.error()));
  return Reading{std::move(read->days), today};
}

// Found is who asks, and all triggers of that account.
struct Found {
  ApiAccount account;
  std::vector<UsageTrigger> triggers;
};

std::expected<Found, HttpAnswer> FindTriggers(ApiService& service, const ApiCall& call) {
  auto account = AuthorizeAccount(service, call.request, call.ids[0]);
  if (!account) return std::unexpected(account.error());
  if (service.triggers() == nullptr) return std::unexpected(ErrorAnswer(ErrorCode::kNotFound));
  auto triggers = service.triggers()->List(account->sid);
  if (!triggers) return std::unexpected(Broken(triggers.error()));
  return Found{std::move(*account), std::move(*triggers)};
}

}  // namespace

TriggerState StateOf(const UsageTrigger& trigger, const DailyUsage& daily, sys_days day) {
  const auto first = FirstDay(trigger, day);
  const UsageSum sum =
      SumOf(daily, first.value_or(sys_days::min()), day, RegionOf(trigger.category).value_or(""));
  TriggerState state;
  const std::string date = FormatRfc3339(day).substr(0, 10);
  state.period = trigger.recurring == "daily"     ? date
                 : trigger.recurring == "monthly" ? date.substr(0, 7)
                 : trigger.recurring == "yearly"  ? date.substr(0, 4)
                                                  : "all";
  if (trigger.trigger_by == "price") {
    state.current = sum.amount;
    state.text = FormatAmount(sum.amount);
  } else {
    // 10^12 of an Amount's 10^-18 are one byte of a megabyte's 10^-6.
    state.current = Amount(static_cast<Int128>(sum.bytes) * 1'000'000'000'000);
    state.text = FormatMegabytes(sum.bytes);
  }
  const auto wanted = ParseDecimal(trigger.value, kAmountDecimals);
  state.reached = wanted && state.current.value() >= *wanted;
  return state;
}

HttpAnswer CreateTrigger(ApiService& service, const ApiCall& call) {
  const auto found = FindTriggers(service, call);
  if (!found) return found.error();
  if (found->triggers.size() >= kMaxTriggers)
    return InvalidParameter("the account has 100 triggers already");
  Form form = ReadForm(call.request.body);
  const std::string value = ValueOf(form, "TriggerValue");
  const bool is_relative = value.starts_with('+');
  if (is_relative) form["TriggerValue"] = value.substr(1);
  auto trigger = ReadTrigger(form);
  if (!trigger) return InvalidParameter(trigger.error());
  const auto usage = ReadUsage(service, found->account);
  if (!usage) return usage.error();
  trigger->sid = service.NewSidOf("UT");
  trigger->account_sid = found->account.sid;
  trigger->created_at = std::chrono::floor<std::chrono::milliseconds>(service.now().wall);
  TriggerState state = StateOf(*trigger, usage->days, usage->today);
  if (is_relative) {
    const Amount wanted(*ParseDecimal(trigger->value, kAmountDecimals));
    const auto sum = CheckedAdd(wanted, state.current);
    if (!sum) return InvalidParameter("TriggerValue is too large");
    trigger->value = FormatAmount(*sum);
  }
  if (const auto added = service.triggers()->Add(*trigger); !added) return Broken(added.error());
  return JsonAnswer(DumpJson(ToJson(*trigger, state)), 201);
}

HttpAnswer ListTriggers(ApiService& service, const ApiCall& call) {
  const auto found = FindTriggers(service, call);
  if (!found) return found.error();
  const Form query = ReadForm(call.request.query);
  const auto page = ReadPage(query);
  if (!page) return page.error();
  const auto usage = ReadUsage(service, found->account);
  if (!usage) return usage.error();
  const auto fits = [&](const char* name, const std::string& value) {
    return !query.contains(name) || query.at(name) == value;
  };
  std::vector<const UsageTrigger*> shown;
  for (const UsageTrigger& each : found->triggers) {
    if (fits("Recurring", each.recurring) && fits("TriggerBy", each.trigger_by) &&
        fits("UsageCategory", each.category)) {
      shown.push_back(&each);
    }
  }
  const auto row = [&](size_t index) {
    return ToJson(*shown[index], StateOf(*shown[index], usage->days, usage->today));
  };
  return WritePage({shown.size(), row}, "usage_triggers", TriggersPath(found->account.sid, ""),
                   query, *page);
}

HttpAnswer FetchTrigger(ApiService& service, const ApiCall& call) {
  const auto found = FindTriggers(service, call);
  if (!found) return found.error();
  const auto trigger = std::ranges::find(found->triggers, call.ids[1], &UsageTrigger::sid);
  if (trigger == found->triggers.end()) return ErrorAnswer(ErrorCode::kNotFound);
  const auto usage = ReadUsage(service, found->account);
  if (!usage) return usage.error();
  return JsonAnswer(DumpJson(ToJson(*trigger, StateOf(*trigger, usage->days, usage->today))));
}

HttpAnswer RemoveTrigger(ApiService& service, const ApiCall& call) {
  const auto account = AuthorizeAccount(service, call.request, call.ids[0]);
  if (!account) return account.error();
  if (service.triggers() == nullptr) return ErrorAnswer(ErrorCode::kNotFound);
  const auto removed = service.triggers()->Remove(account->sid, call.ids[1]);
  if (!removed) return Broken(removed.error());
  if (!*removed) return ErrorAnswer(ErrorCode::kNotFound);
  return {.status = 204, .body = ""};
}

}  // namespace turnpike
