// When packets are due, with time as an argument.
#include "tools/load/schedule.h"

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

namespace turnpike::load {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

const MonoTime kStart{std::chrono::seconds(100)};

std::vector<DuePacket> PopAll(Schedule& schedule, MonoTime now) {
  std::vector<DuePacket> all;
  while (const auto due = schedule.Pop(now)) all.push_back(*due);
  return all;
}

TEST_CASE("a steady flow is due once each period, from its start on") {
  const Pattern pattern = ConstantPattern(milliseconds(20), 100);
  Schedule schedule{Duration(0)};
  schedule.Add(3, {&pattern, kStart + milliseconds(5)});
  CHECK(schedule.Next() == kStart + milliseconds(5));
  CHECK(!schedule.Pop(kStart + milliseconds(4)));
  const auto due = schedule.Pop(kStart + milliseconds(5));
  REQUIRE(due);
  CHECK(due->flow == 3);
  CHECK(due->sequence == 0);
  CHECK(due->size == 100);
  CHECK(due->intended == kStart + milliseconds(5));
  CHECK(schedule.Next() == kStart + milliseconds(25));
}

TEST_CASE("who comes late gets every packet, each with its own intended time") {
  const Pattern pattern = ConstantPattern(milliseconds(20), 100);
  Schedule schedule{Duration(0)};
  schedule.Add(0, {&pattern, kStart});
  const auto all = PopAll(schedule, kStart + milliseconds(95));
  REQUIRE(all.size() == 5);
  for (uint32_t i = 0; i < 5; ++i) {
    CHECK(all[i].sequence == i);
    CHECK(all[i].intended == kStart + i * milliseconds(20));
  }
}

TEST_CASE("on a tick all packets since the tick before are due, flow by flow") {
  const Pattern pattern = ConstantPattern(milliseconds(20), 100);
  Schedule schedule{milliseconds(1)};
  schedule.SetOrigin(kStart);
  for (uint32_t flow = 0; flow < 3; ++flow) {
    schedule.Add(flow, {&pattern, kStart + microseconds(100) * (flow + 1)});
  }
  CHECK(schedule.Next() == kStart + milliseconds(1));
  const auto all = PopAll(schedule, kStart + milliseconds(1));
  REQUIRE(all.size() == 3);
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(all[i].flow == i);
    CHECK(all[i].intended == kStart + milliseconds(1));
  }
  // The rate is not changed by the grid: exactly 50 of each flow in a second.
  CHECK(PopAll(schedule, kStart + milliseconds(1000)).size() == 3 * 49);
}

TEST_CASE("a frame's packets are due together and come one after the other") {
  const Pattern pattern{{{Duration(0), 1200}, {Duration(0), 50}}, milliseconds(33)};
  Schedule schedule{Duration(0)};
  schedule.Add(1, {&pattern, kStart});
  schedule.Add(0, {&pattern, kStart});
  const auto all = PopAll(schedule, kStart);
  REQUIRE(all.size() == 4);
  CHECK(all[0].flow == all[1].flow);
  CHECK(all[2].flow == all[3].flow);
  CHECK(all[1].size == 50);
  CHECK(schedule.Next() == kStart + milliseconds(33));
}

TEST_CASE("rounds, ends and stops end a flow") {
  const Pattern pattern = ConstantPattern(milliseconds(10), 1);
  const MonoTime late = kStart + std::chrono::hours(1);
  SUBCASE("rounds") {
    Schedule schedule{Duration(0)};
    schedule.Add(0, {&pattern, kStart, MonoTime::max(), 3});
    CHECK(PopAll(schedule, late).size() == 3);
    CHECK(!schedule.Next());
  }
  SUBCASE("end of the flow") {
    Schedule schedule{Duration(0)};
    schedule.Add(0, {&pattern, kStart, kStart + milliseconds(20)});
    CHECK(PopAll(schedule, late).size() == 2);
  }
  SUBCASE("end of all") {
    Schedule schedule{Duration(0)};
    schedule.Add(0, {&pattern, kStart});
    schedule.StopAt(kStart + milliseconds(50));
    CHECK(PopAll(schedule, late).size() == 5);
    CHECK(!schedule.Next());
  }
  SUBCASE("stop") {
    Schedule schedule{Duration(0)};
    schedule.Add(0, {&pattern, kStart});
    schedule.Stop(0);
    CHECK(!schedule.Next());
  }
}

TEST_CASE("a flow that is added anew begins at 0, and nothing of the old one is left") {
  const Pattern pattern = ConstantPattern(milliseconds(10), 1);
  Schedule schedule{Duration(0)};
  schedule.Add(0, {&pattern, kStart});
  CHECK(schedule.Pop(kStart));
  schedule.Add(0, {&pattern, kStart + milliseconds(15)});
  const auto all = PopAll(schedule, kStart + milliseconds(20));
  REQUIRE(all.size() == 1);
  CHECK(all[0].sequence == 0);
  CHECK(all[0].intended == kStart + milliseconds(15));
}

TEST_CASE("what can wait is done at the next tick") {
  const MonoTime origin{std::chrono::seconds(1)};
  Schedule ticking(std::chrono::milliseconds(2));
  ticking.SetOrigin(origin);
  CHECK(ticking.NextTick(origin + std::chrono::milliseconds(2)) ==
        origin + std::chrono::milliseconds(2));
  CHECK(ticking.NextTick(origin + std::chrono::microseconds(2001)) ==
        origin + std::chrono::milliseconds(4));
  Schedule exact(Duration(0));
  exact.SetOrigin(origin);
  CHECK(exact.NextTick(origin + std::chrono::microseconds(2001)) ==
        origin + std::chrono::milliseconds(3));
}

}  // namespace
}  // namespace turnpike::load
