// What strangers and misusers can make the core do, and what not.
#include <doctest/doctest.h>

#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

// The whole packet: IPv4 and UDP headers, without options.
constexpr size_t kIpAndUdp = 28;

uint64_t LimitedOf(CoreWorld& world, SourceLimit what) {
  return world.server().stats().source_limited[static_cast<size_t>(what)].Get();
}

Client Stranger(std::string_view address) {
  Client client;
  client.five_tuple.client = Address(address);
  client.five_tuple.server = Address("5.5.5.1:3478");
  client.link = LinkId(1);
  return client;
}

Bytes Smallest(Method method) {
  std::array<uint8_t, 64> buffer;
  stun::MessageBuilder builder(buffer, Class::kRequest, method, {1, 2, 3});
  const ByteSpan made = builder.FinishUnauthenticated(false);
  return {made.begin(), made.end()};
}

}  // namespace

TEST_CASE("an answer to the smallest request of every method is at most three times its packet") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.realm = std::string(28, 'r');  // the server warns of a longer one
  CoreWorld world(settings);
  for (const Method method : {Method::kBinding, Method::kAllocate, Method::kRefresh, Method::kSend,
                              Method::kCreatePermission, Method::kChannelBind, Method::kConnect,
                              Method::kConnectionBind}) {
    CAPTURE(stun::MethodName(method));
    const Client stranger = Stranger("7.7.7.7:1000");
    const Bytes request = Smallest(method);
    CHECK(request.size() == 20);
    world.FromClient(stranger, request);
    const auto answer = world.TakeMessage(stranger);
    if (!answer) continue;
    const double amplification = static_cast<double>(answer->size() + kIpAndUdp) /
                                 static_cast<double>(request.size() + kIpAndUdp);
    CAPTURE(answer->size());
    CHECK(amplification <= 3.0);
  }
}

TEST_CASE("a source hears no more than its rate allows, from whatever ports; others do") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.max_unauthenticated_answers = 50;
  CoreWorld world(settings);
  size_t answers = 0;
  for (uint16_t port = 1; port <= 10'000; ++port) {
    const Client stranger = Stranger("7.7.7.7:" + std::to_string(port));
    world.FromClient(stranger, Smallest(port % 2 == 0 ? Method::kAllocate : Method::kBinding));
    answers += world.TakeMessage(stranger) ? 1 : 0;
  }
  CHECK(answers == 100);
  CHECK(LimitedOf(world, SourceLimit::kUnauthenticatedAnswer) == 9'900);
  // An error that nobody was told of is none.
  const auto& stats = world.server().stats();
  CHECK(stats.errors[401 - 300].Get() == 50);
  CHECK(stats.messages[static_cast<size_t>(Method::kBinding)][0].Get() == 5'000);
  // It left nothing behind.
  CHECK(world.server().allocation_count() == 0);
  CHECK(world.server().NextDeadline() == std::nullopt);
  TestClient alice(world, "7.7.7.8:1000", "alice", "s3cret");
  alice.Allocate();
}

TEST_CASE("wrong passwords are answered no faster, and a client that has proven itself always") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.max_unauthenticated_answers = 5;
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  TestClient thief(world, "7.7.7.7:1001", "alice", "?");
  thief.Challenge();
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    answers += thief.Exchange(thief.Build(Method::kRefresh, [](auto&) {}, thief.NewId())) ? 1 : 0;
  }
  CHECK(answers == 8);  // of ten, two challenges were the first
  for (int i = 0; i < 100; ++i) CHECK(alice.Refresh(600).code() == 0);
}

TEST_CASE("Allocate requests with credentials are held to a rate, before they cost anything") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.max_allocation_attempts = 5;
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Allocate();
  TestClient guesser(world, "7.7.7.7:1001", "alice", "s3cret");
  guesser.Challenge();
  int answers = 0;
  for (uint32_t i = 0; i < 100; ++i) {
    const auto reply = guesser.Exchange(
        guesser.Build(Method::kAllocate, UdpAnd([&](stun::MessageBuilder& builder) {
                        const std::array<uint8_t, 8> token = {9, static_cast<uint8_t>(i)};
                        builder.AddBytes(AttributeType::kReservationToken, token);
                      }),
                      guesser.NewId()));
    if (!reply) continue;
    CHECK(reply->code() == 508);
    ++answers;
  }
  CHECK(answers == 9);
  CHECK(LimitedOf(world, SourceLimit::kAllocationAttempt) == 91);
  CHECK(alice.Refresh(600).code() == 0);
  world.Advance(std::chrono::seconds(1));
  CHECK(guesser.Request(Method::kAllocate, RequestedUdp).code() == 0);
  CHECK(world.TakeLog().size() == 1);
}

TEST_CASE("8656_7_2 a flood of one retransmitted Allocate is answered at the strangers' rate") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.max_unauthenticated_answers = 5;
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  const Bytes request = alice.Build(Method::kAllocate, RequestedUdp, alice.NewId());
  int answers = 0;
  for (int i = 0; i < 1000; ++i) answers += alice.Exchange(request) ? 1 : 0;
  // The challenge and nine retransmissions; the request itself is authenticated.
  CHECK(answers == 10);
  CHECK(world.TakeLog().size() == 1);
  CHECK(world.server().allocation_count() == 1);
}

TEST_CASE("a client that is a relay of this server is refused") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  TestClient looped(world, world.BindOf(relay).ToString(), "bob", "hunter2");
  CHECK(looped.Request(Method::kAllocate, RequestedUdp).code() == 403);
  CHECK(world.server().stats().loops.Get() == 1);
  // A client that is only on the same host is none.
  TransportAddress near = world.BindOf(relay);
  near.port ^= 1;
  TestClient neighbour(world, near.ToString(), "bob", "hunter2");
  neighbour.Allocate();
}

TEST_CASE(
    "a datagram that relays wrapped again and again is cut, and billed for no further round") {
  CoreWorld world;
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  REQUIRE(alice.Bind(0x4000, "9.9.9.9:9").code() == 0);
  Bytes message(50, 0x80);
  int rounds = 0;
  // The client is another relay, whose client is the peer: what goes to the one comes from the
  // other.
  while (const auto relayed = world.FromPeer(relay, "9.9.9.9:9", message)) {
    message = relayed->message;
    REQUIRE(++rounds < 100);
  }
  CHECK(rounds == 4);
  CHECK(world.server().stats().loops.Get() == 1);
  CHECK(world.meters().Totals(world.SlotOf(relay)).packets[1] == 4);
  CHECK(world.meters().Drops(world.SlotOf(relay), DropReason::kLimit) == 1);
  // It is configurable.
  world.options().max_nesting = 0;
  world.Reload();
  CHECK(world.FromPeer(relay, "9.9.9.9:9", message));
}

TEST_CASE("what peers send to a client that says nothing ends at the cap, until it speaks") {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.max_unanswered_bytes = 1000;
  CoreWorld world(settings);
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  const std::string relay = alice.Allocate();
  REQUIRE(alice.Permit("9.9.9.9:9").code() == 0);
  const Bytes flood(100, 0x80);
  const auto relayed = [&] {
    int count = 0;
    for (int i = 0; i < 100; ++i) count += world.FromPeer(relay, "9.9.9.9:9", flood) ? 1 : 0;
    return count;
  };
  CHECK(relayed() == 10);
  CHECK(relayed() == 0);
  CHECK(alice.Send("9.9.9.9:9", "still here"));
  CHECK(relayed() == 10);
  world.FromClient(alice.address,
                   alice.BuildPlain(Class::kIndication, Method::kBinding, [](auto&) {}));
  CHECK(relayed() == 10);
  CHECK(alice.Refresh(600).code() == 0);
  CHECK(relayed() == 10);
  const UsageTotals totals = world.meters().Totals(world.SlotOf(relay));
  CHECK(totals.payload_bytes[1] == 4000);
  CHECK(world.meters().Drops(world.SlotOf(relay), DropReason::kLimit) == 460);
}

}  // namespace turnpike
