// A data connection of RFC 6062: the client's connection and the peer's, joined.
#pragma once

#include <uv.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>

#include "common/metering/usage.h"
#include "server/io/client_end.h"
#include "server/io/io_stats.h"
#include "server/io/outbox.h"
#include "server/io/uv.h"
#include "server/io/write_queue.h"

namespace turnpike {

class Splice;

// SpliceHost is what data connections report to. Nothing may destroy the splice within a call.
class SpliceHost {
 public:
  virtual ~SpliceHost() = default;

  // OnSpliced and OnHalfClosed: as TurnServer takes them. OnSpliced returns false when no more may
  // be read in `direction` until Resume is called.
  virtual bool OnSpliced(PeerStreamId stream, Direction direction, size_t bytes) = 0;
  virtual void OnHalfClosed(PeerStreamId stream) = 0;

  // OnSpliceOver says that both directions are through.
  virtual void OnSpliceOver(Splice& splice) = 0;

  // read_buffer and tls_scratch are for the time of one read, shared by all of a worker.
  virtual std::span<uint8_t> read_buffer() = 0;
  virtual std::span<uint8_t> tls_scratch() = 0;
};

// Splice passes on what either side sends, unread and in order, and counts what the kernel took.
// While one side does not take what it was sent, nothing more is read from the other
// (back-pressure), so that at most one read waits per direction. A side that closes is passed on as
// such once the other side has all it sent; data in the other direction goes on until that closes
// too.
class Splice final : public ForwardReports {
 public:
  // One read takes at most so much.
  static constexpr size_t kReadSize = 64 << 10;
  static constexpr size_t kTlsReadSize = 32 << 10;

  // `host` is not owned and outlives the splice.
  Splice(SpliceHost& host, UniqueFd peer, ClientEnd client);
  ~Splice() override;

  // Start begins to relay. It fails with libuv's error code.
  std::expected<void, int> Start(uv_loop_t* loop);

  // Resume reads again what comes in `direction`, after a pause.
  void Resume(Direction direction);

  // Stop closes both sides. What waits is lost, and not counted.
  void Stop();

  PeerStreamId stream() const { return stream_; }
  const Client& client() const { return client_; }

  // end says which side closed first and how.
  ConnectionEnd end() const { return end_; }

  // memory counts the bytes that wait.
  size_t memory() const;

  // OnForwardSent hears of TLS records that the kernel took.
  void OnForwardSent(const Forward& forward, SendResult result, uint32_t count) override;

 private:
  // Side is one of the two sockets, and what waits to be written to it.
  struct Side final : public ByteSink {
    Side(Splice& owner, Direction from, UniqueFd socket);

    std::expected<size_t, int> Write(std::span<const iovec> vectors) override;
    void OnReadable() { splice.OnReadable(*this); }
    void OnWritable() { splice.OnWritable(*this); }
    void OnBroken() { splice.OnBroken(*this); }

    Splice& splice;
    const Direction direction;  // of what comes from here
    UniqueFd fd;
    WriteQueue queue;
    uint64_t counted = 0;              // of queue.written()
    bool is_broken = false;            // nothing watches it any more, but what it sent may be read
    bool has_ended = false;            // no more comes from here
    bool is_paused = false;            // a limit on its rate lets no more come from here
    bool is_finished = false;          // no more goes here
    std::optional<UvStreamPoll> poll;  // before fd is closed, watching must end
  };

  struct Received {
    size_t size = 0;
    bool ended = false;
    bool drained = false;  // nothing more at present
  };

  Side& Other(const Side& side) { return &side == &client_side_ ? peer_side_ : client_side_; }
  void OnReadable(Side& side);
  void OnWritable(Side& side);
  void OnBroken(Side& side);
  void Pump(Side& from);
  Received Read(Side& from);
  Received ReadTls(ByteSpan ciphertext);
  void Deliver(Side& to, ByteSpan bytes);
  void Flush(Side& to, bool resume);
  void Count(Side& from, size_t bytes);
  void GiveUp(Side& to);
  void MarkEnded(Side& from, bool reset);
  void FinishIfDone(Side& to);
  void Update();

  SpliceHost& host_;
  const PeerStreamId stream_;
  const Client client_;
  std::unique_ptr<TlsStream> tls_;
  std::vector<uint8_t> received_;  // by the client's end, before it came here
  Side client_side_;
  Side peer_side_;
  bool is_over_ = false;
  bool has_said_goodbye_ = false;  // close_notify
  ConnectionEnd end_ = ConnectionEnd::kAllocationEnded;
};

}  // namespace turnpike
