#include "server/api/trigger_watch.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include "common/base/log.h"
#include "common/stun/integrity.h"
#include "server/api/formats.h"
#include "server/api/triggers.h"
#include "server/api/usage_records.h"
#include "server/http/signals_blocked.h"

namespace turnpike {
namespace {

constexpr std::chrono::seconds kInterval{5};
constexpr std::chrono::seconds kFirstDelay{5};
constexpr std::chrono::seconds kLongestDelay{3600};
constexpr int64_t kMaxAttempts = 32;  // a day and a bit

std::string EncodeForm(const Form& form) {
  std::string text;
  for (const auto& [name, value] : form) {
    text += (text.empty() ? "" : "&") + EncodePercent(name) + "=" + EncodePercent(value);
  }
  return text;
}

Form MessageOf(const UsageTrigger& trigger, const TriggerState& state, WallTime now) {
  return {{"AccountSid", trigger.account_sid},
          {"UsageTriggerSid", trigger.sid},
          {"FriendlyName", trigger.name},
          {"Recurring", trigger.recurring},
          {"TriggerBy", trigger.trigger_by},
          {"TriggerValue", trigger.value},
          {"CurrentValue", state.text},
          {"UsageCategory", trigger.category},
          {"UsageRecordUri", RecordUri(trigger.account_sid, trigger.category)},
          {"DateFired", FormatRfc2822(now)},
          {"IdempotencyToken", trigger.sid + "-FIRES-" + state.period}};
}

// SigningKey returns the key of WebhookSignature: of the token that has no end, or else of any.
std::string SigningKey(const ApiAccount& account) {
  const AccountSecret* best = nullptr;
  for (const AccountSecret& secret : account.secrets) {
    if (secret.kind != SecretKind::kToken) continue;
    if (best == nullptr || !secret.expires_at) best = &secret;
  }
  return best == nullptr ? "" : FormatDigest(best->hash);
}

HttpSend Signed(const Delivery& delivery, const std::string& key) {
  const bool is_post = delivery.method == "POST";
  HttpSend message{.url = delivery.url, .method = delivery.method, .headers = "", .body = ""};
  if (is_post) {
    message.body = delivery.form;
    message.headers = "Content-Type: application/x-www-form-urlencoded\r\n";
  } else {
    message.url += (delivery.url.contains('?') ? "&" : "?") + delivery.form;
  }
  const Form parameters = is_post ? ReadForm(delivery.form) : Form{};
  message.headers +=
      "X-Twilio-Signature: " + WebhookSignature(key, message.url, parameters) + "\r\n";
  return message;
}

}  // namespace

std::string WebhookSignature(std::string_view key, std::string_view url, const Form& parameters) {
  std::string text(url);
  for (const auto& [name, value] : parameters) text += name + value;
  return stun::Base64(stun::HmacSha1(AsBytes(key), {AsBytes(text)}));
}

TriggerWatch::~TriggerWatch() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TriggerWatch::Start() {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { Run(); });
}

void TriggerWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kInterval, [this] { return stops_; })) {
    lock.unlock();
    Step();
    lock.lock();
  }
}

void TriggerWatch::Step() {
  Fire();
  Deliver();
}

void TriggerWatch::Fire() {
  const auto triggers = service_.triggers()->List("");
  if (!triggers) {
    Log(LogLevel::kError, "api_triggers_failed", {{"error", triggers.error()}});
    return;
  }
  const WallTime now = service_.now().wall;
  const auto today = std::chrono::floor<std::chrono::days>(now);
  const auto settings = service_.settings();
  const auto accounts = service_.Accounts();
  std::map<std::string, std::vector<const UsageTrigger*>> by_account;
  for (const UsageTrigger& each : *triggers) {
    // What has fired in this period needs no reading of the ledger.
    if (StateOf(each, {}, today).period != each.fired_period) {
      by_account[each.account_sid].push_back(&each);
    }
  }
  for (const auto& [sid, waiting] : by_account) {
    const auto account = std::ranges::find(*accounts, sid, &ApiAccount::sid);
    if (account == accounts->end() || account->disabled) continue;
    const auto usage = ReadDays(service_.ledger(), account->account, std::nullopt, today,
                                settings->rates ? &*settings->rates : nullptr);
    if (!usage) continue;  // the ledger's own metrics and log tell of it
    for (const UsageTrigger* trigger : waiting) {
      const TriggerState state = StateOf(*trigger, usage->days, today);
      if (!state.reached) continue;
      const Delivery message{.account_sid = sid,
                             .url = trigger->url,
                             .method = trigger->method,
                             .form = EncodeForm(MessageOf(*trigger, state, now))};
      const auto fired = service_.triggers()->Fire(trigger->sid, state.period, now, message);
      if (!fired) Log(LogLevel::kError, "api_triggers_failed", {{"error", fired.error()}});
    }
  }
}

void TriggerWatch::Deliver() {
  const auto due = service_.triggers()->Due(service_.now().wall);
  if (!due) {
    Log(LogLevel::kError, "api_triggers_failed", {{"error", due.error()}});
    return;
  }
  const auto accounts = service_.Accounts();
  for (const Delivery& each : *due) {
    {
      const std::lock_guard lock(mutex_);
      if (stops_) return;
    }
    const auto account = std::ranges::find(*accounts, each.account_sid, &ApiAccount::sid);
    const std::string key = account == accounts->end() ? "" : SigningKey(*account);
    const auto status = send_(Signed(each, key));
    if (status && *status >= 200 && *status < 300) {
      (void)service_.triggers()->Delivered(each.id);
      continue;
    }
    const std::string error = status ? "status " + std::to_string(*status) : status.error();
    const bool gives_up = each.attempts + 1 >= kMaxAttempts;
    Log(gives_up ? LogLevel::kError : LogLevel::kWarning,
        gives_up ? "webhook_given_up" : "webhook_failed",
        {{"account_sid", each.account_sid},
         {"url", each.url},
         {"error", error},
         {"attempts", static_cast<uint64_t>(each.attempts + 1)}});
    if (gives_up) {
      (void)service_.triggers()->Delivered(each.id);
      continue;
    }
    const auto delay =
        std::min(kLongestDelay, kFirstDelay * (1 << std::min<int64_t>(each.attempts, 12)));
    (void)service_.triggers()->PutOff(each.id, service_.now().wall + delay);
  }
}

}  // namespace turnpike
