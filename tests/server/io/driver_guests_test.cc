// Clients that move to a socket of another worker than their allocation's (RFC 8016), on real
// sockets.
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>

#include "common/stun/channel_data.h"
#include "common/stun/message.h"
#include "server/io/handover_board.h"
#include "tests/server/io/io_world.h"
#include "tests/server/io/relay_world.h"

namespace turnpike {
namespace {

using stun::AttributeType;
using stun::Method;

// Way is how alice reaches a server: over UDP or TCP.
class Way {
 public:
  virtual ~Way() = default;
  virtual void Write(std::string_view bytes) = 0;
  virtual std::string TakeMessage() = 0;
};

class UdpWay : public Way {
 public:
  explicit UdpWay(const TransportAddress& server) : server_(server) {}
  void Write(std::string_view bytes) override { socket_.Send(bytes, server_); }
  std::string TakeMessage() override {
    auto datagram = socket_.TryReceive();
    return datagram ? std::move(datagram->bytes) : std::string();
  }

 private:
  TransportAddress server_;
  TestSocket socket_{Address("127.0.0.1:0")};
};

class TcpWay : public Way {
 public:
  explicit TcpWay(const TransportAddress& server) : client_(server) {}
  void Write(std::string_view bytes) override { client_.Write(bytes); }
  std::string TakeMessage() override { return client_.TakeMessage(); }

 private:
  RawClient client_;
};

struct GuestWorld {
  struct Worker {
    Worker(GuestWorld& world, const TurnOptions& options)
        : core(options, NonceSecret{}, world.ports, world.random),
          driver(std::make_unique<Driver>(world.loop.get(), core, *world.slots, world.Options())),
          udp(*driver->ListenUdp(Address("127.0.0.1:0"))),
          tcp(*driver->ListenStream({.address = Address("127.0.0.1:0"), .plain = true})) {}

    TurnServer core;
    std::unique_ptr<Driver> driver;
    TransportAddress udp;
    TransportAddress tcp;
  };

  static TurnOptions Rules() {
    TurnOptions options = TestTurnOptions();
    options.mobility = true;
    return options;
  }

  StreamOptions Options() {
    StreamOptions options;
    options.limits = &limits;
    options.handovers = &board;
    return options;
  }

  std::unique_ptr<Way> To(const Worker& worker, Transport transport) {
    if (transport == Transport::kUdp) return std::make_unique<UdpWay>(worker.udp);
    return std::make_unique<TcpWay>(worker.tcp);
  }

  template <typename Predicate>
  bool Until(Predicate done) {
    return LoopUntil(loop.get(), done);
  }

  std::string Next(Way& way) {
    std::string message;
    REQUIRE(Until([&] { return !(message = way.TakeMessage()).empty(); }));
    return message;
  }

  // Ask returns the answer to a request as alice, who takes up the nonce of a challenge.
  std::string Ask(Way& way, Method method, const std::function<void(stun::MessageBuilder&)>& fill) {
    for (int tries = 0;; ++tries) {
      std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
      stun::TransactionId id{};
      id[0] = ++last_id;
      stun::MessageBuilder builder(buffer, stun::Class::kRequest, method, id);
      fill(builder);
      if (nonce.empty()) {
        way.Write(AsText(builder.FinishUnauthenticated(false)));
      } else {
        builder.AddText(AttributeType::kUsername, "alice");
        builder.AddText(AttributeType::kRealm, "test");
        builder.AddText(AttributeType::kNonce, nonce);
        const auto key = stun::LongTermKeyMd5("alice", "test", "pw");
        way.Write(AsText(builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key, false)));
      }
      std::string answer = Next(way);
      const auto view = stun::MessageView::Parse(AsBytes(answer));
      REQUIRE(view);
      const auto fresh = view->Find(AttributeType::kNonce);
      if (!fresh) return answer;
      REQUIRE(tries < 2);
      nonce = AsText(*fresh);
    }
  }

  // TicketIn returns the ticket of a success; empty for an error.
  static std::string TicketIn(const std::string& answer) {
    const auto view = stun::MessageView::Parse(AsBytes(answer));
    const auto value = view->Find(AttributeType::kMobilityTicket);
    return value ? std::string(AsText(*value)) : std::string();
  }

  // Allocate gives alice an allocation at `way` with a ticket, and channel 0x4000 to the peer.
  void Allocate(Way& way) {
    const std::string granted = Ask(way, Method::kAllocate, [](stun::MessageBuilder& builder) {
      builder.AddU32(AttributeType::kRequestedTransport, 17u << 24);
      builder.AddBytes(AttributeType::kMobilityTicket, {});
    });
    ticket = TicketIn(granted);
    REQUIRE(!ticket.empty());
    const auto view = stun::MessageView::Parse(AsBytes(granted));
    relayed = *stun::DecodeXorAddress(*view->Find(AttributeType::kXorRelayedAddress),
                                      view->transaction_id());
    REQUIRE(RelayWorld::Code(Ask(way, Method::kChannelBind, [&](stun::MessageBuilder& builder) {
              builder.AddU32(AttributeType::kChannelNumber, 0x4000u << 16);
              builder.AddXorAddress(AttributeType::kXorPeerAddress, peer.address());
            })) == 0);
  }

  std::string Refresh(Way& way, std::optional<uint32_t> lifetime, bool with_ticket) {
    return Ask(way, Method::kRefresh, [&](stun::MessageBuilder& builder) {
      if (lifetime) builder.AddU32(AttributeType::kLifetime, *lifetime);
      if (with_ticket) builder.AddText(AttributeType::kMobilityTicket, ticket);
    });
  }

  void MoveTo(Way& way) {
    ticket = TicketIn(Refresh(way, std::nullopt, true));
    REQUIRE(!ticket.empty());
  }

  static std::string OnChannel(std::string_view payload) {
    const auto header =
        stun::ChannelDataHeader(stun::ChannelNumber(0x4000), static_cast<uint16_t>(payload.size()));
    std::string message(AsText(header));
    message += payload;
    message.append(stun::PaddingFor(payload.size()), '\0');
    return message;
  }

  // PeerGets and ClientGets say whether exactly one datagram of that text comes.
  bool PeerGets(std::string_view text) {
    std::optional<TestSocket::Datagram> datagram;
    return Until([&] { return (datagram = peer.TryReceive()).has_value(); }) &&
           datagram->bytes == text && datagram->from == relayed;
  }
  bool ClientGets(Way& way, std::string_view text) {
    const std::string message = Next(way);
    return message.substr(4, text.size()) == text;
  }

  // IsBilled says whether the session's payload becomes exactly that. A host reports a moment after
  // the client has it.
  bool IsBilled(std::array<uint64_t, 2> payload) {
    return Until(
        [&] { return slots->Read(slots->UsedSlots()[0]).totals.payload_bytes == payload; });
  }

  TestDirectory directory;
  std::unique_ptr<SlotFile> slots =
      *SlotFile::Open(directory.path() + "/live.slots", 1024, {"n", "r", "e", {}});
  SystemRandom random;
  ConnectionLimits limits{100, 100};
  Directory ports{{*IpAddress::Parse("127.0.0.1"), *IpAddress::Parse("::1")}, 32000, 32999};
  HandoverBoard board;
  UvLoop loop;
  Worker first{*this, Rules()};
  Worker second{*this, Rules()};
  TestSocket peer{Address("127.0.0.1:0")};
  std::string nonce;
  std::string ticket;
  TransportAddress relayed;
  uint8_t last_id = 0;
};

}  // namespace

TEST_CASE("8016_3_2_2 a client moves to a socket of another worker and back, over UDP and TCP") {
  for (const Transport from : {Transport::kUdp, Transport::kTcp}) {
    for (const Transport to : {Transport::kUdp, Transport::kTcp}) {
      CAPTURE(TransportName(from));
      CAPTURE(TransportName(to));
      GuestWorld world;
      const auto home = world.To(world.first, from);
      world.Allocate(*home);
      const auto away = world.To(world.second, to);
      world.MoveTo(*away);
      // Both serve, and data goes to the old one.
      home->Write(GuestWorld::OnChannel("old"));
      CHECK(world.PeerGets("old"));
      world.peer.Send("to old", world.relayed);
      CHECK(world.ClientGets(*home, "to old"));
      CHECK(RelayWorld::Code(world.Refresh(*away, 600, false)) == 0);
      // The first data from the new one moves all of it there.
      away->Write(GuestWorld::OnChannel("new"));
      CHECK(world.PeerGets("new"));
      world.peer.Send("to new", world.relayed);
      CHECK(world.ClientGets(*away, "to new"));
      CHECK(RelayWorld::Code(world.Refresh(*home, 600, false)) == 437);
      CHECK(world.first.core.allocation_count() == 1);
      CHECK(world.second.core.allocation_count() == 0);
      // Every byte once, in one session.
      CHECK(world.slots->used() == 1);
      CHECK(world.IsBilled({6, 12}));
      // Home again: to a socket of the worker that owns it.
      const auto back = world.To(world.first, from);
      world.MoveTo(*back);
      back->Write(GuestWorld::OnChannel("back"));
      CHECK(world.PeerGets("back"));
      world.peer.Send("to back", world.relayed);
      CHECK(world.ClientGets(*back, "to back"));
      CHECK(world.IsBilled({10, 19}));
      // The other worker's socket is nobody's guest any more.
      CHECK(RelayWorld::Code(world.Refresh(*away, 600, false)) == 437);
      CHECK(world.first.core.IsConsistent());
      CHECK(RelayWorld::Code(world.Refresh(*back, 0, false)) == 0);
      CHECK(world.first.core.allocation_count() == 0);
    }
  }
}

TEST_CASE("8016_3_2_2 a guest's connection that closes leaves the allocation to its ticket") {
  GuestWorld world;
  const auto home = world.To(world.first, Transport::kUdp);
  world.Allocate(*home);
  auto away = world.To(world.second, Transport::kTcp);
  world.MoveTo(*away);
  away->Write(GuestWorld::OnChannel("new"));
  CHECK(world.PeerGets("new"));
  away.reset();
  const auto& closed = world.second.driver->stats().streams.closed;
  CHECK(world.Until(
      [&] { return closed[static_cast<size_t>(ConnectionEnd::kClientClosed)].Get() == 1; }));
  const auto third = world.To(world.second, Transport::kUdp);
  world.MoveTo(*third);
  world.peer.Send("found", world.relayed);
  CHECK(world.ClientGets(*third, "found"));
  CHECK(world.IsBilled({3, 5}));
}

TEST_CASE("a driver that ends settles what the other one has not reported, unbilled") {
  GuestWorld world;
  const auto home = world.To(world.first, Transport::kUdp);
  world.Allocate(*home);
  const auto away = world.To(world.second, Transport::kUdp);
  world.MoveTo(*away);
  away->Write(GuestWorld::OnChannel("new"));
  CHECK(world.PeerGets("new"));
  world.second.driver->CloseAll(CloseReason::kDrained);
  world.peer.Send("nobody sends this", world.relayed);
  CHECK(world.Until([&] {
    return world.first.core.stats()
               .dropped_packets[static_cast<size_t>(DropReason::kQueueFull)]
               .Get() == 1;
  }));
  world.first.driver->CloseAll(CloseReason::kDrained);
  CHECK(world.first.core.allocation_count() == 0);
  const SlotSnapshot slot = world.slots->Read(world.slots->UsedSlots()[0]);
  CHECK(slot.closed);
  CHECK(slot.totals.payload_bytes == std::array<uint64_t, 2>{3, 0});
}

}  // namespace turnpike
