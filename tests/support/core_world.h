// A small world around a TurnServer: clock, sockets and slots as plain values, and a record of all
// that the server asked for.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/metering/usage.h"
#include "server/turn/turn_server.h"
#include "tests/support/seeded_random.h"

namespace turnpike {

using Bytes = std::vector<uint8_t>;

// Address reads `1.2.3.4:5` or `[::1]:5`; Ip reads an address. Both end the test on nonsense.
TransportAddress Address(std::string_view text);
IpAddress Ip(std::string_view text);

// MeterHeap gives out session meters that live on the heap.
class MeterHeap {
 public:
  SessionMeter Open();
  void Close(SlotId slot);
  UsageTotals Totals(SlotId slot) const;
  uint64_t Drops(SlotId slot, DropReason reason) const;
  LiveUsage& live(SlotId slot) { return cells_.at(slot.value())->live; }
  size_t open_count() const { return open_; }

 private:
  struct Cell {
    LiveUsage live;
    BoundaryRing ring;
    bool open = true;
  };
  std::vector<std::unique_ptr<Cell>> cells_;
  size_t open_ = 0;
};

// Relayed is a copy of a Forward that was sent.
struct Relayed {
  Direction direction = Direction::kClientToPeer;
  std::string to;
  std::string from;  // to a client: the server's address; to a peer: the relay, as in the log
  Bytes message;     // header, payload, padding
  Bytes payload;
  uint32_t wire_bytes = 0;
  bool dont_fragment = false;
};

// CoreWorld drives one TurnServer as the driver does: it answers every OpenRelay, reports every
// Forward, and runs timers when they are due. Every other output becomes a line of the log; a test
// takes the lines it expects, and a line that is left over fails it.
class CoreWorld {
 public:
  struct Settings {
    TurnOptions options;  // credentials and filter are made from what follows
    std::vector<Credentials::User> users;
    std::vector<std::string> secrets;
    std::vector<std::string> relay_addresses;  // `bind` or `bind=advertise`
    std::vector<std::string> allow;            // peers
    std::vector<std::string> deny;
    uint16_t min_port = 50000;
    uint16_t max_port = 50999;
    uint64_t seed = 1;
  };

  // Defaults: users alice/s3cret (account acme, label web) and bob/hunter2; relays on 5.5.5.5 and
  // 2600::5; realm turnpike.example.
  static Settings DefaultSettings();

  CoreWorld() : CoreWorld(DefaultSettings()) {}
  explicit CoreWorld(Settings settings);
  ~CoreWorld();

  TurnServer& server() { return *server_; }
  Directory& directory() { return *directory_; }
  const NonceSecret& nonce_secret() const { return nonce_secret_; }
  MeterHeap& meters() { return meters_; }
  Now now() const { return now_; }

  // Advance lets time pass; timers run at their own moments. AdvanceWithoutTimers is a loop that
  // comes late. StepWall moves the wall clock alone.
  void Advance(Duration duration);
  void AdvanceWithoutTimers(Duration duration) {
    now_.mono += duration;
    StepWall(duration);
  }
  void StepWall(Duration duration) {
    now_.wall += std::chrono::round<std::chrono::microseconds>(duration);
  }

  // FromClient and FromPeer hand in one datagram and send what comes back. `relay` is a name of the
  // log (`r1`).
  std::optional<Relayed> FromClient(const Client& client, ByteSpan bytes);
  std::optional<Relayed> FromPeer(const std::string& relay, std::string_view peer, ByteSpan bytes);

  // Connected answers a `connect p1 ...` of the log. Accept is a TCP connection that `peer` makes
  // to `relay`; it returns the connection's name, or nullopt when it is refused.
  void Connected(const std::string& stream, bool connected);
  std::optional<std::string> Accept(const std::string& relay, std::string_view peer);
  PeerStreamId StreamOf(const std::string& name) const;

  // send_result is what the kernel says to the next sends. While hold_sends is set, Forwards are
  // not reported; ReportHeld reports them, oldest first.
  SendResult send_result{};
  bool hold_sends = false;
  void ReportHeld();

  // fail_opens answers the next OpenRelays, one each (nullopt: success); then they succeed. While
  // hold_opens is set they wait; AnswerHeldOpens goes on.
  std::deque<std::optional<OpenError>> fail_opens;
  bool hold_opens = false;
  void AnswerHeldOpens();

  // Poll executes outputs. The functions above call it; call it after touching `server()` directly.
  void Poll();

  // TakeLog returns the lines since the last call: `open r1 5.5.5.5 slot`, `close r1`,
  // `closed s0 expired`, `send 5.5.5.1:3478 -> 7.7.7.7:1000 <hex>`... in order.
  std::vector<std::string> TakeLog();

  // TakeMessage returns the oldest message sent to `client` that was not taken yet.
  std::optional<Bytes> TakeMessage(const Client& client);

  // TakeSent returns the oldest message that was not taken yet, with where it goes.
  std::optional<SendMessage> TakeSent();

  // BindOf returns where a relay is bound, IdOf its id, SlotOf the slot of the session that owns
  // it; SessionOf what was said about that session when the slot was asked for.
  TransportAddress BindOf(const std::string& relay) const { return relays_.at(relay).bind; }
  SlotId SlotOf(const std::string& relay) const { return relays_.at(relay).slot; }
  RelayId IdOf(const std::string& relay) const { return relays_.at(relay).id; }
  const SessionInfo& SessionOf(const std::string& relay) const { return relays_.at(relay).session; }

  // NewCredentials and SetOptions change the rules of a running server.
  TurnOptions& options() { return settings_.options; }
  Settings& settings() { return settings_; }
  void Reload();

 private:
  struct RelaySocket {
    RelayId id;
    TransportAddress bind;
    SlotId slot;
    SessionInfo session;
    bool open = false;
  };
  struct Held {
    Forward forward;
  };

  void BuildOptions();
  void Execute(Output output);
  void Open(const OpenRelay& open);
  std::string NameOf(RelayId id);
  std::string NameOf(PeerStreamId id);
  std::optional<Relayed> Send(std::optional<Forward> forward);

  Settings settings_;
  SeededRandom random_;
  NonceSecret nonce_secret_{};
  std::unique_ptr<Directory> directory_;
  MeterHeap meters_;
  Now now_;
  std::unique_ptr<TurnServer> server_;
  std::map<RelayId, std::string> names_;
  std::map<PeerStreamId, std::string> stream_names_;
  std::map<std::string, RelaySocket> relays_;
  std::deque<SendMessage> mailbox_;
  std::vector<std::string> log_;
  std::deque<Forward> held_;
  std::deque<OpenRelay> held_opens_;
};

}  // namespace turnpike
