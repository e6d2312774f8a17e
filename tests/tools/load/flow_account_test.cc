// Loss, duplicates and order of one flow.
#include "tools/load/flow_account.h"

#include <doctest/doctest.h>

namespace turnpike::load {
namespace {

FlowAccount Sent(int packets) {
  FlowAccount account;
  for (int i = 0; i < packets; ++i) account.OnSent(100);
  return account;
}

TEST_CASE("in order and whole, nothing is lost") {
  FlowAccount account = Sent(1000);
  for (uint32_t i = 0; i < 1000; ++i) CHECK(account.OnReceived(i, 100));
  const FlowCounts expected{1000, 100'000, 0, 1000, 100'000, 0, 0};
  CHECK(account.counts() == expected);
  CHECK(account.counts().lost_packets() == 0);
}

TEST_CASE("a gap is loss until what was in it arrives; then it is reordering") {
  FlowAccount account = Sent(3);
  account.OnReceived(0, 100);
  account.OnReceived(2, 100);
  CHECK(account.counts().lost_packets() == 1);
  CHECK(account.OnReceived(1, 100));
  CHECK(account.counts().lost_packets() == 0);
  CHECK(account.counts().reordered_packets == 1);
  CHECK(account.counts().duplicate_packets == 0);
}

TEST_CASE("a duplicate hides no loss") {
  FlowAccount account = Sent(2);
  CHECK(account.OnReceived(0, 100));
  CHECK(!account.OnReceived(0, 100));
  CHECK(account.counts().duplicate_packets == 1);
  CHECK(account.counts().received_bytes == 200);
  CHECK(account.counts().lost_packets() == 1);
}

TEST_CASE("marks of an earlier window are not taken for this one's") {
  FlowAccount account = Sent(2000);
  for (uint32_t i = 0; i < 300; ++i) account.OnReceived(i, 1);
  // A jump over more than a window, then into the gap.
  CHECK(account.OnReceived(1000, 1));
  for (uint32_t i = 1001 - FlowAccount::kWindow; i < 1000; ++i) CHECK(account.OnReceived(i, 1));
  CHECK(!account.OnReceived(900, 1));
  CHECK(account.counts().duplicate_packets == 1);
  // Older than the window: nobody knows, so it counts as late.
  CHECK(account.OnReceived(500, 1));
  CHECK(account.counts().duplicate_packets == 1);
}

TEST_CASE("what could not be sent is not lost on the way") {
  FlowAccount account = Sent(1);
  account.OnUnsent();
  account.OnReceived(0, 100);
  CHECK(account.counts().unsent_packets == 1);
  CHECK(account.counts().lost_packets() == 0);
}

TEST_CASE("counts add up") {
  FlowCounts sum{1, 2, 3, 4, 5, 6, 7};
  sum += FlowCounts{10, 20, 30, 40, 50, 60, 70};
  CHECK(sum == FlowCounts{11, 22, 33, 44, 55, 66, 77});
}

}  // namespace
}  // namespace turnpike::load
