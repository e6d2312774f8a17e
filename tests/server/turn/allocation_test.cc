#include "server/turn/allocation.h"

#include <doctest/doctest.h>

#include "tests/support/core_world.h"

namespace turnpike {
namespace {

MonoTime At(int seconds) { return MonoTime(std::chrono::seconds(seconds)); }

Allocation Live(int expires) {
  static LiveUsage usage;
  static BoundaryRing ring;
  Allocation allocation;
  allocation.state = AllocationState::kLive;
  allocation.meter = SessionMeter(&usage, &ring, SlotId(1));
  allocation.legs[0].open = true;
  allocation.legs[0].expires_at = At(expires);
  return allocation;
}

}  // namespace

TEST_CASE("Allocation: the next deadline is the first of legs, permissions and rested channels") {
  Allocation allocation = Live(2000);
  CHECK(allocation.NextDeadline() == At(2000));
  allocation.channels.Add(
      {.peer = Address("9.9.9.9:9"), .number = stun::kFirstChannel, .expires_at = At(600)});
  CHECK(allocation.NextDeadline() == At(900));
  allocation.InstallPermission(Ip("9.9.9.9"), At(0));
  CHECK(allocation.NextDeadline() == At(300));
  allocation.Expire(At(300));
  CHECK(allocation.permissions.empty());
  CHECK(allocation.NextDeadline() == At(900));
  CHECK(allocation.BoundChannel(stun::kFirstChannel, At(599)) != nullptr);
  CHECK(allocation.BoundChannel(stun::kFirstChannel, At(600)) == nullptr);
  allocation.Expire(At(899));
  CHECK(allocation.channels.size() == 1);
  allocation.Expire(At(900));
  CHECK(allocation.channels.empty());
}

TEST_CASE("8656_9 Allocation: a permission is one per IP, and is refreshed in place") {
  Allocation allocation = Live(2000);
  allocation.InstallPermission(Ip("9.9.9.9"), At(0));
  allocation.InstallPermission(Ip("9.9.9.9"), At(100));
  CHECK(allocation.permissions.size() == 1);
  CHECK(allocation.FindPermission(Ip("9.9.9.9"), At(399)) != nullptr);
  CHECK(allocation.FindPermission(Ip("9.9.9.9"), At(400)) == nullptr);
  CHECK(allocation.FindPermission(Ip("9.9.9.8"), At(0)) == nullptr);
}

TEST_CASE("Allocation notices when its parts do not fit together") {
  CHECK(Live(10).IsConsistent());
  Allocation two_names = Live(10);
  for (int i = 0; i < 2; ++i) {
    two_names.channels.Add(
        {.peer = Address("9.9.9.9:9"), .number = stun::kFirstChannel, .expires_at = At(1)});
  }
  CHECK(!two_names.IsConsistent());
  Allocation other_family = Live(10);
  other_family.permissions.Add({.ip = Ip("2a00::9"), .expires_at = At(1)});
  CHECK(!other_family.IsConsistent());
  Allocation closed = Live(10);
  closed.legs[0].open = false;
  CHECK(!closed.IsConsistent());
}

}  // namespace turnpike
