// The whole world of one simulated run: clients, peers, a bad network, clocks that step, a disk
// that fills up, a server that is killed; and the auditor who watches the wires.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/auditor.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_server.h"
#include "tests/sim/timeline.h"
#include "tests/support/seeded_random.h"

namespace turnpike::sim {

// RunStats say what a run has seen, so that a test can tell that the simulation reaches what it is
// meant to reach.
struct RunStats {
  uint64_t sessions = 0;
  uint64_t packets = 0;
  uint64_t billable_bytes = 0;
  uint64_t kills = 0;
  uint64_t failed_checkpoints = 0;
  uint64_t good_checkpoints = 0;
  uint64_t buckets = 0;
  uint64_t crashed_sessions = 0;
  uint64_t moves = 0;         // of sessions to another 5-tuple (RFC 8016)
  uint64_t stream_bytes = 0;  // of billable_bytes, on data connections of RFC 6062

  RunStats& operator+=(const RunStats& other);
};

// SimWorld runs once.
class SimWorld : public Wires, public Surroundings {
 public:
  // The same seed is the same world. `directory` is empty and takes slots and ledger.
  SimWorld(uint64_t seed, std::string directory);
  ~SimWorld() override;

  // Run lets everything happen, comes to an end, and compares. It returns the first thing that is
  // wrong, or nullopt.
  std::optional<std::string> Run();

  const RunStats& stats() const { return stats_; }

  // audited is what the auditor counted.
  const Books& audited() const { return auditor_.books(); }

 private:
  // Wires: what the server sends.
  void ToClient(LinkId link, const TransportAddress& client, Bytes message) override;
  void ToPeer(const TransportAddress& from, const TransportAddress& to, Bytes datagram) override;
  void Disconnected(LinkId link) override;
  void Announced(const SessionInfo& info) override;
  void Problem(std::string what) override;

  // Surroundings: what the clients do.
  void ToServer(SimClient& client, std::vector<uint8_t> message) override;
  void Connect(SimClient& client) override;
  void Disconnect(SimClient& client) override;
  void Move(SimClient& client) override;
  LinkId OpenData(SimClient& client, std::vector<uint8_t> bind, std::vector<uint8_t> data) override;
  void SendData(LinkId link, std::vector<uint8_t> data) override;
  void CloseData(LinkId link) override;
  void Forge(SimClient& client, std::vector<uint8_t> message) override;
  TransportAddress AnyPeer() override;
  void Relayed(const TransportAddress& address) override;

  // sim_setup.cc: what this world is like.
  void MakeServerSettings();
  void MakeClients();
  void MakePeers();
  void StepClock();
  void KeepSteppingClock();
  void PlanMisfortunes();

  // The life of the server.
  void StartServer();
  void Kill();
  void Checkpoint();
  bool CheckpointNow(const CheckpointFaults& faults);
  void ScheduleCheckpoint();
  void ScheduleClient(SimClient& client, uint32_t acts, Duration delay);
  void ScheduleStranger(uint32_t datagrams);

  // Time.
  void RunUntil(MonoTime end);
  void Arrive();
  void Guard(const std::function<void()>& event);
  void After(Duration delay, std::function<void()> event);

  // The end.
  void End();
  void Compare();

  FiveTuple TupleOf(const SimClient& client) const;
  void NewPlace(SimClient& client);
  SimClient* FindClient(LinkId link);
  SimClient* FindClient(Transport transport, const TransportAddress& address);
  void PeerToRelay(const TransportAddress& peer, TransportAddress relay,
                   std::vector<uint8_t> datagram);
  void DrainSome();
  // Carry delivers `copies` of a datagram after a while each: none, one, or two.
  void Carry(std::function<void()> deliver);

  const uint64_t seed_;
  const std::string directory_;
  SeededRandom random_;
  Dice dice_;
  Timeline timeline_;
  Auditor auditor_;

  ServerSettings settings_;
  std::vector<Login> logins_;
  std::unique_ptr<SimServer> server_;  // null while it is down
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<TransportAddress> peers_;
  std::vector<TransportAddress> relayed_;
  uint32_t next_link_ = 2;
  uint16_t next_client_port_ = 20'000;

  uint32_t loss_percent_ = 0;
  uint32_t duplicate_percent_ = 0;
  bool disk_full_ = false;
  bool ending_ = false;
  size_t busy_clients_ = 0;
  // Bucket changes since slots were last settled. A slot remembers 16; a world with a long outage
  // goes beyond that and compares without buckets.
  bool long_outage_ = false;
  uint32_t bucket_changes_ = 0;
  int64_t bucket_ = 0;

  std::string problem_;
  RunStats stats_;
};

}  // namespace turnpike::sim
