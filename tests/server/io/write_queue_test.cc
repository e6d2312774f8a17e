#include "server/io/write_queue.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <deque>

#include "tests/server/io/fake_stream_host.h"

namespace turnpike {
namespace {

// FakeSink takes as many bytes per call as it is told, then nothing.
class FakeSink final : public ByteSink {
 public:
  std::expected<size_t, int> Write(std::span<const iovec> vectors) override {
    ++calls;
    if (error != 0) return std::unexpected(error);
    if (portions.empty()) return std::unexpected(EAGAIN);
    size_t left = portions.front();
    portions.pop_front();
    const size_t before = taken.size();
    for (const iovec& vector : vectors) {
      const size_t count = std::min(left, vector.iov_len);
      taken.append(static_cast<const char*>(vector.iov_base), count);
      left -= count;
    }
    return taken.size() - before;
  }

  std::deque<size_t> portions;
  std::string taken;
  int error = 0;
  int calls = 0;
};

struct QueueWorld {
  explicit QueueWorld(size_t limit = 1 << 20) : queue(sink, reports, limit) {}

  FakeSink sink;
  FakeReports reports;
  WriteQueue queue;
};

constexpr size_t kPlenty = 1 << 30;

}  // namespace

TEST_CASE("messages of one turn leave in one call, and are reported when taken") {
  QueueWorld world;
  world.sink.portions = {kPlenty};
  for (const char* payload : {"one", "three", ""}) {
    world.queue.AddForward(ForwardOf(LinkId(1), payload));
  }
  world.queue.AddMessage({'s', 't', 'u', 'n'});
  CHECK(world.reports.reports.empty());
  CHECK(world.queue.Flush());
  CHECK(world.sink.calls == 1);
  CHECK(world.sink.taken == MessageOf("one") + MessageOf("three") + MessageOf("") + "stun");
  REQUIRE(world.reports.reports.size() == 3);
  for (const auto& [payload, result] : world.reports.reports) CHECK(result.has_value());
  CHECK(world.queue.size() == 0);
}

TEST_CASE("a write that stops at any byte loses nothing, and bills a message with its last byte") {
  const std::vector<std::string> payloads = {"seven77", "12345678", "", "x"};
  std::string expected;
  std::vector<size_t> ends;
  for (const std::string& payload : payloads) {
    expected += MessageOf(payload);
    ends.push_back(expected.size());
  }
  for (size_t first = 0; first <= expected.size(); ++first) {
    CAPTURE(first);
    QueueWorld world;
    std::vector<std::string> buffers = payloads;
    for (const std::string& payload : buffers) {
      world.queue.AddForward(ForwardOf(LinkId(1), payload));
    }
    if (first > 0) world.sink.portions = {first};
    CHECK(world.queue.Flush());
    for (std::string& buffer : buffers) std::ranges::fill(buffer, '!');  // the batch is over
    CHECK(world.queue.is_blocked() == (first < expected.size()));
    CHECK(world.queue.size() == expected.size() - first);
    const auto check_reports = [&] {
      size_t complete = 0;
      while (complete < ends.size() && ends[complete] <= world.sink.taken.size()) ++complete;
      CHECK(world.reports.reports.size() == complete);
    };
    check_reports();
    while (world.sink.taken.size() < expected.size()) {
      world.sink.portions = {1};
      CHECK(world.queue.Resume());
      check_reports();
    }
    CHECK(world.sink.taken == expected);
    CHECK(world.queue.size() == 0);
  }
}

TEST_CASE("what comes while the client does not read waits behind the rest, in order") {
  QueueWorld world;
  std::string buffer = "first!";
  world.queue.AddForward(ForwardOf(LinkId(1), buffer));
  world.queue.Flush();
  buffer = "second";
  world.queue.AddForward(ForwardOf(LinkId(1), buffer));
  world.queue.AddMessage({'s', 't', 'u', 'n'});
  world.queue.Flush();
  CHECK(world.sink.calls == 1);  // nobody asks a full socket twice
  world.sink.portions = {9, kPlenty};
  world.queue.Resume();
  world.queue.Resume();
  CHECK(world.sink.taken == MessageOf("first!") + MessageOf("second") + "stun");
  CHECK(world.reports.reports.size() == 2);
}

TEST_CASE("a client that never reads costs at most the limit") {
  constexpr size_t kLimit = 64 << 10;
  QueueWorld world(kLimit);
  const std::string payload(1000, 'p');
  size_t queued = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (world.queue.HasRoom(1004)) {
      world.queue.AddForward(ForwardOf(LinkId(1), payload));
      ++queued;
    }
    if (i % 16 == 0) world.queue.Flush();
  }
  CHECK(queued == kLimit / 1004);
  CHECK(world.queue.size() <= kLimit);
  CHECK(world.queue.memory() < 4 * kLimit);
  CHECK(world.queue.HasReserve(20));
  world.sink.portions = {kPlenty};
  world.queue.Resume();
  CHECK(world.reports.reports.size() == queued);
  CHECK(world.queue.memory() < 32 << 10);
}

TEST_CASE("empty datagrams to a client that never reads cost no more than large ones") {
  constexpr size_t kLimit = 64 << 10;
  QueueWorld world(kLimit);
  for (int i = 0; i < 10'000; ++i) {
    if (world.queue.HasRoom(4)) world.queue.AddForward(ForwardOf(LinkId(1), ""));
    if (i % 16 == 0) world.queue.Flush();
  }
  CHECK(world.queue.memory() < 4 * kLimit);
  world.sink.portions = {kPlenty};
  world.queue.Resume();
  CHECK(world.reports.reports.size() == kLimit / 128);
}

TEST_CASE("a turn may bring more than the limit when the client reads") {
  QueueWorld world(4096);
  const std::string payload(1020, 'p');
  for (int i = 0; i < 100; ++i) {
    world.sink.portions = {kPlenty};
    REQUIRE(world.queue.HasRoom(1024));
    world.queue.AddForward(ForwardOf(LinkId(1), payload));
  }
  world.queue.Flush();
  CHECK(world.reports.reports.size() == 100);
}

TEST_CASE("what the client did not get is reported as gone, a partly written message too") {
  QueueWorld world;
  world.sink.portions = {10};
  for (const char* payload : {"abcd", "efgh", "ijkl"}) {
    world.queue.AddForward(ForwardOf(LinkId(1), payload));
  }
  world.queue.Flush();
  world.sink.portions = {0};
  world.queue.Abandon(DropReason::kClientGone);
  REQUIRE(world.reports.reports.size() == 3);
  CHECK(world.reports.reports[0].second.has_value());
  CHECK(world.reports.reports[1].second == std::unexpected(DropReason::kClientGone));
  CHECK(world.reports.reports[2].second == std::unexpected(DropReason::kClientGone));
  CHECK(world.queue.size() == 0);
  CHECK_FALSE(world.queue.Flush());
}

TEST_CASE("a broken connection stays broken") {
  QueueWorld world;
  world.sink.error = EPIPE;
  world.queue.AddForward(ForwardOf(LinkId(1), "abcd"));
  CHECK_FALSE(world.queue.Flush());
  CHECK_FALSE(world.queue.Resume());
  CHECK(world.sink.calls == 1);
  CHECK(world.reports.reports.empty());
  world.queue.Abandon(DropReason::kClientGone);
  CHECK(world.reports.reports.size() == 1);
}

TEST_CASE("records carry a message to their last byte, whatever other records stand between") {
  QueueWorld world;
  world.queue.AppendBytes(AsBytes("handshake"));
  world.queue.AppendBytes(AsBytes("record1record2"));
  world.queue.EndForward(ForwardOf(LinkId(1), "abcd"));
  world.queue.AppendBytes(AsBytes("ticket"));
  world.sink.portions = {9 + 13};
  world.queue.Flush();
  CHECK(world.reports.reports.empty());
  world.sink.portions = {1};
  world.queue.Resume();
  CHECK(world.reports.reports.size() == 1);
  world.sink.portions = {kPlenty};
  world.queue.Resume();
  CHECK(world.sink.taken == "handshakerecord1record2ticket");
}

}  // namespace turnpike
