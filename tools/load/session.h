// One session: a client with an allocation of its own, and its peer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/client/turn_client.h"
#include "tools/load/client_leg.h"
#include "tools/load/plan.h"
#include "tools/load/random.h"
#include "tools/load/result.h"
#include "tools/load/schedule.h"
#include "tools/load/stamp.h"

namespace turnpike::load {

// ThreadContext is what all sessions of one thread share.
struct ThreadContext {
  explicit ThreadContext(const Plan& the_plan) : plan(the_plan), burst(random), echoes(random) {}

  const Plan& plan;
  KernelRandom random;
  TlsClientContext tls;
  UdpReceiver receiver;
  Burst burst;   // packets that are due
  Burst echoes;  // what a peer sends back
  Measurements measurements;
  MonoTime now;             // of this turn of the loop
  Duration wall_to_mono{};  // likewise
};

// Session drives one client and its peer. Its owner watches the sockets and calls it.
class Session {
 public:
  enum class State : uint8_t {
    kConnecting,  // until the leg is open
    kAllocating,
    kPermitting,  // ChannelBind or CreatePermission is under way
    kReady,
    kSending,
    kSettling,
    kReleasing,
    kDone,  // released, or failed
  };

  Session(ThreadContext& context, uint32_t number);

  // Open opens the sockets and begins. It never fails: a session that cannot go on is done, and
  // its result says why.
  void Open();

  // OnClientSocket and OnPeerSocket handle what epoll said about either socket.
  void OnClientSocket(bool writable);
  void OnPeerSocket();

  // OnTimer does what is due: retransmissions, refreshes, deadlines.
  void OnTimer();

  // Start says that traffic flows from now on; Compose, Flush and the peer's answers follow.
  void Start();

  // Compose adds the packet to the context's burst; false when it cannot be sent.
  bool Compose(const DuePacket& due, Direction direction);
  // FitsBurst says whether a packet of that size fits in the burst beside what is there.
  bool FitsBurst(uint32_t payload_size) const;
  // Flush sends the burst, which holds packets of this session and direction alone.
  void Flush(Direction direction);

  // Settle ends the traffic; Release then gives the allocation back, and waits for the answer until
  // `deadline`.
  void Settle();
  void Release(MonoTime deadline);

  State state() const { return state_; }
  uint32_t number() const { return number_; }
  Transport transport() const { return transport_; }
  const std::string& failure() const { return failure_; }
  MonoTime settled_at() const { return settled_at_; }

  int client_fd() const { return leg_ ? leg_->fd().get() : -1; }
  int peer_fd() const { return peer_fd_.get(); }

  // result is complete once the session is done. It closes the sockets.
  SessionResult TakeResult();

 private:
  class ClientSink;
  class PeerSink;

  void Fail(std::string reason);
  void AfterOpen();
  void Pump();
  void OnEvent(const ClientEvent& event);
  void OnAllocated(const Allocated& allocated);
  void OnFailed(const Failed& failed);
  void RecordGap(Direction direction, Duration late);
  void OnPayload(Direction direction, ByteSpan payload, MonoTime arrival);
  void Echo(ByteSpan payload);
  void FlushEchoes();
  FlowAccount& account(Direction direction) { return accounts_[static_cast<size_t>(direction)]; }

  ThreadContext& context_;
  uint32_t number_;
  Transport transport_;
  State state_ = State::kConnecting;
  MonoTime opened_at_;
  MonoTime settled_at_;
  MonoTime release_deadline_;
  std::unique_ptr<ClientLeg> leg_;
  Fd peer_fd_;
  PeerAddress peer_;
  TurnClient client_;
  std::optional<Allocated> allocated_;
  std::array<FlowAccount, kDirectionCount> accounts_;
  std::array<std::optional<Duration>, kDirectionCount> late_before_;  // of the last packet sent
  std::string failure_;
};

}  // namespace turnpike::load
