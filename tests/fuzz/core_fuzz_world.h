// What both fuzzers of the core share: a TurnServer with heap meters, whose outputs are executed as
// the driver does, as the fuzzer's bytes say.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/stun/message.h"
#include "server/turn/turn_server.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/seeded_random.h"

namespace turnpike {

// FuzzWorld checks what must hold whatever comes in: consistency after every step, every Forward
// reported, slots and ports given back at the end.
class FuzzWorld {
 public:
  // What an operator may have configured is in the bits of `flavour`.
  explicit FuzzWorld(uint16_t flavour) : random_(1) {
    const IpAddress v4 = *IpAddress::Parse("10.0.0.5");
    const IpAddress v6 = *IpAddress::Parse("2600::5");
    options_.realm = "r";
    options_.relay_addresses = {{.bind = v4, .advertise = *IpAddress::Parse("5.5.5.5")},
                                {.bind = v6, .advertise = v6}};
    options_.max_permissions = 6;
    options_.max_channels = 5;
    options_.max_peer_connections = 4;
    options_.limits.allocations_per_username = 3;
    options_.credentials = std::make_shared<const Credentials>(
        "r",
        std::vector<Credentials::User>{
            {.username = "a", .password = "pa", .account = "", .label = ""},
            {.username = "b", .password = "pb", .account = "", .label = ""}},
        (flavour & 1) != 0 ? std::vector<std::string>{"s1", "s2"} : std::vector<std::string>{});
    options_.strict_expiry = (flavour & 2) != 0;
    if ((flavour & 4) != 0) {
      options_.alternate_servers = {{v4, 3478, 5349, "other.example"}, {v6, 3478, 5349, ""}};
      options_.redirect_always = (flavour & 8) != 0;
    }
    if ((flavour & 16) != 0) {
      options_.nat_discovery =
          NatDiscovery{.addresses = {*IpAddress::Parse("5.5.5.1"), *IpAddress::Parse("5.5.5.2")},
                       .ports = {3478, 3479}};
    }
    if ((flavour & 32) != 0) options_.software = "turnpike";
    options_.mobility = (flavour & 64) == 0;
    if ((flavour & 128) != 0) {
      options_.limits.allocations_per_account = 4;
      options_.limits.allocations_per_address = 5;
      options_.limits.session_bandwidth = 100;
      options_.limits.account_bandwidth = 150;
      options_.limits.session_packets = 3;
      options_.max_unauthenticated_answers = 2;
      options_.max_allocation_attempts = 2;
      options_.max_unanswered_bytes = 60;
    }
    PeerFilter::Options filter;
    filter.relay_addresses = {v4, *IpAddress::Parse("5.5.5.5"), v6};
    filter.min_relay_port = kMinPort;
    filter.max_relay_port = kMaxPort;
    if ((flavour & 256) != 0) {
      filter.allow.Add(*IpRange::Parse("127.0.0.0/8"));
      filter.deny.Add(*IpRange::Parse("9.9.9.4/32"));
      filter.listeners = {*TransportAddress::Parse("5.5.5.1:3478"),
                          *TransportAddress::Parse("0.0.0.0:80")};
      filter.local_addresses = {*IpAddress::Parse("9.9.9.3"), *IpAddress::Parse("5.5.5.1")};
      options_.limits.allocations = 4;
    }
    options_.peer_filter = std::make_shared<const PeerFilter>(filter);
    directory_ = std::make_unique<Directory>(std::vector<IpAddress>{v4, v6}, kMinPort, kMaxPort);
    now_ = {.mono = MonoTime(std::chrono::hours(1)),
            .wall = WallTime(std::chrono::seconds(1'795'208'400))};
    server_ = std::make_unique<TurnServer>(options_, NonceSecret{}, *directory_, random_);
  }

  ~FuzzWorld() {
    ReportAll();
    server_->CloseAll(CloseReason::kDrained, now_);
    Poll(nullptr);
    Step(kReservationLifetime);
    Poll(nullptr);
    TP_CHECK(server_->IsConsistent());
    TP_CHECK(server_->allocation_count() == 0);
    TP_CHECK(directory_->ports_in_use() == 0);
    TP_CHECK(open_slots_ == 0);
    TP_CHECK(open_relays_.empty());
    TP_CHECK(streams_.empty());
    TP_CHECK(directory_->offers() == 0 && directory_->reservations() == 0);
    TP_CHECK(directory_->IsConsistent());
    // Nobody holds an allocation any more, by whatever they are counted.
    const auto held = directory_->quotas().Read();
    for (const Limit limit : {Limit::kAllocations, Limit::kAllocationsPerUsername,
                              Limit::kAllocationsPerAccount, Limit::kAllocationsPerAddress}) {
      TP_CHECK(held[static_cast<size_t>(limit)].used == 0);
    }
    TP_CHECK(!server_->NextDeadline());
  }

  // FromClient hands in one message; the input decides what becomes of the outputs.
  void FromClient(const Client& client, ByteSpan bytes, FuzzInput* input) {
    last_message_.clear();
    // A copy of exact size, so that the sanitizer sees every byte read beyond it.
    const auto copy = std::make_unique<std::vector<uint8_t>>(bytes.begin(), bytes.end());
    Keep(server_->OnClientDatagram(client, *copy, now_), input);
    Poll(input);
  }

  void FromPeer(size_t which, const TransportAddress& peer, ByteSpan bytes, FuzzInput* input) {
    if (relays_.empty()) return;
    Keep(server_->OnPeerDatagram(relays_[which % relays_.size()], PeerAddress(peer), bytes, now_),
         input);
    Poll(input);
  }

  // Step lets time pass; timers run late, all at once, as on a busy machine.
  void Step(Duration duration) {
    now_.mono += duration;
    now_.wall += std::chrono::duration_cast<std::chrono::microseconds>(duration);
    server_->OnTimer(now_);
    server_->MeasureUse(now_);
    const auto next = server_->NextDeadline();
    TP_CHECK(!next || *next > now_.mono);
    Poll(nullptr);
  }

  void ReportAll() {
    while (!held_.empty()) {
      const Forward forward = held_.front();
      held_.pop_front();
      server_->OnSent(forward, {}, now_);
      Poll(nullptr);
    }
  }

  void CloseLink(LinkId link, FuzzInput* input) {
    server_->OnLinkClosed(link, now_);
    Poll(input);
  }

  // Accept is a TCP connection of a peer to a relay that was opened for TCP.
  void Accept(size_t which, const TransportAddress& peer, FuzzInput* input) {
    if (tcp_relays_.empty()) return;
    const RelayId relay = tcp_relays_[which % tcp_relays_.size()];
    const auto stream = server_->OnPeerAccepted(relay, PeerAddress(peer), now_);
    if (stream) streams_.push_back({.id = *stream, .is_connecting = false});
    Poll(input);
  }

  // StepStreams does one of the things that happen to TCP connections with peers.
  void StepStreams(FuzzInput* input) {
    if (!handed_over_.empty() && input->Below(2) == 0) {
      const PeerStreamId id = handed_over_.front();
      handed_over_.pop_front();
      const bool known = FindStream(id) != nullptr;
      TP_CHECK(server_->OnHandedOver(id, now_) == known);
      if (known) FindStream(id)->is_bound = true;
    } else if (!streams_.empty()) {
      StepStream(streams_[input->Byte() % streams_.size()], input);
    }
    Poll(input);
  }

  void Icmp(size_t which, const TransportAddress& peer, const IcmpError& error) {
    if (relays_.empty()) return;
    server_->OnIcmp(relays_[which % relays_.size()], PeerAddress(peer), error, now_);
    Poll(nullptr);
  }

  // Operate is what comes from operators: sessions are ended, accounts stopped, options changed.
  void Operate(FuzzInput& input) {
    switch (input.Below(8)) {
      case 0:
        directory_->SetRevoked({{.username = input.Below(2) == 0 ? "a" : "",
                                 .account = "b",
                                 .label = "",
                                 .until = now_.wall + std::chrono::minutes(input.Byte())}});
        break;
      case 1:
        directory_->SetCapped({{"a", std::nullopt}});
        break;
      case 2:
        directory_->SetCapped({{"b", "x"}});
        break;
      case 3:
        options_.max_permissions = input.Below(6);
        options_.max_lifetime = std::chrono::seconds(600 + input.Byte());
        server_->SetOptions(options_);
        break;
      case 4:
        if (input.Below(8) == 0) server_->Drain(now_);
        break;
      default:
        if (!sessions_.empty()) {
          const SessionId ended[] = {sessions_[input.Byte() % sessions_.size()]};
          server_->EndSessions(ended, CloseReason::kKilled, now_);
        }
    }
    Poll(nullptr);
  }

  TurnServer& server() { return *server_; }
  Now now() const { return now_; }
  // last_message is the newest answer to the last message of a client, if any.
  const std::vector<uint8_t>& last_message() const { return last_message_; }

 private:
  static constexpr uint16_t kMinPort = 50000;
  static constexpr uint16_t kMaxPort = 50011;

  struct Stream {
    PeerStreamId id;
    bool is_connecting = false;
    bool is_bound = false;
  };

  Stream* FindStream(PeerStreamId id) {
    const auto found = std::ranges::find(streams_, id, &Stream::id);
    return found == streams_.end() ? nullptr : &*found;
  }

  bool EraseStream(PeerStreamId id) {
    return std::erase_if(streams_, [&](const Stream& s) { return s.id == id; }) == 1;
  }

  void StepStream(Stream& stream, FuzzInput* input) {
    const PeerStreamId id = stream.id;
    if (stream.is_connecting) {
      const bool connected = input->Below(4) != 0;
      stream.is_connecting = false;
      if (!connected) EraseStream(id);
      server_->OnPeerConnected(id, connected, now_);
    } else if (stream.is_bound) {
      const uint8_t what = input->Below(8);
      const auto direction = what % 2 == 0 ? Direction::kClientToPeer : Direction::kPeerToClient;
      if (what < 6) return (void)server_->OnSpliced(id, direction, input->Byte(), now_);
      if (what == 6) return server_->OnHalfClosed(id, now_);
      EraseStream(id);
      server_->OnPeerStreamClosed(id, now_);
    }
  }

  void Keep(std::optional<Forward> forward, FuzzInput* input) {
    if (!forward) return;
    TP_CHECK(forward->wire_bytes >= forward->payload.size());
    TP_CHECK(forward->padding_size < 4);
    const uint8_t fate = input == nullptr ? 0 : input->Below(4);
    if (fate == 3) {
      held_.push_back(*forward);
      held_.back().payload = held_.back().payload.first(0);  // the bytes are gone by then
    } else if (fate == 2) {
      server_->OnSent(*forward, std::unexpected(DropReason::kWouldBlock), now_);
    } else {
      server_->OnSent(*forward, {}, now_);
    }
  }

  // IsStun says whether `bytes` are a message. The answer to a client of RFC 3489 carries that
  // client's own value where the cookie stands.
  static bool IsStun(std::vector<uint8_t> bytes) {
    constexpr uint16_t kBindingSuccess = 0x0101;
    constexpr uint16_t kBindingError = 0x0111;
    if (bytes.size() < stun::kHeaderSize) return false;
    const uint16_t type = LoadU16(bytes, 0);
    if (type == kBindingSuccess || type == kBindingError) {
      ByteWriter(std::span(bytes).subspan(4)).WriteU32(stun::kMagicCookie);
    }
    return stun::MessageView::Parse(bytes).has_value();
  }

  void Poll(FuzzInput* input) {
    while (auto output = server_->PollOutput()) {
      if (const auto* open = std::get_if<OpenRelay>(&*output)) {
        Open(*open, input == nullptr ? uint8_t{0} : input->Below(8));
      } else if (auto* send = std::get_if<SendMessage>(&*output)) {
        TP_CHECK(IsStun(send->bytes));
        last_message_ = std::move(send->bytes);
      } else if (const auto* close = std::get_if<CloseRelay>(&*output)) {
        TP_CHECK(std::erase(open_relays_, close->relay) == 1);
      } else if (const auto* connect = std::get_if<ConnectPeer>(&*output)) {
        streams_.push_back({.id = connect->stream, .is_connecting = true});
      } else if (const auto* gone = std::get_if<ClosePeer>(&*output)) {
        TP_CHECK(EraseStream(gone->stream));
      } else if (const auto* bind = std::get_if<BindPeer>(&*output)) {
        // The other worker may take its time, or the client may have gone.
        handed_over_.push_back(bind->stream);
      } else if (std::holds_alternative<AllocationClosed>(*output)) {
        TP_CHECK(open_slots_ > 0);
        --open_slots_;
      }
    }
    TP_CHECK(server_->IsConsistent());
  }

  void Open(const OpenRelay& open, uint8_t fate) {
    if (fate >= 5) {
      server_->OnRelayOpened(open.relay, std::unexpected(static_cast<OpenError>(fate - 5)), now_);
      return;
    }
    SessionMeter meter;
    if (open.needs_slot) {
      cells_.push_back(std::make_unique<Cell>());
      meter = SessionMeter(&cells_.back()->live, &cells_.back()->ring,
                           SlotId(static_cast<uint32_t>(cells_.size())));
      ++open_slots_;
      sessions_.push_back(open.session.id);
    }
    if (open.protocol == RelayProtocol::kTcp) {
      tcp_relays_.push_back(open.relay);
    } else {
      relays_.push_back(open.relay);
    }
    open_relays_.push_back(open.relay);
    server_->OnRelayOpened(open.relay, meter, now_);
  }

  struct Cell {
    LiveUsage live;
    BoundaryRing ring;
  };

  SeededRandom random_;
  TurnOptions options_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<TurnServer> server_;
  Now now_;
  std::vector<std::unique_ptr<Cell>> cells_;
  int open_slots_ = 0;
  std::vector<SessionId> sessions_;  // all that ever were
  std::vector<RelayId> relays_;      // all UDP ones that ever were
  std::vector<RelayId> tcp_relays_;
  std::vector<Stream> streams_;
  std::deque<PeerStreamId> handed_over_;
  std::vector<RelayId> open_relays_;
  std::deque<Forward> held_;
  std::vector<uint8_t> last_message_;
};

// FuzzClient returns one of a few clients: two over UDP, two over TCP, one over IPv6.
inline Client FuzzClient(uint8_t which) {
  static constexpr std::array<const char*, 5> kAddresses = {"7.7.7.7:1", "7.7.7.7:2", "7.7.7.7:3",
                                                            "[2a00::7]:4", "7.7.7.7:5"};
  which %= 5;
  Client client;
  client.five_tuple.client = *TransportAddress::Parse(kAddresses[which]);
  client.five_tuple.server =
      *TransportAddress::Parse(which == 3 ? "[2600::1]:3478" : "5.5.5.1:3478");
  const bool is_tcp = which == 2 || which == 4;
  client.five_tuple.transport = is_tcp ? Transport::kTcp : Transport::kUdp;
  client.link = LinkId(is_tcp ? 7u + which : 1u);
  return client;
}

}  // namespace turnpike
