// What both fuzzers of the core share: a TurnServer with heap meters, whose outputs are executed as
// the driver does, as the fuzzer's bytes say.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/stun/message.h"
#include "server/turn/turn_server.h"
#include "tests/support/seeded_random.h"

namespace turnpike {

// FuzzInput hands out the fuzzer's bytes; zeros when they are used up.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : bytes_(data, size) {}
  bool empty() const { return bytes_.empty(); }
  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const uint8_t byte = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  uint8_t Below(uint8_t bound) { return static_cast<uint8_t>(Byte() % bound); }
  ByteSpan Bytes(size_t size) {
    const ByteSpan taken = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  ByteSpan bytes_;
};

// FuzzWorld checks what must hold whatever comes in: consistency after every step, every Forward
// reported, slots and ports given back at the end.
class FuzzWorld {
 public:
  FuzzWorld() : random_(1) {
    const IpAddress v4 = *IpAddress::Parse("10.0.0.5");
    const IpAddress v6 = *IpAddress::Parse("2600::5");
    options_.realm = "r";
    options_.relay_addresses = {{.bind = v4, .advertise = *IpAddress::Parse("5.5.5.5")},
                                {.bind = v6, .advertise = v6}};
    options_.max_permissions = 6;
    options_.max_channels = 5;
    options_.max_allocations_per_username = 3;
    options_.credentials = std::make_shared<const Credentials>(
        "r",
        std::vector<Credentials::User>{
            {.username = "a", .password = "pa", .account = "", .label = ""},
            {.username = "b", .password = "pb", .account = "", .label = ""}},
        std::vector<std::string>{});
    PeerFilter::Options filter;
    filter.relay_addresses = {v4, *IpAddress::Parse("5.5.5.5"), v6};
    filter.min_relay_port = kMinPort;
    filter.max_relay_port = kMaxPort;
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

  TurnServer& server() { return *server_; }
  Now now() const { return now_; }
  // last_message is the newest answer to the last message of a client, if any.
  const std::vector<uint8_t>& last_message() const { return last_message_; }

 private:
  static constexpr uint16_t kMinPort = 50000;
  static constexpr uint16_t kMaxPort = 50011;

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

  void Poll(FuzzInput* input) {
    while (auto output = server_->PollOutput()) {
      if (const auto* open = std::get_if<OpenRelay>(&*output)) {
        Open(*open, input == nullptr ? uint8_t{0} : input->Below(8));
      } else if (auto* send = std::get_if<SendMessage>(&*output)) {
        TP_CHECK(stun::MessageView::Parse(send->bytes).has_value());
        last_message_ = std::move(send->bytes);
      } else if (const auto* close = std::get_if<CloseRelay>(&*output)) {
        TP_CHECK(std::erase(open_relays_, close->relay) == 1);
      } else {
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
    }
    relays_.push_back(open.relay);
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
  std::vector<RelayId> relays_;  // all that ever were
  std::vector<RelayId> open_relays_;
  std::deque<Forward> held_;
  std::vector<uint8_t> last_message_;
};

// FuzzClient returns one of a few clients: two over UDP, one over TCP, one over IPv6.
inline Client FuzzClient(uint8_t which) {
  static constexpr std::array<const char*, 4> kAddresses = {"7.7.7.7:1", "7.7.7.7:2", "7.7.7.7:3",
                                                            "[2a00::7]:4"};
  which %= 4;
  Client client;
  client.five_tuple.client = *TransportAddress::Parse(kAddresses[which]);
  client.five_tuple.server =
      *TransportAddress::Parse(which == 3 ? "[2600::1]:3478" : "5.5.5.1:3478");
  client.five_tuple.transport = which == 2 ? Transport::kTcp : Transport::kUdp;
  client.link = LinkId(which == 2 ? 9 : 1);
  return client;
}

}  // namespace turnpike
