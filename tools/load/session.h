// One session: a client with an allocation of its own, and its peer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/client/turn_client.h"
#include "tools/load/client_leg.h"
#include "tools/load/plan.h"
#include "tools/load/result.h"
#include "tools/load/schedule.h"
#include "tools/load/send_queue.h"
#include "tools/load/thread_context.h"

namespace turnpike::load {

// How long a server may take to confirm that an allocation is gone.
inline constexpr Duration kReleasePatience = std::chrono::seconds(3);

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

  // Start says that traffic flows from now on; Compose and the peer's answers follow.
  void Start();

  // Compose adds the packet to what the context sends next; false when it cannot be sent.
  bool Compose(const DuePacket& due, Direction direction);

  // SocketOf returns the socket on which plain datagrams of that direction leave, or -1 when they
  // leave through SendPart.
  int SocketOf(Direction direction) const;
  // SendPart sends as many of the messages as the client's leg takes, and returns their number.
  size_t SendPart(const SendQueue::Part& part);
  // OnSent hears of messages that have left, the first `taken` of `items`, or not. `error` is why.
  void OnSent(Direction direction, std::span<const Item> items, size_t taken, MonoTime when,
              int error);

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
  FlowAccount& account(Direction direction) { return accounts_[static_cast<size_t>(direction)]; }

  ThreadContext& context_;
  uint32_t number_;
  Transport transport_;
  State state_ = State::kConnecting;
  MonoTime opened_at_;
  MonoTime settled_at_;
  MonoTime release_deadline_;
  std::unique_ptr<ClientLeg> leg_;
  UniqueFd peer_fd_;
  PeerAddress peer_;
  TurnClient client_;
  std::optional<Allocated> allocated_;
  std::array<FlowAccount, kDirectionCount> accounts_;
  std::array<std::optional<Duration>, kDirectionCount> late_before_;  // of the last packet sent
  std::string failure_;
};

}  // namespace turnpike::load
