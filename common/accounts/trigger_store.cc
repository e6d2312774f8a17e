#include "common/accounts/trigger_store.h"

#include <chrono>

#include "common/accounts/account_db.h"

namespace turnpike {
namespace {

using std::chrono::milliseconds;

constexpr const char* kSelect =
    "SELECT sid, account_sid, created_ms, name, category, trigger_by, value, recurring, url, "
    "method, fired_ms, fired_period FROM usage_trigger WHERE ?1 = '' OR account_sid = ?1 "
    "ORDER BY created_ms, sid";

UsageTrigger ReadTrigger(const Statement& row) {
  UsageTrigger trigger{.sid = row.Bytes(0),
                       .account_sid = row.Bytes(1),
                       .created_at = WallTime(milliseconds(row.Int(2))),
                       .name = row.Bytes(3),
                       .category = row.Bytes(4),
                       .trigger_by = row.Bytes(5),
                       .value = row.Bytes(6),
                       .recurring = row.Bytes(7),
                       .url = row.Bytes(8),
                       .method = row.Bytes(9)};
  if (!row.IsNull(10)) trigger.fired_at = WallTime(milliseconds(row.Int(10)));
  trigger.fired_period = row.Bytes(11);
  return trigger;
}

}  // namespace

std::expected<std::unique_ptr<TriggerStore>, std::string> TriggerStore::Open(
    const std::string& path) {
  auto database = OpenApiDatabase(path);
  if (!database) return std::unexpected(database.error());
  return std::unique_ptr<TriggerStore>(new TriggerStore(std::move(*database)));
}

std::expected<void, std::string> TriggerStore::Result() const {
  if (!database_->ok()) return std::unexpected(database_->error());
  return {};
}

std::expected<void, std::string> TriggerStore::Add(const UsageTrigger& trigger) {
  const std::lock_guard lock(mutex_);
  Statement insert(*database_,
                   "INSERT INTO usage_trigger(sid, account_sid, created_ms, name, category, "
                   "trigger_by, value, recurring, url, method) VALUES(?,?,?,?,?,?,?,?,?,?)");
  insert.Bind(SqlText{trigger.sid}, SqlText{trigger.account_sid}, Millis(trigger.created_at),
              std::string_view(trigger.name), SqlText{trigger.category},
              SqlText{trigger.trigger_by}, SqlText{trigger.value}, SqlText{trigger.recurring},
              std::string_view(trigger.url), SqlText{trigger.method});
  insert.Run();
  return Result();
}

std::expected<std::vector<UsageTrigger>, std::string> TriggerStore::List(
    std::string_view account_sid) {
  const std::lock_guard lock(mutex_);
  std::vector<UsageTrigger> triggers;
  Statement rows(*database_, kSelect);
  rows.Bind(SqlText{account_sid});
  while (rows.Step()) triggers.push_back(ReadTrigger(rows));
  if (auto result = Result(); !result) return std::unexpected(result.error());
  return triggers;
}

std::expected<bool, std::string> TriggerStore::Remove(std::string_view account_sid,
                                                      std::string_view sid) {
  const std::lock_guard lock(mutex_);
  Statement remove(*database_, "DELETE FROM usage_trigger WHERE account_sid = ? AND sid = ?");
  remove.Bind(SqlText{account_sid}, SqlText{sid});
  remove.Run();
  const int64_t changes = database_->QueryInt("SELECT changes()");
  if (auto result = Result(); !result) return std::unexpected(result.error());
  return changes != 0;
}

std::expected<void, std::string> TriggerStore::Fire(std::string_view sid, const std::string& period,
                                                    WallTime at, const Delivery& message) {
  const std::lock_guard lock(mutex_);
  database_->Exec("BEGIN IMMEDIATE");
  {
    Statement update(*database_,
                     "UPDATE usage_trigger SET fired_ms = ?, fired_period = ? "
                     "WHERE sid = ? AND fired_period <> ?");
    update.Bind(Millis(at), SqlText{period}, SqlText{sid}, SqlText{period});
    update.Run();
    Statement insert(*database_,
                     "INSERT INTO outbox(account_sid, url, method, form, due_ms) "
                     "SELECT ?, ?, ?, ?, ? WHERE changes() = 1");
    insert.Bind(SqlText{message.account_sid}, std::string_view(message.url),
                SqlText{message.method}, std::string_view(message.form), Millis(at));
    insert.Run();
  }
  database_->Exec("COMMIT");
  return Result();
}

std::expected<std::vector<Delivery>, std::string> TriggerStore::Due(WallTime now) {
  const std::lock_guard lock(mutex_);
  std::vector<Delivery> due;
  Statement rows(*database_,
                 "SELECT id, account_sid, url, method, form, attempts FROM outbox "
                 "WHERE due_ms <= ? ORDER BY due_ms, id LIMIT 100");
  rows.Bind(Millis(now));
  while (rows.Step()) {
    due.push_back(
        {rows.Int(0), rows.Bytes(1), rows.Bytes(2), rows.Bytes(3), rows.Bytes(4), rows.Int(5)});
  }
  if (auto result = Result(); !result) return std::unexpected(result.error());
  return due;
}

std::expected<void, std::string> TriggerStore::Delivered(int64_t id) {
  const std::lock_guard lock(mutex_);
  Statement remove(*database_, "DELETE FROM outbox WHERE id = ?");
  remove.Bind(id);
  remove.Run();
  return Result();
}

std::expected<void, std::string> TriggerStore::PutOff(int64_t id, WallTime due) {
  const std::lock_guard lock(mutex_);
  Statement update(*database_,
                   "UPDATE outbox SET attempts = attempts + 1, due_ms = ? WHERE id = ?");
  update.Bind(Millis(due), id);
  update.Run();
  return Result();
}

}  // namespace turnpike
