// The loop: where sockets, the clock and the TURN core meet.
#pragma once

#include <uv.h>

#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/metering/slots.h"
#include "server/io/dtls_hub.h"
#include "server/io/guest_book.h"
#include "server/io/handover_board.h"
#include "server/io/io_stats.h"
#include "server/io/outbox.h"
#include "server/io/receive_batch.h"
#include "server/io/relay_sockets.h"
#include "server/io/stream_hub.h"
#include "server/io/tcp_relays.h"
#include "server/io/transport.h"
#include "server/io/udp.h"
#include "server/io/udp_path.h"
#include "server/io/uv.h"
#include "server/turn/turn_server.h"

namespace turnpike {

// Driver runs one TurnServer on one libuv loop. One loop turn is: the clocks are read once; sockets
// hand over what came; Forwards gather in the outbox; at the end of the turn (or when buffers run
// out) they are sent and reported; then outputs are executed, and the timer follows NextDeadline.
//
// All of it belongs to the loop's thread once the loop runs.
class Driver final : public TransportHost,
                     public StreamHost,
                     public DtlsPort,
                     public PeerStreamHost,
                     public ForwardReports {
 public:
  // Nothing is owned; the loop, the core, the slots and what `streams` names outlive the driver.
  Driver(uv_loop_t* loop, TurnServer& core, SlotFile& slots, const StreamOptions& streams = {},
         UdpPath udp_path = UdpPath::kOffload);
  ~Driver() override;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // ListenUdp adds a listener and returns the address it is bound to, or a sentence.
  std::expected<TransportAddress, std::string> ListenUdp(const UdpListenOptions& options);

  // ListenStream does the same for TCP and TLS.
  std::expected<TransportAddress, std::string> ListenStream(const StreamListenOptions& options);

  // SetOptions changes the rules of the core and of connections, which keep the certificate that
  // they began with. What the new rules end has ended when it returns.
  void SetOptions(TurnOptions turn, const StreamOptions& streams);

  // Drain refuses new allocations from now on. CloseAll ends all with `reason`: when it returns,
  // their slots are closed with final totals.
  void Drain();
  void CloseAll(CloseReason reason);

  // EndSessions ends those of `sessions` that are this worker's.
  void EndSessions(const std::vector<SessionId>& sessions, CloseReason reason);

  const IoStats& stats() const { return stats_; }

  // What the transports and the outbox call.
  ReceiveBatch& receive_batch() override { return receive_batch_; }
  void OnClientMessage(const Client& client, ByteSpan bytes) override;
  size_t OnClientDatagram(const Client& client, ByteSpan bytes, ByteSpan rest) override;
  size_t OnPeerDatagram(RelayId relay, const PeerAddress& peer, ByteSpan bytes,
                        ByteSpan rest) override;
  void OnPeerError(RelayId relay, const PeerAddress& peer, const IcmpError& error) override;
  void OnBatchEnd() override;
  void OnForwardSent(const Forward& forward, SendResult result, uint32_t count) override;
  void OnReceiveMemoryFull() override;
  void OnLinkClosed(LinkId link) override;
  void OnClientEnd(CoreId owner, ClientEnd end) override;
  bool HasAllocation(LinkId link) const override {
    return core_.HasAllocation(link) || guests_.HostsConnection(link);
  }
  std::optional<PeerStreamId> OnPeerAccepted(RelayId relay, const PeerAddress& peer) override;
  void OnPeerConnected(PeerStreamId stream, bool connected) override;
  MonoTime OnSpliced(PeerStreamId stream, Direction direction, size_t bytes) override;
  void OnHalfClosed(PeerStreamId stream) override;
  void OnPeerStreamClosed(PeerStreamId stream) override;
  const Now& now() override;
  void SendDatagram(LinkId listener, const FiveTuple& tuple, std::vector<uint8_t> bytes) override;

 private:
  static bool IsConnection(LinkId link) {
    return link.value() >= kFirstConnection && link.value() < kFirstDtlsSession;
  }
  static bool IsDtlsSession(LinkId link) {
    return link.value() >= kFirstDtlsSession && link.value() < kFirstGuest;
  }
  static bool IsGuest(LinkId link) { return link.value() >= kFirstGuest; }
  size_t Take(const Forward& forward, ByteSpan message = {}, ByteSpan rest = {});
  void TakeByConnection(const Forward& forward);
  UdpSocket* SocketOf(const Forward& forward);
  void TakeForDtls(const Forward& forward);
  void PollOutputs();
  void FlushOutbox();
  Link* FindListener(const TransportAddress& address);
  void Execute(SendMessage output);
  void Execute(const OpenRelay& output);
  void Execute(const CloseRelay& output);
  void Execute(const ConnectPeer& output);
  void Execute(const ClosePeer& output);
  void Execute(const BindPeer& output);
  void Execute(const ClientJoined& output);
  void Execute(const ClientLeft& output);
  void Execute(PassMessage output);
  void Execute(const SessionMoved& output);
  void Execute(const AllocationClosed& output);
  void Adopt(ClientEnd end);

  // What other workers left here.
  void Receive(ClientEnd end) { Adopt(std::move(end)); }
  void Receive(GuestMessage message);
  void Receive(const GuestGone& gone);
  void Receive(const GuestJoined& joined);
  void Receive(const GuestLeft& left);
  void Receive(GuestForward guest);
  void Receive(const GuestReport& report);
  void Receive(SendMessage message);

  void PassOn(CoreId owner, const Client& client, std::vector<uint8_t> bytes);
  void TakeForGuest(const Forward& forward);
  bool SendToGuest(SendMessage& output);
  void Report(const Forward& forward, SendResult result, uint32_t count = 1);
  void AbandonGuests();
  void OnHandovers();
  void WarnRelayFailed(const TransportAddress& bind, OpenError error, int last_errno);
  std::optional<MonoTime> NextDeadline() const;
  void ArmTimer();
  void OnDeadline();
  void OnTurnEnd();
  void OnHeartbeat();

  uv_loop_t* loop_;
  TurnServer& core_;
  SlotFile& slots_;
  IoStats stats_;
  std::optional<Now> now_;  // of this loop turn; nullopt until someone asks
  ReceiveBatch receive_batch_;
  Outbox outbox_;
  RelaySockets relays_;
  std::vector<std::unique_ptr<Link>> links_;  // by LinkId
  StreamHub streams_;
  DtlsHub dtls_;
  TcpRelays tcp_relays_;
  HandoverBoard* const handovers_;
  GuestBook guests_;
  std::deque<std::vector<uint8_t>> held_;  // what other workers left, until the loop turn ends
  std::optional<MonoTime> armed_;          // what timer_ waits for
  std::optional<MonoTime> last_warning_;
  MonoTime heartbeat_due_{};
  UvTimer timer_;
  UvTimer heartbeat_;
  UvCheck turn_end_;
  UvAsync handover_;
};

}  // namespace turnpike
