// A host of stream connections that remembers what it was told, and a hub around it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/io/stream_hub.h"
#include "tests/server/io/fake_host.h"
#include "tests/server/io/loop_until.h"

namespace turnpike {

class FakeStreamHost final : public StreamHost {
 public:
  struct Message {
    Client client;
    std::string bytes;
  };

  void OnClientMessage(const Client& client, ByteSpan bytes) override {
    messages.push_back({client, std::string(AsText(bytes))});
    if (on_message) on_message();
  }
  void OnReceiveMemoryFull() override { ++memory_full; }
  void OnLinkClosed(LinkId link) override { closed.push_back(link); }
  void OnClientEnd(CoreId owner, ClientEnd end) override {
    handed_over.emplace_back(owner, std::move(end));
  }
  bool HasAllocation(LinkId link) const override { return allocated.contains(link); }
  const Now& now() override { return time; }

  void Advance(Duration duration) { time.mono += duration; }

  std::vector<Message> messages;
  std::vector<LinkId> closed;
  std::vector<std::pair<CoreId, ClientEnd>> handed_over;
  std::set<LinkId> allocated;
  std::function<void()> on_message;
  int memory_full = 0;
  Now time;
};

// StreamWorld is a hub, and clients on socket pairs.
struct StreamWorld {
  explicit StreamWorld(StreamOptions options = {})
      : hub(loop.get(), host, reports, stats, options) {}

  // Connect returns the client's end of a new connection and sets `link`.
  UniqueFd Connect(const StreamListenOptions& listener = {}, const char* from = "192.0.2.1:7") {
    std::array<int, 2> ends{};
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data());
    const FiveTuple tuple{Address(from), Address("192.0.2.9:3478"), Transport::kTcp};
    hub.Adopt(UniqueFd(ends[0]), tuple, listener);
    link = LinkId(link.value() + 1);
    return UniqueFd(ends[1]);
  }

  // Turn serves what is ready, as a loop turn of the driver does.
  void Turn() {
    uv_run(loop.get(), UV_RUN_NOWAIT);
    EndTurn();
  }
  void EndTurn() {
    do {
      hub.Flush();
    } while (hub.Reap());
    hub.ResetReceiveMemory();
  }

  template <typename Predicate>
  bool Until(Predicate done) {
    return LoopUntil(loop.get(), [&] {
      EndTurn();
      return done();
    });
  }

  // Write is the client's; Read takes what there is.
  void Write(const UniqueFd& fd, std::string_view bytes) {
    CHECK(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  }
  std::string Read(const UniqueFd& fd) {
    std::string all;
    std::array<char, 65536> buffer;
    while (true) {
      const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return all;
      all.append(buffer.data(), static_cast<size_t>(got));
    }
  }
  uint64_t Closed(ConnectionEnd end) const { return stats.closed[static_cast<size_t>(end)].Get(); }

  UvLoop loop;
  FakeStreamHost host;
  FakeReports reports;
  StreamStats stats;
  StreamHub hub;
  LinkId link{kFirstConnection - 1};  // of the newest connection
};

// StunOf returns a Binding request with `size` bytes of body (a multiple of 4); ChannelDataOf a
// message without padding.
inline std::string StunOf(size_t size = 0) {
  std::string message("\x00\x01\x00\x00\x21\x12\xA4\x42", 8);
  message[2] = static_cast<char>(size >> 8);
  message[3] = static_cast<char>(size & 0xFF);
  return message + std::string(12, 'i') + std::string(size, '\0');
}
inline std::string ChannelDataOf(std::string_view payload) {
  std::string message("\x40\x00\x00\x00", 4);
  message[2] = static_cast<char>(payload.size() >> 8);
  message[3] = static_cast<char>(payload.size() & 0xFF);
  return message + std::string(payload);
}

// ForwardOf is ChannelData to `link`, padded to 4; `payload` is not copied.
inline Forward ForwardOf(LinkId link, std::string_view payload) {
  Forward forward;
  forward.direction = Direction::kPeerToClient;
  forward.link = link;
  forward.payload = AsBytes(payload);
  forward.header = {0x40, 0x00, static_cast<uint8_t>(payload.size() >> 8),
                    static_cast<uint8_t>(payload.size() & 0xFF)};
  forward.header_size = 4;
  forward.padding_size = static_cast<uint8_t>((4 - payload.size() % 4) % 4);
  forward.wire_bytes = static_cast<uint32_t>(forward.wire_size());
  return forward;
}
inline std::string MessageOf(std::string_view payload) {
  return ChannelDataOf(payload) + std::string((4 - payload.size() % 4) % 4, '\0');
}

}  // namespace turnpike
