#include "server/io/udp.h"

#include <doctest/doctest.h>

#include "tests/server/io/fake_host.h"
#include "tests/server/io/loop_until.h"

namespace turnpike {

TEST_CASE("a wildcard listener says which address was asked, and answers from it") {
  struct Case {
    const char* wildcard;
    const char* client;
    const char* asked;
  };
  for (const Case& c :
       {Case{"0.0.0.0:0", "127.0.0.1:0", "127.0.0.9"}, Case{"[::]:0", "[::1]:0", "::1"}}) {
    CAPTURE(c.wildcard);
    UvLoop loop;
    FakeHost host;
    const auto listener = *UdpListener::Open(loop.get(), Address(c.wildcard), LinkId(7), host);
    TestSocket client(Address(c.client));
    const TransportAddress asked{*IpAddress::Parse(c.asked), listener->address().port};
    client.Send("hello", asked);
    REQUIRE(LoopUntil(loop.get(), [&] { return !host.from_clients.empty(); }));
    const Client& seen = host.from_clients[0].client;
    CHECK(seen.five_tuple.server == asked);
    CHECK(seen.five_tuple.client == client.address());
    CHECK(seen.five_tuple.transport == Transport::kUdp);
    CHECK(seen.link == LinkId(7));

    FakeReports reports;
    Outbox outbox(reports);
    outbox.Add(listener->udp_socket(), SendMessage{LinkId(7), asked, client.address(), {'o', 'k'}});
    outbox.Flush();
    const auto answer = client.Receive();
    CHECK(answer.bytes == "ok");
    CHECK(answer.from == asked);
  }
}

TEST_CASE("a listener on one address needs no destination and shares its port with other workers") {
  UvLoop loop;
  FakeHost host;
  const auto first = *UdpListener::Open(loop.get(), Address("127.0.0.1:0"), LinkId(0), host);
  const auto second = UdpListener::Open(loop.get(), first->address(), LinkId(1), host);
  REQUIRE(second.has_value());
  for (int i = 0; i < 64; ++i) {
    TestSocket client(Address("127.0.0.1:0"));
    client.Send("x", first->address());
  }
  REQUIRE(LoopUntil(loop.get(), [&] { return host.from_clients.size() == 64; }));
  int of_first = 0;
  for (const auto& message : host.from_clients) {
    CHECK(message.client.five_tuple.server == first->address());
    of_first += message.client.link == LinkId(0);
  }
  CHECK(of_first > 0);
  CHECK(of_first < 64);
}

TEST_CASE("a port that another program has is said so, although SO_REUSEPORT could join it") {
  TestSocket other(Address("127.0.0.1:0"));
  const auto taken = CheckUdpAddressFree(other.address());
  REQUIRE(!taken.has_value());
  CHECK(taken.error().find(other.address().ToString()) != std::string::npos);
  CHECK(taken.error().find("another program has this port") != std::string::npos);
  UvLoop loop;
  FakeHost host;
  const auto listener = UdpListener::Open(loop.get(), Address("192.0.2.1:3478"), LinkId(0), host);
  REQUIRE(!listener.has_value());
  CHECK(listener.error().find("no interface of this host") != std::string::npos);
}

TEST_CASE("a burst comes in batches, in order, whole") {
  UvLoop loop;
  FakeHost host;
  const auto listener = *UdpListener::Open(loop.get(), Address("127.0.0.1:0"), LinkId(0), host);
  TestSocket client(Address("127.0.0.1:0"));
  const size_t count = 5 * ReceiveBatch::kBatch;
  for (size_t i = 0; i < count; ++i) client.Send(std::to_string(i), listener->address());
  client.Send(std::string(65507, 'x'), listener->address());
  REQUIRE(LoopUntil(loop.get(), [&] { return host.from_clients.size() == count + 1; }));
  for (size_t i = 0; i < count; ++i) CHECK(host.from_clients[i].bytes == std::to_string(i));
  CHECK(host.from_clients[count].bytes.size() == 65507);
  CHECK(host.batches <= 8);
}

TEST_CASE("a run that was sent as one is received datagram by datagram, with or without UDP GRO") {
  for (const UdpPath path : {UdpPath::kPlain, UdpPath::kBatch, UdpPath::kOffload}) {
    CAPTURE(UdpPathName(path));
    Counter overflows;
    ReceiveBatch batch(overflows, path);
    UdpSocket socket = *OpenUdpSocket(Address("127.0.0.1:0"), {.receive_runs = batch.takes_runs()});
    UdpSocket sender = *OpenUdpSocket(Address("127.0.0.1:0"), {});
    FakeReports reports;
    Outbox outbox(reports);
    const std::vector<std::string> sent = {"", "aaaa", "bbbb", "cccc", "dd", "", "eeee"};
    for (const std::string& payload : sent) {
      Forward forward;
      forward.to = LocalAddress(socket);
      forward.payload = AsBytes(payload);
      outbox.Add(sender, forward);
    }
    outbox.Flush();
    std::vector<std::string> received;
    size_t calls = 0;
    for (bool more = true; more; ++calls) {
      const Received got = batch.Receive(socket);
      for (const ReceivedRun& run : got.runs) {
        CHECK(run.from == LocalAddress(sender));
        run.ForEach([&](ByteSpan bytes, ByteSpan) -> std::optional<size_t> {
          received.emplace_back(AsText(bytes));
          return 0;
        });
      }
      more = got.more;
      batch.Reset();
    }
    CHECK(received == sent);
    CHECK((calls > sent.size()) == (path == UdpPath::kPlain));
  }
}

TEST_CASE("a run is taken apart as far as its datagrams are wanted") {
  std::vector<uint8_t> bytes = {'a', 'a', 'a', 'b', 'b', 'b', 'c'};
  const ReceivedRun run{.bytes = bytes, .segment = 3, .from = {}, .to = {}};
  for (const size_t wanted : {1u, 2u, 3u}) {
    std::vector<std::string> taken;
    run.ForEach([&](ByteSpan datagram, ByteSpan) {
      taken.emplace_back(AsText(datagram));
      return taken.size() < wanted ? std::optional<size_t>(0) : std::nullopt;
    });
    const std::vector<std::string> all = {"aaa", "bbb", "c"};
    CHECK(taken == std::vector<std::string>(all.begin(), all.begin() + std::ptrdiff_t(wanted)));
  }
}

TEST_CASE("what is taken along does not come again") {
  std::vector<uint8_t> bytes = {'a', 'a', 'b', 'b', 'c', 'c', 'd'};
  const ReceivedRun run{.bytes = bytes, .segment = 2, .from = {}, .to = {}};
  std::vector<std::string> taken;
  run.ForEach([&](ByteSpan datagram, ByteSpan rest) -> std::optional<size_t> {
    taken.emplace_back(std::string(AsText(datagram)) + "|" + std::string(AsText(rest)));
    return taken.size() == 1 ? 2 : 0;
  });
  CHECK(taken == std::vector<std::string>{"aa|bbccd", "d|"});
}

TEST_CASE("what the kernel drops for want of room is counted") {
  FakeHost host;
  UdpSocket socket = *OpenUdpSocket(Address("127.0.0.1:0"), {.receive_buffer = 1});
  TestSocket client(Address("127.0.0.1:0"));
  for (int i = 0; i < 100; ++i) client.Send(std::string(1000, 'x'), LocalAddress(socket));
  size_t received = 0;
  while (true) {
    const auto batch = host.receive_batch().Receive(socket);
    host.receive_batch().Reset();
    received += batch.runs.size();
    if (batch.runs.empty()) break;
  }
  // The count comes with the first datagram that was queued after the loss.
  client.Send("after", LocalAddress(socket));
  CHECK(host.receive_batch().Receive(socket).runs.size() == 1);
  CHECK(received < 100);
  CHECK(host.overflows.Get() == 100 - received);
}

}  // namespace turnpike
