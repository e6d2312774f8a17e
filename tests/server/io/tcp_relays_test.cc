// TCP between clients and peers (RFC 6062), on real sockets.
#include <doctest/doctest.h>

#include "tests/server/io/relay_world.h"

namespace turnpike {
namespace {

using stun::Method;

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

uint64_t Ended(const DataCall& call, ConnectionEnd end) {
  return call.first.driver->stats().streams.closed[static_cast<size_t>(end)].Get();
}

}  // namespace

TEST_CASE(
    "6062_5_2 a connection from the relayed address, both ways, billed as the kernel took it") {
  DataCall call;
  call.Bind();
  SocketAddress from;
  socklen_t size = sizeof(from);
  getpeername(call.peer->fd(), &from.base, &size);
  CHECK(FromSocketAddress(from) == call.relayed);
  call.data.Write("to the peer");
  CHECK(call.PeerGets("to the peer"));
  call.peer->Send("and back");
  CHECK(call.Until([&] { return call.data.Read() == "and back"; }));
  const UsageTotals totals = call.Totals();
  CHECK(totals.payload_bytes == std::array<uint64_t, 2>{11, 8});
  CHECK(totals.wire_bytes == totals.payload_bytes);
  CHECK(totals.packets == std::array<uint64_t, 2>{1, 1});
  CHECK(call.Connections() == 2);
}

TEST_CASE(
    "6062_5_4 what the peer sent before the bind, and the client along with it, is not lost") {
  DataCall call;
  const std::string early = Pattern(100'000);
  call.peer->Send(early);
  call.data.Write(call.data.Build(Method::kConnectionBind, DataCall::ConnectionIs(call.id)) +
                  "early as well");
  CHECK(DataCall::Code(call.Answer(call.data)) == 0);
  CHECK(call.PeerGets("early as well"));
  CHECK(call.Until([&] { return call.data.Read().size() >= early.size(); }));
  CHECK(call.data.Read() == early);
  CHECK(call.Totals().payload_bytes == std::array<uint64_t, 2>{13, early.size()});
}

TEST_CASE("6062_5_2 a peer that refuses: 447, and the place is free") {
  RelayWorld world;
  RawClient control(world.first.listener);
  world.Allocate(control);
  const auto refusing = RelayWorld::PeerIs(Address("127.0.0.1:1"));
  CHECK(RelayWorld::Code(world.Ask(control, Method::kConnect, refusing)) == 447);
  CHECK(RelayWorld::Code(world.Ask(control, Method::kConnect, refusing)) == 447);
  CHECK(world.first.core.stats().peer_connections.Get() == 0);
}

TEST_CASE("6062_5_3 a peer connects: told where permitted, closed where not") {
  RelayWorld world;
  RawClient control(world.first.listener);
  const TransportAddress relayed = world.Allocate(control);
  TestStream stranger(relayed);
  CHECK(world.Until([&] { return stranger.IsClosed(); }));
  CHECK(RelayWorld::Code(world.Ask(control, Method::kCreatePermission,
                                   RelayWorld::PeerIs(Address("127.0.0.1:9")))) == 0);
  TestStream peer(relayed);
  peer.Send("hello");
  const uint32_t id = RelayWorld::ConnectionIn(world.Answer(control));
  RawClient data(world.first.listener);
  data.nonce = control.nonce;
  CHECK(RelayWorld::Code(world.Ask(data, Method::kConnectionBind, RelayWorld::ConnectionIs(id))) ==
        0);
  CHECK(world.Until([&] { return data.Read() == "hello"; }));
  CHECK(world.Slot().dropped_packets[static_cast<size_t>(DropReason::kNoPermission)] == 1);
}

TEST_CASE("6062_5_5 one side closes: the other gets all that was sent, then the end") {
  DataCall call;
  call.Bind();
  const std::string last = Pattern(300'000);
  SUBCASE("the client") {
    std::string got;
    size_t sent = 0;
    CHECK(call.Until([&] {
      sent += call.data.stream().TrySend(std::string_view(last).substr(sent));
      got += call.peer->TryReceive();
      return sent == last.size();
    }));
    call.data.stream().EndSending();
    CHECK(call.Until([&] {
      got += call.peer->TryReceive();
      return call.peer->IsClosed();
    }));
    CHECK(got == last);
    // It has only ended its sending: the peer's answer still comes.
    call.peer->Send("answer");
    CHECK(call.Until([&] { return call.data.Read() == "answer"; }));
    call.peer->Close();
    CHECK(call.Until([&] { return call.data.stream().IsClosed(); }));
    CHECK(call.Totals().payload_bytes == std::array<uint64_t, 2>{last.size(), 6});
    CHECK(call.Until([&] { return Ended(call, ConnectionEnd::kClientClosed) == 1; }));
  }
  SUBCASE("the peer") {
    call.peer->Send("the last word");
    call.peer->Close();
    CHECK(call.Until([&] { return call.data.Read() == "the last word"; }));
    CHECK(call.Until([&] { return call.data.stream().IsClosed(); }));
    call.data.stream().Close();
    CHECK(call.Until([&] { return Ended(call, ConnectionEnd::kPeerClosed) == 1; }));
    CHECK(call.Totals().payload_bytes == std::array<uint64_t, 2>{0, 13});
  }
  CHECK(call.Connections() == 1);
  CHECK(call.first.core.stats().peer_connections.Get() == 0);
  CHECK(call.first.core.allocation_count() == 1);
  CHECK(call.limits.total() == 1);
}

TEST_CASE("a side that breaks ends the other after what it had sent") {
  DataCall call;
  call.Bind();
  SUBCASE("the peer") {
    call.peer->Send("before");
    CHECK(call.Until([&] { return call.data.Read() == "before"; }));
    call.peer->Reset();
    CHECK(call.Until([&] { return call.data.stream().IsClosed(); }));
    CHECK(call.Until([&] { return Ended(call, ConnectionEnd::kPeerClosed) == 1; }));
  }
  SUBCASE("the client") {
    call.data.Write("before");
    CHECK(call.PeerGets("before"));
    call.data.stream().Reset();
    CHECK(call.Until([&] { return call.peer->IsClosed(); }));
    CHECK(call.Until([&] { return Ended(call, ConnectionEnd::kReset) == 1; }));
  }
  CHECK(call.Connections() == 1);
}

TEST_CASE("a peer that does not read holds its client back, and gets everything when it does") {
  DataCall call;
  call.Bind();
  const std::string block = Pattern(1 << 20);
  std::string sent;
  // Until nothing fits any more for some turns of the loop: the kernel's buffers are full, and the
  // server holds one read. Turns do not wait, since nothing more may happen.
  for (int idle = 0; idle < 3;) {
    const size_t fits = call.data.stream().TrySend(block);
    sent += block.substr(0, fits);
    REQUIRE(sent.size() < 64 << 20);
    idle = fits == 0 ? idle + 1 : 0;
    uv_run(call.loop.get(), UV_RUN_NOWAIT);
  }
  CHECK(call.Totals().payload_bytes[0] < sent.size());
  call.data.stream().EndSending();
  std::string got;
  CHECK(call.Until([&] {
    // All that is there: the kernel opens its window only for much.
    for (std::string part; !(part = call.peer->TryReceive()).empty();) got += part;
    return call.peer->IsClosed();
  }));
  CHECK(got == sent);
  CHECK(call.Totals().payload_bytes[0] == sent.size());
}

TEST_CASE("6062_5_5 the end of the allocation is the end of its connections") {
  DataCall call;
  call.Bind();
  call.data.Write("x");
  CHECK(call.PeerGets("x"));
  call.control.stream().Close();
  CHECK(call.Until([&] { return call.peer->IsClosed() && call.data.stream().IsClosed(); }));
  CHECK(call.first.core.allocation_count() == 0);
  CHECK(call.Until([&] { return call.Connections() == 0; }));
  CHECK(call.Slot().totals.payload_bytes == std::array<uint64_t, 2>{1, 0});
  CHECK(call.Slot().closed);
  CHECK(call.limits.total() == 0);
  CHECK(call.ports.ports_in_use() == 0);
  // The port is free for the next one.
  TestStream late(call.relayed);
  CHECK(!late.connected());
}

TEST_CASE("the client's end moves to the worker that owns the peer connection") {
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    DataCall call(true, tls);
    call.peer->Send("waiting");
    call.data.Write(call.data.Build(Method::kConnectionBind, DataCall::ConnectionIs(call.id)) +
                    "early");
    CHECK(DataCall::Code(call.Answer(call.data)) == 0);
    CHECK(call.PeerGets("early"));
    const std::string large = Pattern(200'000);
    call.peer->Send(large);
    CHECK(call.Until([&] { return call.data.Read().size() >= large.size() + 7; }));
    CHECK(call.data.Read() == "waiting" + large);
    CHECK(call.Totals().payload_bytes == std::array<uint64_t, 2>{5, large.size() + 7});
    const size_t transport = tls ? 2 : 1;
    CHECK(call.second.driver->stats().streams.connections[transport].Get() == 0);
    CHECK(call.first.driver->stats().streams.connections[transport].Get() == 2);
    CHECK(call.second.core.stats().relayed_bytes[transport][0].Get() == 0);
    call.peer->Close();
    CHECK(call.Until([&] { return tls ? call.data.HasEnded() : call.data.stream().IsClosed(); }));
    call.data.stream().Close();
    CHECK(call.Until([&] { return call.Connections() == 1; }));
    CHECK(call.limits.total() == 1);
  }
}

TEST_CASE("a worker that stops closes what it owns, and what comes to it later") {
  DataCall call(true);
  SUBCASE("bound") {
    call.Bind();
    call.data.Write("x");
    CHECK(call.PeerGets("x"));
    call.first.driver->CloseAll(CloseReason::kDrained);
  }
  SUBCASE("on its way") {
    call.data.Write(call.data.Build(Method::kConnectionBind, DataCall::ConnectionIs(call.id)));
    CHECK(call.Until([&] { return call.ports.offers() == 0; }));
    call.first.driver->CloseAll(CloseReason::kDrained);
  }
  CHECK(call.Until([&] { return call.data.stream().IsClosed() || !call.data.Read().empty(); }));
  CHECK(call.Until([&] { return call.peer->IsClosed(); }));
  CHECK(call.Until([&] { return call.limits.total() == 0; }));
  CHECK(call.Connections() == 0);
}

TEST_CASE("another program's listener makes a port taken") {
  RelayWorld world;
  TestListener other(Address("127.0.0.1:0"));
  IoStats stats;
  struct Nobody final : PeerStreamHost {
    std::optional<PeerStreamId> OnPeerAccepted(RelayId, const PeerAddress&) override { return {}; }
    void OnPeerConnected(PeerStreamId, bool) override {}
    MonoTime OnSpliced(PeerStreamId, Direction, size_t) override { return time.mono; }
    void OnHalfClosed(PeerStreamId) override {}
    void OnPeerStreamClosed(PeerStreamId) override {}
    const Now& now() override { return time; }
    Now time;
  } nobody;
  const StreamOptions options;
  TcpRelays relays(world.loop.get(), nobody, stats.streams, options);
  const auto taken = relays.Open(RelayId(1), other.address());
  REQUIRE(!taken);
  CHECK(taken.error() == OpenError::kPortInUse);
  CHECK(relays.listener_count() == 0);
}

}  // namespace turnpike
