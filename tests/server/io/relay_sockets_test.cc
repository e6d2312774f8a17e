#include "server/io/relay_sockets.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "tests/server/io/fake_host.h"
#include "tests/server/io/loop_until.h"

namespace turnpike {
namespace {

constexpr RelayId Id(uint32_t generation, uint32_t index) {
  return RelayId(uint64_t{generation} << 32 | index);
}

}  // namespace

TEST_CASE("what a peer sends comes with the relay it came in at") {
  UvLoop loop;
  FakeHost host;
  RelaySockets relays(loop.get(), host);
  REQUIRE(relays.Open(Id(1, 0), Address("127.0.0.1:0")).has_value());
  REQUIRE(relays.Open(Id(1, 131), Address("[::1]:0")).has_value());
  CHECK(relays.size() == 2);
  TestSocket v4(Address("127.0.0.1:0"));
  TestSocket v6(Address("[::1]:0"));
  v4.Send("four", LocalAddress(*relays.Find(Id(1, 0))));
  v6.Send("six", LocalAddress(*relays.Find(Id(1, 131))));
  REQUIRE(LoopUntil(loop.get(), [&] { return host.from_peers.size() == 2; }));
  for (const auto& datagram : host.from_peers) {
    const bool four = datagram.bytes == "four";
    CHECK(datagram.relay == (four ? Id(1, 0) : Id(1, 131)));
    CHECK(datagram.peer == PeerAddress(four ? v4.address() : v6.address()));
  }
}

TEST_CASE("a port in use, and descriptors that ran out, are told apart") {
  UvLoop loop;
  FakeHost host;
  RelaySockets relays(loop.get(), host);
  TestSocket other(Address("127.0.0.1:0"));
  CHECK(relays.Open(Id(1, 0), other.address()).error() == OpenError::kPortInUse);
  CHECK(relays.Open(Id(1, 0), Address("192.0.2.1:4000")).error() == OpenError::kNoResource);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const auto exhausted = relays.Open(Id(1, 0), Address("127.0.0.1:0"));
  setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(!exhausted.has_value());
  CHECK(exhausted.error() == OpenError::kNoResource);
  CHECK(relays.last_errno() == EMFILE);
  CHECK(relays.size() == 0);
  CHECK(relays.Open(Id(1, 0), Address("127.0.0.1:0")).has_value());
}

TEST_CASE("8656_11_5_a_closed_port_of_a_peer_is_reported_once_and_leaves_nothing_to_wake_for") {
  for (const char* loopback : {"127.0.0.1:0", "[::1]:0"}) {
    CAPTURE(std::string(loopback));
    UvLoop loop;
    FakeHost host;
    RelaySockets relays(loop.get(), host);
    REQUIRE(relays.Open(Id(1, 0), Address(loopback)).has_value());
    UdpSocket& socket = *relays.Find(Id(1, 0));
    const TransportAddress closed = TestSocket(Address(loopback)).address();
    TestSocket open(Address(loopback));
    FakeReports reports;
    Outbox outbox(reports);
    // What follows a rejected datagram is sent all the same, in one batch and in the next.
    const std::string payload = "x";
    for (int flush = 0; flush < 2; ++flush) {
      for (const TransportAddress& to : {closed, open.address(), closed, open.address()}) {
        Forward forward;
        forward.to = to;
        forward.payload = AsBytes(payload);
        outbox.Add(socket, forward);
      }
      outbox.Flush();
    }
    CHECK(reports.reports.size() == 8);
    for (const auto& [bytes, result] : reports.reports) CHECK(result.has_value());
    for (int i = 0; i < 4; ++i) CHECK(open.Receive().bytes == "x");
    open.Send("answer", LocalAddress(socket));
    REQUIRE(LoopUntil(loop.get(),
                      [&] { return host.errors.size() == 4 && host.from_peers.size() == 1; }));
    const bool is_v4 = closed.ip.is_v4();
    for (const auto& error : host.errors) {
      CHECK(error.relay == Id(1, 0));
      CHECK(error.peer == PeerAddress(closed));
      CHECK(error.error.type == (is_v4 ? 3 : 1));  // destination unreachable
      CHECK(error.error.code == (is_v4 ? 3 : 4));  // port unreachable
    }
    pollfd idle{.fd = socket.fd.get(), .events = POLLIN, .revents = 0};
    CHECK(poll(&idle, 1, 0) == 0);
  }
}

TEST_CASE("a closed relay is not found, and its place is used again under another id") {
  UvLoop loop;
  FakeHost host;
  RelaySockets relays(loop.get(), host);
  REQUIRE(relays.Open(Id(1, 5), Address("127.0.0.1:0")).has_value());
  const TransportAddress address = LocalAddress(*relays.Find(Id(1, 5)));
  relays.Close(Id(1, 5));
  relays.Close(Id(1, 5));
  CHECK(relays.Find(Id(1, 5)) == nullptr);
  REQUIRE(relays.Open(Id(2, 5), address).has_value());
  CHECK(relays.Find(Id(1, 5)) == nullptr);
  CHECK(relays.Find(Id(2, 5)) != nullptr);
  CHECK(relays.size() == 1);
}

TEST_CASE("a relay that is closed by its own datagram hands over nothing more") {
  struct Closer final : TransportHost {
    ReceiveBatch& receive_batch() override { return batch; }
    size_t OnClientDatagram(const Client&, ByteSpan, ByteSpan) override { return 0; }
    size_t OnPeerDatagram(RelayId relay, const PeerAddress&, ByteSpan, ByteSpan) override {
      ++datagrams;
      relays->Close(relay);
      return 0;
    }
    void OnPeerError(RelayId, const PeerAddress&, const IcmpError&) override {}
    void OnBatchEnd() override { batch.Reset(); }
    Counter overflows;
    ReceiveBatch batch{overflows};
    RelaySockets* relays = nullptr;
    int datagrams = 0;
  } host;
  UvLoop loop;
  RelaySockets relays(loop.get(), host);
  host.relays = &relays;
  REQUIRE(relays.Open(Id(1, 0), Address("127.0.0.1:0")).has_value());
  TestSocket peer(Address("127.0.0.1:0"));
  for (int i = 0; i < 3; ++i) peer.Send("x", LocalAddress(*relays.Find(Id(1, 0))));
  REQUIRE(LoopUntil(loop.get(), [&] { return host.datagrams > 0; }));
  CHECK(host.datagrams == 1);
  CHECK(relays.size() == 0);
}

}  // namespace turnpike
