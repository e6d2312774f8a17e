// Usage triggers of accounts, and the outbox of what they have to tell. Both are in one database,
// so that a trigger has fired exactly if its message is in the outbox or was delivered.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/metering/sqlite.h"

namespace turnpike {

// UsageTrigger fires when usage of its account reaches a value, once in each period.
struct UsageTrigger {
  std::string sid;  // UT and 32 hexadecimal digits
  std::string account_sid;
  WallTime created_at{};
  std::string name;        // for people
  std::string category;    // of usage_category.h
  std::string trigger_by;  // usage, count or price
  std::string value;       // a decimal
  std::string recurring;   // daily, monthly, yearly; empty: once, of all usage
  std::string url;
  std::string method;  // POST or GET
  std::optional<WallTime> fired_at = {};
  std::string fired_period = {};  // the period that it last fired for

  friend bool operator==(const UsageTrigger&, const UsageTrigger&) = default;
};

// Delivery is one message of the outbox. It stays there until its receiver has answered 2xx.
struct Delivery {
  int64_t id = 0;
  std::string account_sid;
  std::string url;
  std::string method;
  std::string form;  // application/x-www-form-urlencoded
  int64_t attempts = 0;
};

// TriggerStore may be called from any thread. Every method fails with a sentence.
class TriggerStore {
 public:
  static std::expected<std::unique_ptr<TriggerStore>, std::string> Open(const std::string& path);

  std::expected<void, std::string> Add(const UsageTrigger& trigger);

  // List returns the triggers of an account, or all where it is empty, by creation.
  std::expected<std::vector<UsageTrigger>, std::string> List(std::string_view account_sid);

  // Remove returns whether the account had the trigger. What it has to tell already is still told.
  std::expected<bool, std::string> Remove(std::string_view account_sid, std::string_view sid);

  // Fire notes that a trigger fired for `period` and puts `message` into the outbox, due at once:
  // both or none. It does nothing when it has fired for that period already, or is gone.
  std::expected<void, std::string> Fire(std::string_view sid, const std::string& period,
                                        WallTime at, const Delivery& message);

  // Due returns the messages whose time has come, at most 100, oldest first. Each is then either
  // Delivered, or put off until `due` after one more attempt, or given up, which is Delivered too.
  std::expected<std::vector<Delivery>, std::string> Due(WallTime now);
  std::expected<void, std::string> Delivered(int64_t id);
  std::expected<void, std::string> PutOff(int64_t id, WallTime due);

 private:
  explicit TriggerStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  std::expected<void, std::string> Result() const;

  std::mutex mutex_;
  std::unique_ptr<Database> database_;
};

}  // namespace turnpike
