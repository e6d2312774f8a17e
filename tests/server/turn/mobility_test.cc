// Clients that take their allocation along to another network (RFC 8016).
#include <doctest/doctest.h>

#include "server/turn/allocation.h"
#include "server/turn/mobility_ticket.h"
#include "tests/support/expect.h"

namespace turnpike {

using stun::AttributeType;
using stun::Method;

namespace {

CoreWorld::Settings Mobile() {
  CoreWorld::Settings settings = CoreWorld::DefaultSettings();
  settings.options.mobility = true;
  return settings;
}

TestClient::Fill Ticket(ByteSpan shown, std::optional<uint32_t> lifetime = {}) {
  return [ticket = Bytes(shown.begin(), shown.end()), lifetime](stun::MessageBuilder& builder) {
    if (lifetime) builder.AddU32(AttributeType::kLifetime, *lifetime);
    builder.AddBytes(AttributeType::kMobilityTicket, ticket);
  };
}

Bytes TicketIn(const Reply& reply) {
  const auto value = reply.view().Find(AttributeType::kMobilityTicket);
  REQUIRE(value);
  return {value->begin(), value->end()};
}

// Roamer is alice with a phone: an allocation with a ticket, a channel and a permission.
struct Roamer {
  explicit Roamer(CoreWorld& the_world, Transport transport = Transport::kUdp)
      : world(the_world), home(world, "7.7.7.7:1000", "alice", "s3cret", transport) {
    const Reply reply = home.Request(Method::kAllocate, UdpAnd(Ticket({})));
    REQUIRE(reply.code() == 0);
    ticket = TicketIn(reply);
    world.TakeLog();
    REQUIRE(home.Bind(0x4000, "9.9.9.9:9").code() == 0);
    REQUIRE(home.Permit("9.9.9.8:1").code() == 0);
  }

  ~Roamer() { world.TakeLog(); }

  // At is alice at another address, with a nonce made for it.
  TestClient At(std::string_view address, Transport transport = Transport::kUdp) {
    TestClient client(world, address, "alice", "s3cret", transport);
    client.Challenge();
    return client;
  }

  // MoveTo shows the ticket from `client` and keeps the next.
  void MoveTo(TestClient& client) {
    const Reply reply = client.Request(Method::kRefresh, Ticket(ticket));
    REQUIRE(reply.code() == 0);
    REQUIRE(TicketIn(reply) != ticket);
    ticket = TicketIn(reply);
  }

  CoreWorld& world;
  TestClient home;
  Bytes ticket;
};

std::string ToOf(const std::optional<Relayed>& relayed) { return relayed ? relayed->to : "nobody"; }

}  // namespace

TEST_CASE("8016_3_1_2 an empty ticket in Allocate is filled in the success, the same each time") {
  CoreWorld world(Mobile());
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  alice.Challenge();
  const Bytes request = alice.Build(Method::kAllocate, UdpAnd(Ticket({})), alice.NewId());
  const auto reply = alice.Exchange(request);
  REQUIRE(reply);
  CHECK(reply->code() == 0);
  CHECK(TicketIn(*reply).size() == 32);
  const auto again = alice.Exchange(request);
  REQUIRE(again);
  CHECK(again->bytes() == reply->bytes());
  TestClient bob(world, "7.7.7.8:1000", "bob", "hunter2");
  CHECK(!bob.Request(Method::kAllocate, RequestedUdp).Has(AttributeType::kMobilityTicket));
  CHECK(world.TakeLog() == Lines{"open r1 5.5.5.5 slot", "open r2 5.5.5.5 slot"});
}

TEST_CASE("8016_3_1_2 a ticket in Allocate is 400 unless it is empty, and 405 while it is off") {
  CoreWorld world(Mobile());
  TestClient alice(world, "7.7.7.7:1000", "alice", "s3cret");
  CHECK(alice.Request(Method::kAllocate, UdpAnd(Ticket(Bytes{1}))).code() == 400);
  CoreWorld plain;
  TestClient bob(plain, "7.7.7.8:1000", "bob", "hunter2");
  CHECK(bob.Request(Method::kAllocate, UdpAnd(Ticket({}))).code() == 405);
  CHECK(bob.Request(Method::kAllocate, UdpAnd(Ticket(Bytes{1}))).code() == 400);
  bob.Allocate();
  CHECK(bob.Request(Method::kRefresh, Ticket(Bytes{1, 2, 3})).code() == 405);
}

TEST_CASE("8016_3_2_2 the old 5-tuple serves until the first data from the new one") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  roamer.MoveTo(away);
  CHECK(world.TakeLog() == Lines{"joined 8.8.8.8:2000"});
  // Data goes to and comes from where it was; requests are served at both.
  CHECK(ToOf(world.FromPeer("r1", "9.9.9.9:9", AsBytes("a"))) == "7.7.7.7:1000");
  CHECK(ToOf(roamer.home.SendChannel(0x4000, "b")) == "9.9.9.9:9");
  CHECK(away.Permit("9.9.9.7:1").code() == 0);
  CHECK(roamer.home.Refresh(std::nullopt).code() == 0);
  CHECK(ToOf(world.FromPeer("r1", "9.9.9.9:9", AsBytes("c"))) == "7.7.7.7:1000");
  // What nobody sends moves nothing; then a ChannelData message does.
  CHECK(ToOf(away.SendChannel(0x4000, "d")) == "9.9.9.9:9");
  CHECK(world.TakeLog() == Lines{"left 7.7.7.7:1000", "moved 7.7.7.7:1000 -> 8.8.8.8:2000"});
  CHECK(ToOf(world.FromPeer("r1", "9.9.9.9:9", AsBytes("e"))) == "8.8.8.8:2000");
  CHECK(!roamer.home.SendChannel(0x4000, "f"));
  CHECK(roamer.home.Refresh(std::nullopt).code() == 437);
  CHECK(ToOf(away.Send("9.9.9.8:1", "g")) == "9.9.9.8:1");
  CHECK(world.server().stats().moves.Get() == 1);
  CHECK(world.server().allocation_count() == 1);
  // One session, one slot, every byte once.
  const UsageTotals totals = world.meters().Totals(world.SlotOf("r1"));
  CHECK(totals.payload_bytes == std::array<uint64_t, 2>{3, 3});
  CHECK(away.Refresh(0).code() == 0);
  CHECK(world.TakeLog() == Lines{"close r1", "left 8.8.8.8:2000", "closed s0 refreshed_to_zero"});
}

TEST_CASE("8016_3_2_2 a Send indication from the new 5-tuple moves as well") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  roamer.MoveTo(away);
  CHECK(ToOf(away.Send("9.9.9.8:1", "x")) == "9.9.9.8:1");
  CHECK(ToOf(world.FromPeer("r1", "9.9.9.9:9", AsBytes("y"))) == "8.8.8.8:2000");
}

TEST_CASE("8016_3_2_2 a ticket is good for one move; its retransmission for 40 seconds") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  const Bytes first = roamer.ticket;
  TestClient away = roamer.At("8.8.8.8:2000");
  const Bytes refresh = away.Build(Method::kRefresh, Ticket(first), away.NewId());
  const auto reply = away.Exchange(refresh);
  REQUIRE(reply);
  roamer.ticket = TicketIn(*reply);
  const auto again = away.Exchange(refresh);
  REQUIRE(again);
  CHECK(again->bytes() == reply->bytes());
  CHECK(world.TakeLog() == Lines{"joined 8.8.8.8:2000"});
  // From anywhere else, or later, it is used up.
  TestClient other = roamer.At("8.8.8.9:2000");
  CHECK(other.Request(Method::kRefresh, Ticket(first)).code() == 400);
  world.Advance(kOldTicketLifetime - std::chrono::milliseconds(1));
  CHECK(away.Request(Method::kRefresh, Ticket(first)).code() == 0);
  world.Advance(std::chrono::milliseconds(1));
  CHECK(away.Request(Method::kRefresh, Ticket(first)).code() == 400);
  // The new one moves on, before and after data came.
  roamer.MoveTo(other);
  CHECK(world.TakeLog() == Lines{"left 8.8.8.8:2000", "joined 8.8.8.9:2000"});
  CHECK(away.Refresh(std::nullopt).code() == 437);
  CHECK(ToOf(other.SendChannel(0x4000, "x")) == "9.9.9.9:9");
  TestClient third = roamer.At("8.8.8.10:2000");
  roamer.MoveTo(third);
  CHECK(ToOf(third.SendChannel(0x4000, "x")) == "9.9.9.9:9");
  CHECK(world.server().stats().moves.Get() == 2);
}

TEST_CASE("8016_3_2_2 who comes back before data was sent elsewhere stays where he was") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  roamer.MoveTo(away);
  roamer.MoveTo(roamer.home);
  CHECK(world.TakeLog() == Lines{"joined 8.8.8.8:2000", "left 8.8.8.8:2000"});
  CHECK(!away.SendChannel(0x4000, "x"));
  CHECK(ToOf(roamer.home.SendChannel(0x4000, "x")) == "9.9.9.9:9");
  CHECK(world.server().stats().moves.Get() == 0);
}

TEST_CASE("8016_3_2_2 from the 5-tuple that it was made for a ticket is 400") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  CHECK(roamer.home.Request(Method::kRefresh, Ticket(roamer.ticket)).code() == 400);
  TestClient away = roamer.At("8.8.8.8:2000");
  roamer.MoveTo(away);
  CHECK(away.Request(Method::kRefresh, Ticket(roamer.ticket)).code() == 400);
}

TEST_CASE("8016_3_2_2 an altered ticket is 400, one whose allocation is gone 437") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  for (size_t i = 0; i < roamer.ticket.size(); ++i) {
    Bytes altered = roamer.ticket;
    altered[i] ^= 1;
    CHECK(away.Request(Method::kRefresh, Ticket(altered)).code() == 400);
    altered.resize(i);
    CHECK(away.Request(Method::kRefresh, Ticket(altered)).code() == 400);
  }
  CHECK(roamer.home.Refresh(0).code() == 0);
  CHECK(away.Request(Method::kRefresh, Ticket(roamer.ticket)).code() == 437);
  // The record's next allocation is another one.
  Roamer next(world);
  CHECK(away.Request(Method::kRefresh, Ticket(roamer.ticket)).code() == 437);
}

TEST_CASE("8016_3_2_2 an expired allocation does not move") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  world.AdvanceWithoutTimers(std::chrono::seconds(600));
  CHECK(away.Request(Method::kRefresh, Ticket(roamer.ticket)).code() == 437);
}

TEST_CASE("8016_3_2_2 another user's ticket is 441") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient bob(world, "8.8.8.8:2000", "bob", "hunter2");
  CHECK(bob.Request(Method::kRefresh, Ticket(roamer.ticket)).code() == 441);
  CHECK(ToOf(world.FromPeer("r1", "9.9.9.9:9", AsBytes("a"))) == "7.7.7.7:1000");
  CHECK(world.TakeLog().empty());
}

TEST_CASE("8016_3_2_2 without credentials, or with a wrong password, a ticket is 401") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient mallory(world, "8.8.8.8:2000", "alice", "guess");
  mallory.Challenge();
  for (const Bytes& shown : {roamer.ticket, Bytes{1, 2, 3}}) {
    CHECK(mallory.Request(Method::kRefresh, Ticket(shown)).code() == 401);
    const auto plain = mallory.Exchange(
        mallory.BuildPlain(stun::Class::kRequest, Method::kRefresh, Ticket(shown)));
    REQUIRE(plain);
    CHECK(plain->code() == 401);
  }
  CHECK(world.TakeLog().empty());
}

TEST_CASE("8016_3_1_2 a client may come back over the other address family") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("[2001:db8::7]:2000");
  roamer.MoveTo(away);
  CHECK(ToOf(away.SendChannel(0x4000, "a")) == "9.9.9.9:9");
  CHECK(ToOf(world.FromPeer("r1", "9.9.9.9:9", AsBytes("b"))) == "[2001:db8::7]:2000");
  roamer.MoveTo(roamer.home);
  CHECK(ToOf(roamer.home.SendChannel(0x4000, "c")) == "9.9.9.9:9");
  CHECK(world.server().stats().moves.Get() == 2);
  CHECK(world.meters().Totals(world.SlotOf("r1")).payload_bytes == std::array<uint64_t, 2>{2, 1});
}

TEST_CASE("8016_3_2_2 an empty ticket in Refresh is 400") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  CHECK(away.Request(Method::kRefresh, Ticket({})).code() == 400);
}

TEST_CASE("8016_5 an overheard Refresh moves nothing to whoever repeats it") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  const Bytes overheard = away.Build(Method::kRefresh, Ticket(roamer.ticket), away.NewId());
  TestClient thief(world, "6.6.6.6:666", "alice", "?");
  const auto reply = thief.Exchange(overheard);
  REQUIRE(reply);
  CHECK(reply->code() == 438);
  CHECK(world.TakeLog().empty());
}

TEST_CASE("8016_3_2_2 a 5-tuple that has an allocation takes no other") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  away.Allocate();
  CHECK(away.Request(Method::kRefresh, Ticket(roamer.ticket)).code() == 437);
}

TEST_CASE("8016_3_2_1 a Refresh with ticket and lifetime 0 deletes from anywhere") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  const Reply reply = away.Request(Method::kRefresh, Ticket(roamer.ticket, 0));
  CHECK(reply.code() == 0);
  CHECK(!reply.Has(AttributeType::kMobilityTicket));
  CHECK(world.TakeLog() == Lines{"close r1", "left 7.7.7.7:1000", "closed s0 refreshed_to_zero"});
}

TEST_CASE("8016_3_2_2 the lifetime of a moving Refresh counts") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000");
  world.Advance(std::chrono::seconds(500));
  TestClient fresh = roamer.At("8.8.8.8:2000");
  const Reply reply = fresh.Request(Method::kRefresh, Ticket(roamer.ticket, 1800));
  CHECK(reply.U32(AttributeType::kLifetime) == 1800);
  world.Advance(std::chrono::seconds(1799));
  CHECK(world.server().allocation_count() == 1);
  world.Advance(std::chrono::seconds(1));
  CHECK(world.server().allocation_count() == 0);
  CHECK(world.TakeLog() == Lines{"joined 8.8.8.8:2000", "close r1", "left 8.8.8.8:2000",
                                 "left 7.7.7.7:1000", "closed s0 expired"});
}

TEST_CASE("8016_3_2_2 a closed connection makes the new one the only one") {
  CoreWorld world(Mobile());
  Roamer roamer(world, Transport::kTcp);
  TestClient away = roamer.At("8.8.8.8:2000", Transport::kTls);
  away.address.link = LinkId(99);
  roamer.MoveTo(away);
  CHECK(world.server().HasAllocation(LinkId(99)));
  world.server().OnLinkClosed(roamer.home.address.link, world.now());
  world.Poll();
  CHECK(world.TakeLog() ==
        Lines{"joined 8.8.8.8:2000", "left 7.7.7.7:1000", "moved 7.7.7.7:1000 -> 8.8.8.8:2000"});
  const auto relayed = world.FromPeer("r1", "9.9.9.9:9", AsBytes("abc"));
  CHECK(ToOf(relayed) == "8.8.8.8:2000");
  // A session is metered as what it began.
  const auto& stats = world.server().stats();
  CHECK(stats.relayed_bytes[static_cast<size_t>(Transport::kTcp)][1].Get() == 3);
  CHECK(stats.relayed_bytes[static_cast<size_t>(Transport::kTls)][1].Get() == 0);
}

TEST_CASE("8016_3_2_2 a new connection that is gone before data came leaves the old one") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  TestClient away = roamer.At("8.8.8.8:2000", Transport::kTcp);
  away.address.link = LinkId(99);
  roamer.MoveTo(away);
  world.server().OnLinkClosed(LinkId(99), world.now());
  world.Poll();
  CHECK(world.TakeLog() == Lines{"joined 8.8.8.8:2000", "left 8.8.8.8:2000"});
  CHECK(ToOf(roamer.home.SendChannel(0x4000, "x")) == "9.9.9.9:9");
}

TEST_CASE(
    "8016_3_2_2 break before make: without its connection an allocation waits for the ticket") {
  CoreWorld world(Mobile());
  Roamer roamer(world, Transport::kTcp);
  world.server().OnLinkClosed(roamer.home.address.link, world.now());
  world.Poll();
  CHECK(world.TakeLog() == Lines{"left 7.7.7.7:1000"});
  CHECK(world.server().allocation_count() == 1);
  // What its peers send meanwhile gets lost and is not billed.
  world.send_result = std::unexpected(DropReason::kClientGone);
  CHECK(world.FromPeer("r1", "9.9.9.9:9", AsBytes("lost")));
  world.send_result = {};
  // Also at the very same 5-tuple, over a new connection.
  TestClient back = roamer.At("7.7.7.7:1000", Transport::kTcp);
  back.address.link = LinkId(98);
  CHECK(back.Refresh(std::nullopt).code() == 437);
  roamer.MoveTo(back);
  CHECK(world.TakeLog() == Lines{"joined 7.7.7.7:1000", "moved 7.7.7.7:1000 -> 7.7.7.7:1000"});
  CHECK(ToOf(world.FromPeer("r1", "9.9.9.9:9", AsBytes("there"))) == "7.7.7.7:1000");
  CHECK(world.meters().Totals(world.SlotOf("r1")).payload_bytes[1] == 5);
  world.server().OnLinkClosed(LinkId(98), world.now());
  world.Advance(std::chrono::seconds(600));
  CHECK(world.TakeLog() == Lines{"left 7.7.7.7:1000", "close r1", "closed s0 expired"});
}

TEST_CASE("8016 every worker passes on what shows another one's ticket, once it can read it") {
  CoreWorld world(Mobile());
  Roamer roamer(world);
  const TicketSeal seal(world.nonce_secret());
  const MobilityTicket elsewhere{
      .core = CoreId(7), .allocation = RelayId(uint64_t{3} << 33), .serial = 5};
  REQUIRE(seal.Open(seal.Seal(elsewhere)) == elsewhere);
  TestClient away = roamer.At("8.8.8.8:2000");
  CHECK(!away.Exchange(away.Build(Method::kRefresh, Ticket(seal.Seal(elsewhere)), away.NewId())));
  CHECK(world.TakeLog() == Lines{"pass to core 7 from 8.8.8.8:2000"});
  // Not for a 5-tuple that has an allocation here.
  CHECK(roamer.home.Request(Method::kRefresh, Ticket(seal.Seal(elsewhere))).code() == 437);
}

}  // namespace turnpike
