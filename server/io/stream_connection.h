// One client's connection over TCP, with or without TLS.
#pragma once

#include <uv.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "server/io/client_end.h"
#include "server/io/io_stats.h"
#include "server/io/stream_options.h"
#include "server/io/uv.h"
#include "server/io/write_queue.h"
#include "server/turn/types.h"

namespace turnpike {

class StreamHub;
class TlsStream;

// StreamConnection cuts what the client sends into messages (RFC 8656 §12.5), hands them to the
// host one by one, and writes what the core sends back. Whatever goes wrong only marks it as ended;
// the hub takes it down at the end of the loop turn.
class StreamConnection final : public ByteSink {
 public:
  // `record` is its place in the hub; `listener` says what may be spoken. The hub outlives it.
  StreamConnection(StreamHub& hub, uint32_t record, UniqueFd fd, const Client& client,
                   const StreamListenOptions& listener);
  ~StreamConnection() override;

  // Watch begins to serve. It fails with libuv's error code.
  std::expected<void, int> Watch(uv_loop_t* loop);

  // SendForward queues `forward`, whose payload must stay until the next Flush; its report comes
  // once the kernel has the whole message. When it fails, nothing is queued and nothing reported.
  SendResult SendForward(const Forward& forward);

  // SendStun queues a STUN message, or drops it when the client has left too much unread.
  void SendStun(std::vector<uint8_t> message);

  // Flush writes what can be written.
  void Flush();

  // End marks the connection as ended; the first reason counts.
  void End(ConnectionEnd reason);

  // TakeDown writes a last word and reports everything that still waits as kClientGone.
  void TakeDown();

  // BecomeData says that after a ConnectionBind (RFC 6062) the connection carries the client's data
  // of `stream`. It ends here, to be handed to the worker of `owner`.
  void BecomeData(CoreId owner, PeerStreamId stream);

  // HandOverTo returns who gets the connection once it has ended, or nullopt. Release then gives it
  // away: nothing may be called any more.
  std::optional<CoreId> HandOverTo();
  ClientEnd Release();

  // OnDeadline ends the connection if a time is over; else it arms the next one.
  void OnDeadline();

  const Client& client() const { return client_; }
  uint32_t record() const { return record_; }
  std::optional<ConnectionEnd> end() const { return end_; }
  const WriteQueue& queue() const { return queue_; }

  // memory counts the bytes of heap that queue and receive side hold.
  size_t memory() const { return queue_.memory() + partial_.capacity(); }

  // What the poll and the queue call.
  void OnReadable();
  void OnWritable();
  void OnBroken();
  std::expected<size_t, int> Write(std::span<const iovec> vectors) override;

  bool is_dirty = false;  // the hub's mark: it is on the list of those to flush

 private:
  // kUnknown: no byte has come, and the listener serves both.
  enum class Protocol : uint8_t { kUnknown, kPlain, kTls };

  // Received is what one read brought, and whether it was the last.
  struct Received {
    size_t size = 0;
    std::optional<ConnectionEnd> end;
  };

  bool Decide();
  Received Receive(std::span<uint8_t> room);
  Received ReceivePlain(std::span<uint8_t> room);
  Received ReceiveTls(std::span<uint8_t> room);
  void CutMessages(ByteSpan stream);
  bool IsAcceptableStart(ByteSpan stream) const;
  bool SendTls(ByteSpan message);
  void SetTransport(Transport transport);
  void AfterFlush(bool ok);
  MonoTime NextDeadline() const;

  StreamHub& hub_;
  const uint32_t record_;
  UniqueFd fd_;
  Client client_;
  Protocol protocol_ = Protocol::kUnknown;
  bool may_be_plain_;
  bool may_be_tls_;
  bool has_served_ = false;  // a whole message has come
  bool is_stalled_ = false;  // the kernel does not take more
  bool has_more_ = false;    // the last read filled its buffer
  std::optional<ConnectionEnd> end_;
  std::optional<CoreId> target_;  // whom it is handed to
  PeerStreamId stream_;           // as whose end
  MonoTime accepted_at_;
  MonoTime last_message_;
  MonoTime stalled_since_;
  std::vector<uint8_t> partial_;  // the beginning of a message whose rest has not come
  WriteQueue queue_;
  std::unique_ptr<TlsStream> tls_;
  std::optional<UvStreamPoll> poll_;  // before fd_ is closed, watching must end
};

}  // namespace turnpike
