#include "tools/load/udp_sender.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "tools/load/socket.h"
#include "tools/load/udp_receiver.h"

namespace turnpike::load {
namespace {

const IpAddress kLoopback = *IpAddress::Parse("127.0.0.1");

struct Pair {
  UniqueFd sender;
  UniqueFd receiver;
};

Pair MakePair() {
  Pair pair{std::move(*OpenUdp(kLoopback)), std::move(*OpenUdp(kLoopback))};
  REQUIRE(Connect(pair.sender, LocalAddress(pair.receiver)));
  return pair;
}

struct Collector final : MessageSink {
  void OnMessage(ByteSpan bytes, MonoTime) override {
    messages.emplace_back(bytes.begin(), bytes.end());
  }
  std::vector<std::string> messages;
};

std::vector<std::string> Received(const UniqueFd& fd) {
  UdpReceiver receiver;
  Collector collector;
  CHECK(receiver.Receive(fd.get(), Duration(0), MonoTime(), collector) == 0);
  return collector.messages;
}

ByteSpan Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST_CASE("trains of many sockets arrive whole and in order, batched or one by one") {
  for (const bool batched : {true, false}) {
    CAPTURE(batched);
    UdpSender sender(batched);
    if (!batched) CHECK(!sender.is_batched());
    const Pair a = MakePair();
    const Pair b = MakePair();
    std::vector<Train> trains;
    trains.push_back({a.sender.get(), Bytes("aabbc"), 2, 3});
    trains.push_back({b.sender.get(), Bytes("one"), 3, 1});
    trains.push_back({a.sender.get(), Bytes("last"), 4, 1});
    sender.Send(trains);
    CHECK(trains[0].taken == 3);
    CHECK(trains[1].taken == 1);
    CHECK(trains[2].taken == 1);
    CHECK(Received(a.receiver) == std::vector<std::string>{"aa", "bb", "c", "last"});
    CHECK(Received(b.receiver) == std::vector<std::string>{"one"});
  }
}

TEST_CASE("more trains than one batch holds all leave") {
  UdpSender sender;
  const Pair pair = MakePair();
  std::vector<Train> trains(600, Train{pair.sender.get(), Bytes("x"), 1, 1});
  sender.Send(trains);
  uint32_t taken = 0;
  for (const Train& train : trains) taken += train.taken;
  CHECK(taken == 600);
  CHECK(Received(pair.receiver).size() == 600);
}

TEST_CASE("a train that the kernel refuses is told of, and the others leave") {
  for (const bool batched : {true, false}) {
    CAPTURE(batched);
    UdpSender sender(batched);
    const Pair pair = MakePair();
    const UniqueFd unconnected = std::move(*OpenUdp(kLoopback));
    std::vector<Train> trains;
    trains.push_back({unconnected.get(), Bytes("nowhere"), 7, 1});
    trains.push_back({pair.sender.get(), Bytes("there"), 5, 1});
    sender.Send(trains);
    CHECK(trains[0].taken == 0);
    CHECK(trains[0].error == EDESTADDRREQ);
    CHECK(trains[1].taken == 1);
    CHECK(Received(pair.receiver) == std::vector<std::string>{"there"});
  }
}

TEST_CASE("an error that an earlier datagram met does not keep a later one from leaving") {
  for (const bool batched : {true, false}) {
    CAPTURE(batched);
    UdpSender sender(batched);
    Pair pair = MakePair();
    pair.receiver.Reset();  // so each datagram is answered by ICMP, which the next send reports
    std::vector<Train> trains(3, Train{pair.sender.get(), Bytes("x"), 1, 1});
    sender.Send(trains);
    for (const Train& train : trains) CHECK(train.taken == 1);
  }
}

}  // namespace
}  // namespace turnpike::load
