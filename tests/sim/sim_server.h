// One simulated server process: the real cores, slots and ledger on a fake kernel. It does what
// server/io and the application do: opens relays, sends, reports what was sent, checkpoints.
// Destroying it is a kill: nothing is closed, flushed or said.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/metering/ledger.h"
#include "common/metering/slots.h"
#include "server/turn/turn_server.h"
#include "tests/sim/auditor.h"
#include "tests/sim/permission_watch.h"
#include "tests/sim/timeline.h"
#include "tests/support/seeded_random.h"

namespace turnpike::sim {

// Killed is thrown where the process dies, and caught where the world goes on without it.
struct Killed {};

// Wires are what the server's kernel is connected to.
class Wires {
 public:
  virtual ~Wires() = default;
  // ToClient carries a message to `client`; on a link that is a connection, in order.
  virtual void ToClient(LinkId link, const TransportAddress& client, Bytes message) = 0;
  // ToPeer carries a datagram from the relay socket bound to `from`.
  virtual void ToPeer(const TransportAddress& from, const TransportAddress& to, Bytes datagram) = 0;
  // Disconnected says that the server closed the connection `link`.
  virtual void Disconnected(LinkId link) = 0;
  // Announced says that the session `info` got its slot.
  virtual void Announced(const SessionInfo& info) = 0;
  // Problem records what must not happen; the first one ends the run.
  virtual void Problem(std::string what) = 0;
};

// ServerSettings are what a start of the process is made of.
struct ServerSettings {
  std::string directory;
  LedgerIdentity identity;
  uint32_t max_slots = 1024;
  size_t workers = 1;
  TurnOptions options;
  NonceSecret nonce_secret{};
  uint16_t min_port = 0;
  uint16_t max_port = 0;
  uint32_t refused_percent = 5;  // sends that the kernel refuses
  uint64_t seed = 0;
};

// CheckpointFaults are what goes wrong in one checkpoint.
struct CheckpointFaults {
  std::optional<uint64_t> file_size_limit;  // writes beyond it fail, as on a full disk
  std::string kill_at_step;                 // of LedgerOptions::on_step; empty: none
};

// ClientName tells clients apart.
std::string ClientName(const FiveTuple& tuple);

// SimServer owns everything of one process.
class SimServer {
 public:
  // Start opens slots and ledger as they are on the disk.
  static std::expected<std::unique_ptr<SimServer>, std::string> Start(ServerSettings settings,
                                                                      Timeline& timeline,
                                                                      Dice& dice, Auditor& auditor,
                                                                      Wires& wires);
  ~SimServer();

  // What the network brings. A link that the server does not know is ignored.
  void OnDatagram(const FiveTuple& tuple, Bytes datagram);
  void OpenLink(LinkId link, const FiveTuple& tuple);
  void OnLinkBytes(LinkId link, Bytes bytes);
  void CloseLink(LinkId link);
  void OnPeerDatagram(const TransportAddress& relay, const TransportAddress& peer, Bytes datagram);

  // StepStreams lets one thing happen to the TCP connections with peers (RFC 6062), if there are
  // any: one of `peers` connects, a Connect ends well or not, a client's end arrives at its worker,
  // bytes come and go, somebody closes.
  void StepStreams(const std::vector<TransportAddress>& peers);

  // DrainLink lets the kernel take up to `messages` of what is queued for a connection.
  void DrainLink(LinkId link, size_t messages);

  std::optional<MonoTime> NextDeadline() const;
  void OnTimer();

  // Checkpoint runs one; false when it failed, and nothing in the slots has changed.
  bool Checkpoint(const CheckpointFaults& faults);

  // CloseAll ends every allocation, as at the end of a drain; Finish writes the last checkpoint.
  void CloseAll();
  bool Finish();

  // DieAtOutput kills the process in the middle of the `countdown`-th output from now.
  void DieAtOutput(uint32_t countdown) { die_countdown_ = countdown; }

  // CheckInvariants holds every consistency check and the live counters against the auditor.
  void CheckInvariants();
  // CheckEmpty says that nothing is left over.
  void CheckEmpty();

  // moves counts how often a session went on at another 5-tuple (RFC 8016).
  uint64_t moves() const { return moves_; }

  const std::vector<BillableTotal>& billable() const { return ledger_->BillableTotals(); }

 private:
  // Held is a Forward with the bytes that its payload views.
  struct Held {
    Forward forward;
    std::vector<uint8_t> input;
    bool stream = false;  // the client's leg
    size_t worker = 0;    // whose core waits for the report
  };
  // Queued is one message for a connection: control, or a Forward that is still out.
  struct Queued {
    std::vector<uint8_t> control;
    std::optional<Held> held;
  };
  struct Link {
    size_t worker = 0;
    FiveTuple tuple;
    std::vector<uint8_t> in;
    std::deque<Queued> queue;
    std::optional<PeerStreamId> stream = std::nullopt;  // whose client's end it has become
    CoreId owner{};                                     // of that stream
  };
  // PeerSocket is a TCP connection with a peer.
  struct PeerSocket {
    std::string session;
    bool is_connecting = false;
    bool has_ended = false;           // one of its sides closed
    std::optional<LinkId> link = {};  // the client's end, once it has arrived
    uint64_t waiting = 0;             // bytes that the peer sent and the client has not got yet
  };
  struct Worker {
    std::unique_ptr<SeededRandom> random;
    std::unique_ptr<TurnServer> core;
    std::vector<Held> held;  // UDP sends of the current batch
    std::string newest_session;
    std::map<RelayId, std::string> session_of;
    std::map<RelayId, TransportAddress> bind_of;  // open sockets
    std::map<PeerStreamId, PeerSocket> peers;
  };
  struct Socket {
    size_t worker = 0;
    RelayId relay;
    RelayProtocol protocol = RelayProtocol::kUdp;
  };

  SimServer(ServerSettings settings, Timeline& timeline, Dice& dice, Auditor& auditor,
            Wires& wires);

  size_t WorkerOf(const TransportAddress& client) const;
  size_t IndexOf(const Worker& worker) const;
  const std::string& WatchedAs(const std::string& client) const;
  void Receive(size_t worker, const Client& client, Bytes message);
  size_t ArriveInRun(Worker& worker, const std::optional<Forward>& forward, Bytes datagram);
  void Hold(Worker& worker, std::optional<Forward> forward, Bytes input, bool stream);
  void CheckPermitted(const FiveTuple& tuple, const TransportAddress& peer, bool on_channel);
  void Flush(Worker& worker);
  void Poll(Worker& worker);
  void Execute(Worker& worker, const SendMessage& send);
  void Execute(Worker& worker, const OpenRelay& open);
  void Execute(Worker& worker, const CloseRelay& close);
  void Execute(Worker& worker, const AllocationClosed& closed);
  void Execute(Worker& worker, const ConnectPeer& connect);
  void Execute(Worker& worker, const ClosePeer& close);
  void Execute(Worker& worker, const BindPeer& bind);
  void Execute(Worker& worker, const ClientJoined& joined);
  void Execute(Worker& worker, const ClientLeft& left);
  void Execute(Worker& worker, const PassMessage& passed);
  void Execute(Worker& worker, const SessionMoved& moved);
  Worker& WorkerOfCore(CoreId core);
  void Accept(const TransportAddress& peer);
  void StepPeer(Worker& worker, PeerStreamId stream);
  void FinishConnect(Worker& worker, PeerStreamId stream, bool connected);
  void Arrive(LinkId link);
  void Splice(Worker& worker, PeerStreamId stream);
  void EndPeer(Worker& worker, PeerStreamId stream);
  void DropLink(LinkId link);
  void AnswerOnBrokenLink(Worker& worker, const OpenRelay& open,
                          std::expected<SessionMeter, OpenError> opened);
  std::expected<SessionMeter, OpenError> TryOpen(Worker& worker, const OpenRelay& open);
  void Announce(const SessionInfo& info);
  void Send(Worker& worker, Held held);
  void Take(Worker& worker, const Held& held);
  void Refuse(Worker& worker, const Held& held, DropReason reason);
  std::optional<DropReason> KernelRefuses(const Held& held);
  void MaybeDie();
  int64_t mono_us() const;
  int64_t now_us() const { return timeline_.now().wall.time_since_epoch().count(); }

  const ServerSettings settings_;
  Timeline& timeline_;
  Dice& dice_;
  Auditor& auditor_;
  Wires& wires_;

  std::string kill_at_step_;
  uint32_t die_countdown_ = 0;
  bool committed_once_ = false;
  std::unique_ptr<SlotFile> slots_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Directory> directory_;
  std::vector<Worker> workers_;
  std::map<TransportAddress, Socket> sockets_;
  std::map<LinkId, Link> links_;
  PermissionWatch permissions_;
  // The session that each client's requests are for, and the worker that has a client of another.
  std::map<std::string, std::string> watched_as_;
  std::map<std::string, size_t> guests_;
  uint64_t moves_ = 0;
  std::vector<LinkId> on_their_way_;  // to the worker of their stream
};

}  // namespace turnpike::sim
