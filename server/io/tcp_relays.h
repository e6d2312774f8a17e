// TCP between relayed transport addresses and peers (RFC 6062): listeners, connections, splices.
#pragma once

#include <uv.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "server/io/client_end.h"
#include "server/io/io_stats.h"
#include "server/io/splice.h"
#include "server/io/stream_options.h"
#include "server/io/transport.h"
#include "server/io/uv.h"

namespace turnpike {

// TcpRelays owns the listening sockets of TCP allocations and the connections with their peers. A
// peer connection is not read before its client's end is bound to it: what the peer sends until
// then waits in the kernel, whose window closes when that is enough (RFC 6062 §5.2, §5.3).
class TcpRelays final : public SpliceHost {
 public:
  // Nothing is owned; all of it outlives the object.
  TcpRelays(uv_loop_t* loop, PeerStreamHost& host, StreamStats& stats,
            const StreamOptions& options);
  ~TcpRelays() override;

  // Open listens at exactly `bind` for `relay`. An error leaves nothing open; the errno behind it
  // is in last_errno().
  std::expected<void, OpenError> Open(RelayId relay, const TransportAddress& bind);

  // Close ends a listener; connections made by it stay.
  void Close(RelayId relay);

  // Connect begins a connection from `from`, which is the address of an open relay; the host is
  // told what comes of it, now or later.
  void Connect(PeerStreamId stream, const TransportAddress& from, const TransportAddress& to);

  // Close closes a peer connection, and its client's end, at once.
  void Close(PeerStreamId stream);

  // Bind joins a peer connection and its client's end.
  void Bind(ClientEnd end);

  // Refuse closes a client's end that no peer connection waits for any more.
  void Refuse(ClientEnd end);

  // Reap forgets what has ended, and tells the host. It returns whether there was anything. Call it
  // outside of any call from a socket.
  bool Reap();

  // NextDeadline returns when OnTimer has work; early calls do no harm.
  std::optional<MonoTime> NextDeadline() const;
  void OnTimer(MonoTime now);

  int last_errno() const { return last_errno_; }
  size_t listener_count() const { return listeners_.size(); }
  size_t stream_count() const { return peers_.size(); }

  // What splices call.
  bool OnSpliced(PeerStreamId stream, Direction direction, size_t bytes) override;
  void OnHalfClosed(PeerStreamId stream) override;
  void OnSpliceOver(Splice& splice) override;
  std::span<uint8_t> read_buffer() override { return read_buffer_; }
  std::span<uint8_t> tls_scratch() override { return tls_scratch_; }

 private:
  struct Listener {
    void OnReadable() { owner.Accept(*this); }

    TcpRelays& owner;
    const RelayId relay;
    UniqueFd fd;
    std::optional<UvPoll> poll = std::nullopt;  // before fd is closed, watching must end
  };

  // Peer is a peer's connection until a Splice has it.
  struct Peer {
    void OnReadable() {}
    void OnWritable() { owner.FinishConnect(*this); }
    void OnBroken() { owner.FinishConnect(*this); }

    TcpRelays& owner;
    const PeerStreamId stream;
    UniqueFd fd;
    std::optional<UvStreamPoll> poll = std::nullopt;  // while it is being connected
    std::unique_ptr<Splice> splice = nullptr;
  };

  void Accept(Listener& listener);
  void Pause(Listener& listener, int error);
  std::expected<std::unique_ptr<Peer>, int> Begin(PeerStreamId stream, const TransportAddress& from,
                                                  const TransportAddress& to);
  void FinishConnect(Peer& peer);
  void CountClient(const Client& client, ConnectionEnd end, bool was_open);

  uv_loop_t* loop_;
  PeerStreamHost& host_;
  StreamStats& stats_;
  const StreamOptions& options_;
  std::unordered_map<RelayId, std::unique_ptr<Listener>> listeners_;
  std::unordered_map<PeerStreamId, std::unique_ptr<Peer>> peers_;
  std::vector<PeerStreamId> over_;               // splices that are through
  std::vector<std::unique_ptr<Peer>> dead_;      // closed, perhaps within a call of theirs
  std::vector<std::unique_ptr<Listener>> gone_;  // so are these
  std::optional<MonoTime> resume_at_;            // when paused listeners accept again
  // By when they are read again: directions of streams that are above their rate.
  std::multimap<MonoTime, std::pair<PeerStreamId, Direction>> held_back_;
  int last_errno_ = 0;
  std::array<uint8_t, Splice::kReadSize> read_buffer_;
  std::array<uint8_t, Splice::kTlsReadSize> tls_scratch_;
};

}  // namespace turnpike
