#include "common/client/transaction.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

using namespace std::chrono_literals;

Transaction Make() {
  return Transaction({RequestKind::kRefresh, {}, {}}, {1}, {0xAB}, true, false);
}

TEST_CASE("8489_6_2_1: the waits double six times, the last is 16 RTO") {
  Transaction transaction = Make();
  const MonoTime start(5s);
  transaction.Start(start, 100ms, false);
  MonoTime expected = start + 100ms;
  for (const Duration wait : {200ms, 400ms, 800ms, 1600ms, 3200ms, 1600ms}) {
    CHECK(transaction.deadline() == expected);
    CHECK_FALSE(transaction.Expired(transaction.deadline()));
    expected += wait;
  }
  CHECK(transaction.deadline() == expected);
  CHECK(transaction.Expired(transaction.deadline()));
}

TEST_CASE("8489_6_2_1: a late timer counts from when it ran, so sendings never bunch") {
  Transaction transaction = Make();
  transaction.Start(MonoTime(0s), 500ms, false);
  CHECK_FALSE(transaction.Expired(MonoTime(10s)));
  CHECK(transaction.deadline() == MonoTime(11s));
}

TEST_CASE("8489_6_2_2: a stream waits 79 RTO and never sends again") {
  Transaction transaction = Make();
  transaction.Start(MonoTime(0s), 500ms, true);
  CHECK(transaction.deadline() == MonoTime(39500ms));
  CHECK(transaction.Expired(transaction.deadline()));
}

TEST_CASE("a transaction keeps what it was made from") {
  const Transaction transaction = Make();
  CHECK(transaction.intent().kind == RequestKind::kRefresh);
  CHECK(transaction.id()[0] == 1);
  CHECK(transaction.message().size() == 1);
  CHECK(transaction.authenticated());
  CHECK_FALSE(transaction.retried());
}

}  // namespace
}  // namespace turnpike
