// TLS on one connection, without a socket: ciphertext in, plaintext out, and records into the write
// queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/bytes.h"
#include "server/io/write_queue.h"

struct ssl_st;

namespace turnpike {

class TlsContext;

// TlsStream is the server's end. What it has to say (handshake messages, alerts, records) it
// appends to the queue; whoever calls it flushes that.
class TlsStream {
 public:
  static constexpr size_t kRecordPayload = 16384;  // what one record holds (RFC 8446 §5.1)

  enum class Status : uint8_t {
    kOk,
    kClosed,  // the client said close_notify
    kFailed,  // no common parameters, a forged or broken record, garbage
  };

  struct Received {
    Status status = Status::kOk;
    size_t size = 0;  // bytes of plaintext
  };

  // `out` is not owned and outlives the stream; the context is needed only now.
  TlsStream(const TlsContext& context, WriteQueue& out);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // WriteTo says where records go from now on; what was queued before is not moved.
  void WriteTo(WriteQueue& out) { out_ = &out; }

  // Receive takes all of `ciphertext` and writes the plaintext that comes of it, also when it ends
  // or fails behind it. `plaintext` must have room for the ciphertext and one record more (16 KiB).
  Received Receive(ByteSpan ciphertext, std::span<uint8_t> plaintext);

  // Send queues the records of one message. It fails before the handshake is through and after a
  // failure.
  bool Send(ByteSpan message);

  // Shutdown queues a close_notify, where that can be said.
  void Shutdown();

  // is_established says that the handshake is through.
  bool is_established() const;

  // SizeOnWire returns at most how many bytes the records of a message of `size` bytes take.
  static size_t SizeOnWire(size_t size);

 private:
  struct Bio;  // how BoringSSL reads `input_` and appends to `out_`
  friend struct Bio;
  struct FreeSsl {
    void operator()(ssl_st* ssl) const;
  };

  Status StatusOf(int result) const;

  WriteQueue* out_;
  ByteSpan input_;  // ciphertext that BoringSSL has not read yet
  std::unique_ptr<ssl_st, FreeSsl> ssl_;
};

}  // namespace turnpike
