// The sans-IO TURN core: bytes and time in, a forward or outputs out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "server/turn/directory.h"
#include "server/turn/nonce.h"
#include "server/turn/options.h"
#include "server/turn/stats.h"
#include "server/turn/types.h"

namespace turnpike {

// TurnServer serves STUN (RFC 8489) and TURN (RFC 8656) for one worker. It owns its allocations and
// nothing else: no socket, clock, thread, random source or file.
//
// The driving contract (asserted in debug builds):
// - One thread. `now` never goes back in `mono`; `wall` may step.
// - Data returns: OnClientDatagram and OnPeerDatagram return what to forward. The caller sends it
//   at once or later, in order per destination, and reports every Forward, and all that ExtendRun
//   took along with it, exactly once through OnSent, also when it could not be sent. An allocation
//   that ends while Forwards are out stays countable until the last is reported; only then
//   AllocationClosed comes out.
// - Control queues: after any call, poll outputs until PollOutput returns nullopt. Before the
//   caller executes outputs it has sent (and reported) the UDP Forwards it holds, so that a
//   CloseRelay never overtakes data.
// - Every OpenRelay is answered by exactly one OnRelayOpened, before the next datagram comes in.
// - Timers: call OnTimer(now) when NextDeadline() has passed; calling it early does no harm.
class TurnServer {
 public:
  // `directory` and `random` are not owned and outlive the server.
  TurnServer(TurnOptions options, const NonceSecret& nonce_secret, Directory& directory,
             RandomSource& random);
  ~TurnServer();
  TurnServer(const TurnServer&) = delete;
  TurnServer& operator=(const TurnServer&) = delete;

  // OnClientDatagram takes one datagram, or one framed message of a stream, from `client`. It
  // returns application data to send to a peer; its payload views `bytes`.
  std::optional<Forward> OnClientDatagram(const Client& client, ByteSpan bytes, Now now);

  // OnPeerDatagram takes one datagram that came in at `relay` from `peer`. It returns the message
  // to send to the client; its payload views `bytes`. An unknown (just closed) relay yields
  // nullopt.
  std::optional<Forward> OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes,
                                        Now now);

  // ExtendRun takes along what came in one run (UDP GRO) with `message`, the datagram that the last
  // call made `forward` of. `rest` begins with the next of it. It returns how many datagrams, each
  // of the size of `message`, one after the other, go the same way: their Forwards are `forward`
  // but for the payload, which lies at the same place in each. The others are handed in one by one.
  size_t ExtendRun(const Forward& forward, ByteSpan message, ByteSpan rest);

  // OnIcmp takes an ICMP message about a datagram that went from `relay` to `peer`. The client
  // hears of it by a Data indication (RFC 8656 §11.5), which is an output and never billed.
  void OnIcmp(RelayId relay, const PeerAddress& peer, const IcmpError& error, Now now);

  // OnSent reports what became of a Forward, or of `count` of a run that all met with `result`. It
  // is where bytes become billable.
  void OnSent(const Forward& forward, SendResult result, Now now, uint32_t count = 1);

  // OnRelayOpened answers an OpenRelay. The meter is valid when the OpenRelay asked for a slot.
  void OnRelayOpened(RelayId relay, std::expected<SessionMeter, OpenError> result, Now now);

  // OnPeerAccepted takes a TCP connection that `peer` made to `relay` (RFC 6062 §5.3); its client
  // is told. nullopt: nobody wants it, close it.
  std::optional<PeerStreamId> OnPeerAccepted(RelayId relay, const PeerAddress& peer, Now now);

  // OnPeerConnected answers a ConnectPeer. Without success the connection is gone already.
  void OnPeerConnected(PeerStreamId stream, bool connected, Now now);

  // OnHandedOver says that the client's end of `stream` has arrived here. false: the stream has
  // ended since, close the client's connection.
  bool OnHandedOver(PeerStreamId stream, Now now);

  // OnSpliced reports `bytes` that the kernel took from one end of `stream` to the other, with one
  // write. It is where they become billable. `stream` has not ended. It returns from when on more
  // may be read in that direction: a limit slows streams down, since nothing of them can be
  // dropped.
  MonoTime OnSpliced(PeerStreamId stream, Direction direction, size_t bytes, Now now);

  // OnHalfClosed says that one end of `stream` has closed and that the other knows. A ClosePeer
  // follows unless the stream ends soon.
  void OnHalfClosed(PeerStreamId stream, Now now);

  // OnPeerStreamClosed says that `stream` is over and its sockets are closed.
  void OnPeerStreamClosed(PeerStreamId stream, Now now);

  // core_id is what BindPeer calls this core.
  CoreId core_id() const;

  // OnLinkClosed says that a client's connection is gone: its allocation ends.
  // For UDP links it is never called. An allocation with a MOBILITY-TICKET lives on without one
  // until its client comes back, or its time is over (RFC 8016).
  void OnLinkClosed(LinkId link, Now now);

  // HasAllocation says whether an allocation lives, or is being opened, over the connection `link`.
  bool HasAllocation(LinkId link) const;

  // OnTimer expires allocations, permissions and channels that are due.
  void OnTimer(Now now);

  // NextDeadline returns when OnTimer has work, or nullopt when nothing waits.
  std::optional<MonoTime> NextDeadline() const;

  // PollOutput returns the next thing to do, in order, or nullopt.
  std::optional<Output> PollOutput();

  // Drain refuses new allocations from now on (508); existing ones live on.
  void Drain(Now now);

  // CloseAll ends every allocation with `reason`.
  void CloseAll(CloseReason reason, Now now);

  // EndSessions ends the live allocations of `sessions` with `reason` and returns how many it had.
  // The table is walked once, however many there are.
  size_t EndSessions(std::span<const SessionId> sessions, CloseReason reason, Now now);

  // SetOptions replaces the rules; allocations that exist live on under their keys.
  void SetOptions(TurnOptions options);

  // MeasureUse makes stats and quotas tell how much of the limits on rates was used since the last
  // call. Call it about once a second.
  void MeasureUse(Now now);

  const TurnStats& stats() const;
  size_t allocation_count() const;

  // IsConsistent says whether every index of the allocation table agrees; asserted after every
  // mutation in debug builds.
  bool IsConsistent() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike
