// The sans-IO TURN client (RFC 8656) that the load tools, the simulation and the tests share.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/client/long_term_credential.h"
#include "common/client/transaction.h"
#include "common/client/types.h"
#include "common/stun/message.h"

namespace turnpike {

// TurnClient holds one allocation on one server over one 5-tuple: it allocates, keeps allocation,
// permissions and channels alive, and packs and unpacks application data. It owns no socket, clock
// or thread.
//
// The driving contract:
// - One thread. `now` never goes back.
// - The caller owns the socket to the server. What arrives there goes into OnServerMessage, one
//   message a call: a datagram, or over TCP and TLS what `stun::NextFrame` cut from the stream.
// - Data returns: OnServerMessage returns a peer's payload, HeadFor what must stand before one. The
//   caller sends head, payload and `padding` zero bytes as one datagram, or in one piece on a
//   stream.
// - Control queues: after any call that takes `now`, call PollTransmit until nullopt, send what it
//   returns, and call PollEvent until nullopt.
// - Timers: call OnTimer(now) when NextDeadline() has passed; calling it early does no harm.
// - A client serves once: after Released, or Failed for Allocate, Refresh or Release, it is done,
//   and every call does nothing.
class TurnClient {
 public:
  // kIdle until Allocate; kDone after the allocation has ended, however it did.
  enum class State : uint8_t { kIdle, kAllocating, kAllocated, kReleasing, kDone };

  // `random` is not owned and outlives the client.
  TurnClient(TurnClientOptions options, RandomSource& random);

  // Allocate asks for the allocation, first without credentials (RFC 8656 §7.1). Allocated or
  // Failed follows. Only in kIdle; it does nothing otherwise.
  void Allocate(MonoTime now);

  // Release deletes the allocation with a Refresh of lifetime 0. Released follows, also when the
  // server has forgotten the allocation already (437), or Failed. Only in kAllocated.
  void Release(MonoTime now);

  // InstallPermission lets `peer` reach the client, and keeps it so with a CreatePermission each
  // 240 s. PermissionInstalled or Failed follows. Only in kAllocated; a repeat does nothing.
  void InstallPermission(const IpAddress& peer, MonoTime now);

  // BindChannel binds the next free channel number to `peer` and keeps it bound with a ChannelBind
  // each 240 s, which refreshes its permission too. ChannelBound or Failed follows. It returns the
  // number, or nullopt when not in kAllocated or when all numbers have been used.
  std::optional<stun::ChannelNumber> BindChannel(const PeerAddress& peer, MonoTime now);

  // OnServerMessage takes one message from the server and returns application data in it, if any.
  // What is malformed, unasked for, without valid integrity where it must have one, or from a peer
  // that has neither permission nor channel (RFC 8656 §11.6) is silently discarded.
  std::optional<ReceivedData> OnServerMessage(ByteSpan bytes, MonoTime now);

  // HeadFor returns what to send before and after a payload of `payload_size` bytes for `peer`:
  // ChannelData once its channel is bound, a Send indication before. nullopt when not in kAllocated
  // or when no message can hold that much. That the peer has a permission is the caller's business.
  std::optional<DataHead> HeadFor(const PeerAddress& peer, size_t payload_size);

  // OnTimer sends again, refreshes and gives up what is due.
  void OnTimer(MonoTime now);

  // NextDeadline returns when OnTimer has work, or nullopt when nothing waits.
  std::optional<MonoTime> NextDeadline() const;

  // PollTransmit returns the next control message to send to the server, or nullopt.
  std::optional<std::vector<uint8_t>> PollTransmit();

  // PollEvent returns the next event, or nullopt.
  std::optional<ClientEvent> PollEvent();

  State state() const { return state_; }

 private:
  struct Permission {
    IpAddress peer;
    bool installed = false;              // the server has confirmed it once
    std::optional<MonoTime> refresh_at;  // nullopt while a request is on its way
  };
  struct Channel {
    PeerAddress peer;
    stun::ChannelNumber number;
    bool bound = false;
    std::optional<MonoTime> refresh_at;
  };

  // turn_client_control.cc
  void SendRequest(const RequestIntent& intent, bool retried, MonoTime now);
  std::vector<uint8_t> BuildRequest(const RequestIntent& intent,
                                    const stun::TransactionId& id) const;
  void AddAllocateAttributes(stun::MessageBuilder& builder) const;
  void OnResponse(const stun::MessageView& response, MonoTime now);
  void OnSuccess(const RequestIntent& intent, const stun::MessageView& response, MonoTime now);
  bool OnAllocateSuccess(const stun::MessageView& response, MonoTime now);
  void OnRefreshSuccess(const stun::MessageView& response, MonoTime now);
  void Fail(const RequestIntent& intent, uint16_t code);
  void Finish(ClientEvent event);

  // turn_client.cc
  std::optional<ReceivedData> OnChannelData(ByteSpan bytes) const;
  std::optional<ReceivedData> OnDataIndication(const stun::MessageView& indication) const;
  Permission* FindPermission(const IpAddress& peer);
  Channel* FindChannel(const PeerAddress& peer);
  bool MayReceiveFrom(const IpAddress& peer) const;
  void RetransmitDue(MonoTime now);
  void RefreshDue(MonoTime now);
  stun::TransactionId NextIndicationId();

  TurnClientOptions options_;
  RandomSource& random_;
  LongTermCredential credential_;
  State state_ = State::kIdle;
  std::vector<Transaction> transactions_;
  std::vector<Permission> permissions_;
  std::vector<Channel> channels_;
  uint16_t next_channel_ = stun::kFirstChannel.value();
  std::optional<MonoTime> refresh_at_;  // of the allocation
  // Indications need ids that differ, not that nobody can guess: a random start that counts on.
  stun::TransactionId indication_id_{};
  std::deque<std::vector<uint8_t>> transmits_;
  std::deque<ClientEvent> events_;
};

}  // namespace turnpike
