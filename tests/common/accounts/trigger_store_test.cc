#include "common/accounts/trigger_store.h"

#include <doctest/doctest.h>

#include "tests/support/temp_directory.h"

namespace turnpike {
namespace {

constexpr WallTime kFiredAt(std::chrono::seconds(1'800'000'000));

UsageTrigger Trigger(const std::string& sid, const std::string& account_sid) {
  return {.sid = sid,
          .account_sid = account_sid,
          .created_at = kFiredAt,
          .name = "a'; --",
          .category = "turnmegabytes",
          .trigger_by = "usage",
          .value = "5",
          .recurring = "daily",
          .url = "http://x/",
          .method = "POST"};
}

TEST_CASE("triggers belong to their account") {
  const TempDirectory directory;
  auto store = TriggerStore::Open(directory.file("api.db"));
  REQUIRE(store);
  REQUIRE((*store)->Add(Trigger("UT1", "AC1")));
  REQUIRE((*store)->Add(Trigger("UT2", "AC2")));
  CHECK((*store)->List("AC1") == std::vector{Trigger("UT1", "AC1")});
  CHECK((*store)->List("")->size() == 2);
  CHECK((*store)->Remove("AC2", "UT1") == false);
  CHECK((*store)->Remove("AC1", "UT1") == true);
  CHECK((*store)->List("AC1")->empty());
}

TEST_CASE("a trigger fires once in a period, and its message stays until it is delivered") {
  const TempDirectory directory;
  const auto fire = [&](TriggerStore& store, const std::string& period) {
    REQUIRE(
        store.Fire("UT1", period, kFiredAt,
                   {.account_sid = "AC1", .url = "http://x/", .method = "POST", .form = "a=1"}));
  };
  {
    auto store = TriggerStore::Open(directory.file("api.db"));
    REQUIRE((*store)->Add(Trigger("UT1", "AC1")));
    fire(**store, "2026-11-20");
    fire(**store, "2026-11-20");
  }
  auto store = TriggerStore::Open(directory.file("api.db"));  // as after a crash
  auto due = (*store)->Due(kFiredAt);
  REQUIRE((due && due->size() == 1));
  CHECK(due->front().form == "a=1");
  CHECK((*store)->List("AC1")->front().fired_at == kFiredAt);
  REQUIRE((*store)->PutOff(due->front().id, kFiredAt + std::chrono::seconds(5)));
  CHECK((*store)->Due(kFiredAt)->empty());
  CHECK((*store)->Due(kFiredAt + std::chrono::seconds(5))->front().attempts == 1);
  REQUIRE((*store)->Delivered(due->front().id));
  CHECK((*store)->Due(kFiredAt + std::chrono::hours(1))->empty());
  fire(**store, "2026-11-21");
  CHECK((*store)->Due(kFiredAt)->size() == 1);
}

TEST_CASE("a trigger that is gone does not fire") {
  const TempDirectory directory;
  auto store = TriggerStore::Open(directory.file("api.db"));
  REQUIRE((*store)->Fire("UT9", "all", kFiredAt, {}));
  CHECK((*store)->Due(kFiredAt)->empty());
}

}  // namespace
}  // namespace turnpike
