// The run by seconds.
#include "tools/load/timeline.h"

#include <doctest/doctest.h>

#include <chrono>

namespace turnpike::load {
namespace {

using std::chrono::milliseconds;

TEST_CASE("a packet counts in the second that it was intended for, also when it comes later") {
  const MonoTime origin{std::chrono::seconds(50)};
  Timeline a, b;
  a.SetOrigin(origin);
  b.SetOrigin(origin);
  a.OnSent(origin + milliseconds(999), 100);
  a.OnReceived(origin + milliseconds(999), 100, milliseconds(5));
  b.OnSent(origin + milliseconds(1000), 100);
  b.OnSent(origin + milliseconds(2500), 70);
  a.Merge(b);
  REQUIRE(a.intervals().size() == 3);
  CHECK(a.intervals()[0].sent_packets == 1);
  CHECK(a.intervals()[0].received_packets == 1);
  CHECK(a.intervals()[0].latency.max() == milliseconds(5));
  CHECK(a.intervals()[1].sent_packets == 1);
  CHECK(a.intervals()[1].received_packets == 0);
  CHECK(a.intervals()[2].sent_bytes == 70);
}

}  // namespace
}  // namespace turnpike::load
