// Clients with valid credentials, peers, time, failing sends and failing opens, in any order.
#include "server/turn/authenticate.h"
#include "tests/fuzz/core_fuzz_world.h"

namespace turnpike {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

TransportAddress Peer(uint8_t which) {
  static constexpr std::array<const char*, 18> kPeers = {
      "9.9.9.1:1",          "9.9.9.1:2",
      "9.9.9.2:1",          "9.9.9.3:1",
      "9.9.9.4:1",          "[2a00::9]:1",
      "[2a00::a]:1",        "10.0.0.5:50000",
      "5.5.5.5:50001",      "127.0.0.1:80",
      "[::1]:80",           "9.9.9.5:0",
      "[::ffff:9.9.9.1]:1", "[64:ff9b::909:901]:1",
      "[2002:909:901::]:1", "[2001::909:901]:1",
      "[64:ff9b:1::1]:1",   "5.5.5.1:3478"};
  return *TransportAddress::Parse(kPeers[which % kPeers.size()]);
}

// AddAttribute adds one attribute that some method reads, with a value that is mostly sensible;
// `ticket` is the newest MOBILITY-TICKET.
void AddAttribute(stun::MessageBuilder& builder, FuzzInput& input, ByteSpan ticket) {
  const uint8_t value = input.Byte();
  switch (input.Below(14)) {
    case 0:
    case 1:
      return builder.AddU32(AttributeType::kRequestedTransport, (value == 0 ? 6u : 17u) << 24);
    case 2:
      return builder.AddU32(AttributeType::kLifetime, value < 128 ? 0 : value * 16u);
    case 3:
      return builder.AddU32(AttributeType::kRequestedAddressFamily, (value % 4u) << 24);
    case 4:
      return builder.AddU32(AttributeType::kAdditionalAddressFamily, (value < 240 ? 2u : 1u) << 24);
    case 5: {
      const std::array<uint8_t, 1> flags = {value};
      return builder.AddBytes(AttributeType::kEvenPort, flags);
    }
    case 6:
    case 7:
    case 8:
      return builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(value));
    case 9:
    case 10:
      return builder.AddU32(AttributeType::kChannelNumber, (0x4000u + value % 8) << 16);
    case 11:
      return builder.AddFlag(AttributeType::kDontFragment);
    case 12:
      return builder.AddBytes(AttributeType::kData, input.Bytes(value % 32));
    default:
      break;
  }
  const ByteSpan bytes = input.Bytes(value % 8);
  if (value < 0xE0) return builder.AddBytes(static_cast<AttributeType>(value), bytes);
  builder.AddBytes(AttributeType::kMobilityTicket, value % 2 == 0 ? ByteSpan() : ticket);
}

// Session is what one client of the fuzzer remembers.
struct Session {
  std::string nonce;
  std::array<uint8_t, 8> token{};
};

class Fuzzer {
 public:
  explicit Fuzzer(FuzzInput& input) : input_(input), world_(input.Word()) {}

  void Run() {
    // Whatever an input does, it mostly does it to allocations that are in use.
    if (input_.Below(4) != 0) {
      for (const uint8_t who : std::array<uint8_t, 3>{0, 2, 3}) Prepare(who);
    }
    while (!input_.empty()) Act();
  }

 private:
  void Act() {
    const uint8_t who = input_.Below(5);
    const Client client = FuzzClient(who);
    switch (input_.Below(18)) {
      case 0:
      case 1:
        return Request(who, Method::kAllocate);
      case 2:
        return Request(who, Method::kRefresh);
      case 3:
        return Request(who, Method::kCreatePermission);
      case 4:
        return Request(who, Method::kChannelBind);
      case 5: {
        std::array<uint8_t, 200> buffer;
        stun::MessageBuilder builder(buffer, Class::kIndication, Method::kSend, NextId());
        builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(input_.Byte()));
        if (input_.Below(8) == 0) builder.AddFlag(AttributeType::kDontFragment);
        builder.AddBytes(AttributeType::kData, input_.Bytes(input_.Below(32)));
        return world_.FromClient(client, builder.FinishUnauthenticated(false), &input_);
      }
      case 6: {
        const uint8_t size = input_.Below(16);
        std::vector<uint8_t> message = {0x40, input_.Below(8), 0, size};
        message.resize(size_t{4} + size + input_.Below(4));
        return world_.FromClient(client, message, &input_);
      }
      case 7:
        return FromPeer();
      case 8:
        if (input_.Below(4) == 0) return world_.CloseLink(client.link, &input_);
        return world_.ReportAll();
      case 9:
        return Request(who, Method::kConnect);
      case 10:
        return Request(who, Method::kConnectionBind);
      case 11:
        world_.Accept(input_.Byte(), Peer(input_.Byte()), &input_);
        return Learn(sessions_[who]);
      case 12:
      case 13:
        world_.StepStreams(&input_);
        return Learn(sessions_[who]);
      case 14:
        return world_.Icmp(input_.Byte(), Peer(input_.Byte()),
                           {.type = input_.Below(16), .code = input_.Below(16), .mtu = 1280});
      case 15:
        return world_.Operate(input_);
      case 16:
        return Binding(client);
      default:
        return world_.Step(std::chrono::seconds(input_.Byte() * (input_.Below(2) == 0 ? 1 : 5)));
    }
  }

  stun::TransactionId NextId() {
    stun::TransactionId id{};
    // Now and then an id comes again: a retransmission.
    if (input_.Below(8) != 0) ++id_;
    id[0] = static_cast<uint8_t>(id_);
    id[1] = static_cast<uint8_t>(id_ >> 8);
    return id;
  }

  // Binding asks for an address, also in the ways of RFC 5780 and RFC 3489.
  void Binding(const Client& client) {
    std::array<uint8_t, 400> buffer;
    stun::MessageBuilder builder(buffer, Class::kRequest, Method::kBinding, NextId());
    const uint8_t what = input_.Byte();
    if ((what & 1) != 0) builder.AddU32(AttributeType::kChangeRequest, what & 6u);
    if ((what & 8) != 0) {
      builder.AddU32(AttributeType::kResponsePort, static_cast<uint32_t>(input_.Byte()) << 16);
    }
    if ((what & 16) != 0) builder.AddBytes(AttributeType::kPadding, input_.Bytes(what));
    std::vector<uint8_t> message;
    const ByteSpan bytes = builder.FinishUnauthenticated((what & 32) != 0);
    message.assign(bytes.begin(), bytes.end());
    if ((what & 0xC0) == 0xC0) message[4] ^= 1;  // no magic cookie
    world_.FromClient(client, message, &input_);
  }

  // FromPeer is payload, now and then wrapped as by relays that send to each other.
  void FromPeer() {
    const uint8_t relay = input_.Byte();
    const TransportAddress peer = Peer(input_.Byte());
    const ByteSpan plain = input_.Bytes(input_.Below(64));
    std::vector<uint8_t> bytes(plain.begin(), plain.end());
    for (uint8_t times = input_.Below(16); times > 8; --times) {
      if (times % 2 == 0) {
        bytes.insert(bytes.begin(), {0x40, 0, 0, static_cast<uint8_t>(bytes.size())});
        continue;
      }
      std::array<uint8_t, 400> buffer;
      stun::MessageBuilder builder(buffer, Class::kIndication, Method::kData, NextId());
      builder.AddXorAddress(AttributeType::kXorPeerAddress, peer);
      builder.AddBytes(AttributeType::kData, bytes);
      const ByteSpan wrapped = builder.FinishUnauthenticated(false);
      bytes.assign(wrapped.begin(), wrapped.end());
    }
    world_.FromPeer(relay, peer, bytes, &input_);
  }

  // Prepare gives a client an allocation of its kind, and a channel or a connection that is made.
  void Prepare(uint8_t who) {
    const bool tcp = who == 2;
    const std::string user = who == 3 ? "b" : "a";
    const auto ask = [&](Method method, const auto& fill) {
      std::array<uint8_t, 400> buffer;
      stun::MessageBuilder builder(buffer, Class::kRequest, method, NextId());
      fill(builder);
      builder.AddText(AttributeType::kUsername, user);
      builder.AddText(AttributeType::kRealm, "r");
      builder.AddText(AttributeType::kNonce, sessions_[who].nonce);
      const auto key = stun::LongTermKeyMd5(user, "r", "p" + user);
      world_.FromClient(FuzzClient(who),
                        builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key, false),
                        nullptr);
      Learn(sessions_[who]);
    };
    // The first is told a nonce.
    for (int i = 0; i < 2; ++i) {
      ask(Method::kAllocate, [&](stun::MessageBuilder& builder) {
        builder.AddU32(AttributeType::kRequestedTransport, (tcp ? 6u : 17u) << 24);
        builder.AddFlag(AttributeType::kMobilityTicket);
        if (who == 3) builder.AddU32(AttributeType::kAdditionalAddressFamily, 2u << 24);
      });
    }
    ask(Method::kCreatePermission, [&](stun::MessageBuilder& builder) {
      builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(2));
    });
    if (tcp) {
      return ask(Method::kConnect, [&](stun::MessageBuilder& builder) {
        builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(2));
      });
    }
    ask(Method::kChannelBind, [&](stun::MessageBuilder& builder) {
      builder.AddU32(AttributeType::kChannelNumber, 0x40000000);
      builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(0));
    });
  }

  // AddUsual adds what makes sense of a request, but for one in eight.
  void AddUsual(stun::MessageBuilder& builder, Method method) {
    if (input_.Below(8) == 0) return;
    if (method == Method::kChannelBind) {
      builder.AddU32(AttributeType::kChannelNumber, (0x4000u + input_.Below(8)) << 16);
    }
    if (method == Method::kConnect || method == Method::kChannelBind ||
        method == Method::kCreatePermission) {
      builder.AddXorAddress(AttributeType::kXorPeerAddress, Peer(input_.Byte()));
    }
    if (method == Method::kConnectionBind) {
      builder.AddU32(AttributeType::kConnectionId, connection_);
    }
    if (method == Method::kRefresh && input_.Below(2) == 0) {
      builder.AddBytes(AttributeType::kMobilityTicket, ticket_);
    }
  }

  void Request(uint8_t who, Method method) {
    Session& session = sessions_[who];
    const Client client = FuzzClient(who);
    const auto [user, password] = Who();
    std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
    stun::MessageBuilder builder(buffer, Class::kRequest, method, NextId());
    if (method == Method::kAllocate && input_.Below(8) != 0) {
      const bool tcp = client.five_tuple.transport == Transport::kTcp && input_.Below(2) == 0;
      builder.AddU32(AttributeType::kRequestedTransport, (tcp ? 6u : 17u) << 24);
    }
    AddUsual(builder, method);
    if (input_.Below(8) == 0) builder.AddBytes(AttributeType::kReservationToken, session.token);
    for (uint8_t count = input_.Below(8); count > 0 && count < 4; --count) {
      AddAttribute(builder, input_, ticket_);
    }
    const ByteSpan message = Sign(builder, user, password, session.nonce);
    if (message.empty()) return;
    world_.FromClient(client, message, &input_);
    Learn(session);
  }

  // Who is a user with a password, or one with a time-limited credential.
  std::pair<std::string, std::string> Who() {
    const uint8_t which = input_.Below(16);
    if (which == 0) return {"b", "pb"};
    if (which == 1) return {"a", "wrong"};
    if (which > 4) return {"a", "pa"};
    const auto now = std::chrono::floor<std::chrono::seconds>(world_.now().wall);
    const int64_t until = now.time_since_epoch().count() + (which == 2 ? -1 : 60);
    std::string name = std::to_string(until) + ":acme" + (which == 3 ? ":web" : "");
    std::string password = TimeLimitedPassword(which == 3 ? "s1" : "s2", name);
    return {std::move(name), std::move(password)};
  }

  // Sign ends the message as clients of RFC 5389 do, or with what RFC 8489 added.
  ByteSpan Sign(stun::MessageBuilder& builder, const std::string& user, const std::string& password,
                const std::string& nonce) {
    const uint8_t how = input_.Below(8);
    if (how == 1) {
      builder.AddBytes(AttributeType::kUserhash, stun::Userhash(user, "r"));
    } else {
      builder.AddText(AttributeType::kUsername, user);
    }
    builder.AddText(AttributeType::kRealm, "r");
    builder.AddText(AttributeType::kNonce, nonce);
    const bool fingerprint = input_.Below(2) == 0;
    if (how > 3) {
      const auto key = stun::LongTermKeyMd5(user, "r", password);
      return builder.FinishWithIntegrity(stun::IntegrityKind::kSha1, key, fingerprint);
    }
    // Both algorithms, SHA-256 chosen; or a list that somebody has shortened.
    constexpr std::array<uint8_t, 8> kBoth = {0, 2, 0, 0, 0, 1, 0, 0};
    const ByteSpan both(kBoth);
    builder.AddBytes(AttributeType::kPasswordAlgorithms, how == 2 ? both.first(4) : both);
    builder.AddBytes(AttributeType::kPasswordAlgorithm, how == 3 ? both.last(4) : both.first(4));
    if (how == 3) {
      const auto key = stun::LongTermKeyMd5(user, "r", password);
      return builder.FinishWithIntegrity(stun::IntegrityKind::kSha256, key, fingerprint);
    }
    const auto key = stun::LongTermKeySha256(user, "r", password);
    return builder.FinishWithIntegrity(stun::IntegrityKind::kSha256, key, fingerprint);
  }

  void Learn(Session& session) {
    if (world_.last_message().empty()) return;
    const auto answer = stun::MessageView::Parse(world_.last_message());
    if (!answer) return;  // as in RFC 3489, which has no cookie
    if (const auto nonce = answer->Find(AttributeType::kNonce)) session.nonce = AsText(*nonce);
    if (const auto id = answer->Find(AttributeType::kConnectionId)) {
      connection_ = stun::DecodeU32(*id).value_or(0);
    }
    if (const auto ticket = answer->Find(AttributeType::kMobilityTicket)) {
      ticket_.assign(ticket->begin(), ticket->end());
    }
    if (const auto token = answer->Find(AttributeType::kReservationToken)) {
      std::copy(token->begin(), token->end(), session.token.begin());
    }
  }

  FuzzInput& input_;
  FuzzWorld world_;
  std::array<Session, 5> sessions_;
  uint32_t id_ = 0;
  std::vector<uint8_t> ticket_;
  uint32_t connection_ = 0;  // the newest CONNECTION-ID that anybody was told
};

}  // namespace
}  // namespace turnpike

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  turnpike::FuzzInput input(data, size);
  turnpike::Fuzzer fuzzer(input);
  fuzzer.Run();
  return 0;
}
