#include "server/io/stream_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/check.h"
#include "common/stun/stream_framer.h"
#include "server/io/stream_hub.h"
#include "server/io/tcp_socket.h"
#include "server/io/tls_stream.h"

namespace turnpike {
namespace {

// Reads per readiness event: a fast sender lets the others have their turn.
constexpr int kMaxReads = 4;

// Without an allocation no client has a reason to send a larger message, and half of one should not
// hold 64 KiB of memory per connection.
constexpr size_t kMaxPartialWithoutAllocation = 8192;

// The first byte of a TLS connection is the content type `handshake` (RFC 8446 §5.1).
constexpr uint8_t kTlsHandshakeByte = 0x16;

}  // namespace

StreamConnection::StreamConnection(StreamHub& hub, uint32_t record, UniqueFd fd,
                                   const Client& client, const StreamListenOptions& listener)
    : hub_(hub),
      record_(record),
      fd_(std::move(fd)),
      client_(client),
      may_be_plain_(listener.plain),
      may_be_tls_(listener.tls),
      accepted_at_(hub.host().now().mono),
      last_message_(accepted_at_),
      stalled_since_(accepted_at_),
      queue_(*this, hub.reports(), hub.options().write_queue_bytes) {
  // Until a byte tells, a connection counts as what its listener serves first.
  client_.five_tuple.transport = may_be_plain_ ? Transport::kTcp : Transport::kTls;
  hub_.CountOpen(client_.five_tuple.transport, +1);
}

StreamConnection::~StreamConnection() { hub_.CountOpen(client_.five_tuple.transport, -1); }

std::expected<void, int> StreamConnection::Watch(uv_loop_t* loop) {
  auto poll = UvStreamPoll::Watch(loop, fd_.get(), this);
  if (!poll) return std::unexpected(poll.error());
  poll_ = std::move(*poll);
  hub_.Arm(*this, NextDeadline());
  return {};
}

void StreamConnection::SetTransport(Transport transport) {
  hub_.CountOpen(client_.five_tuple.transport, -1);
  client_.five_tuple.transport = transport;
  hub_.CountOpen(transport, +1);
}

// ---- Receiving.

// Decide finds out what the client speaks; false: no byte is there yet.
bool StreamConnection::Decide() {
  if (protocol_ != Protocol::kUnknown) return true;
  bool is_tls = false;
  if (may_be_tls_) {
    uint8_t first = 0;
    const ssize_t got = recv(fd_.get(), &first, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    is_tls = got == 1 && first == kTlsHandshakeByte;
    // What is not TLS where only TLS is served gets no answer, not even an alert.
    if (got == 1 && !is_tls && !may_be_plain_) {
      End(ConnectionEnd::kNotTurn);
      return false;
    }
  }
  protocol_ = is_tls ? Protocol::kTls : Protocol::kPlain;
  if (is_tls) {
    tls_ = std::make_unique<TlsStream>(*hub_.options().tls, queue_);
    SetTransport(Transport::kTls);
  }
  return true;
}

void StreamConnection::OnReadable() {
  for (int i = 0; i < kMaxReads && !end_; ++i) {
    if (!Decide()) return;
    const std::span<uint8_t> room = hub_.ReceiveRoom();
    std::ranges::copy(partial_, room.begin());
    const size_t before = partial_.size();
    has_more_ = false;
    const Received got =
        tls_ != nullptr ? ReceiveTls(room.subspan(before)) : ReceivePlain(room.subspan(before));
    // What came before the end still counts.
    if (got.size > 0) CutMessages(room.first(before + got.size));
    if (got.end) End(*got.end);
    if (!has_more_) return;
  }
}

// Receive reads once.
StreamConnection::Received StreamConnection::Receive(std::span<uint8_t> room) {
  const ssize_t got = recv(fd_.get(), room.data(), room.size(), 0);
  if (got > 0) {
    has_more_ = static_cast<size_t>(got) == room.size();
    return {static_cast<size_t>(got), {}};
  }
  // A half-closed connection can carry neither answers nor data to a client: it is over.
  if (got == 0) return {0, ConnectionEnd::kClientClosed};
  if (errno == EAGAIN || errno == EINTR) return {};
  return {0, ConnectionEnd::kReset};
}

StreamConnection::Received StreamConnection::ReceivePlain(std::span<uint8_t> room) {
  return Receive(room.first(StreamHub::kReadSize));
}

StreamConnection::Received StreamConnection::ReceiveTls(std::span<uint8_t> room) {
  const std::span<uint8_t> scratch = hub_.tls_scratch();
  const Received got = Receive(scratch);
  if (got.size == 0) return got;
  const bool was_established = tls_->is_established();
  const auto opened = tls_->Receive(scratch.first(got.size), room);
  hub_.MarkDirty(*this);  // handshake messages and alerts may wait
  if (!was_established && tls_->is_established()) hub_.CountHandshake(TlsHandshake::kOk);
  switch (opened.status) {
    case TlsStream::Status::kOk:
      return {opened.size, {}};
    case TlsStream::Status::kClosed:
      return {opened.size, ConnectionEnd::kClientClosed};
    case TlsStream::Status::kFailed:
      break;
  }
  if (!tls_->is_established()) hub_.CountHandshake(TlsHandshake::kFailed);
  return {opened.size, ConnectionEnd::kTlsFailed};
}

// IsAcceptableStart looks at the first bytes of all: nobody has a channel yet, so only STUN can
// come. The letters of HTTP would else pass for ChannelData whose end is awaited.
bool StreamConnection::IsAcceptableStart(ByteSpan stream) const {
  return has_served_ || stream.empty() || stream[0] <= 0x03;
}

void StreamConnection::CutMessages(ByteSpan stream) {
  size_t used = 0;
  while (!end_) {
    const ByteSpan rest = stream.subspan(used);
    const auto frame = IsAcceptableStart(rest) ? stun::NextFrame(rest)
                                               : std::unexpected(stun::FrameError::kNotTurn);
    if (!frame) {
      End(ConnectionEnd::kNotTurn);
      break;
    }
    if (!*frame) break;
    used += (*frame)->consumed;
    has_served_ = true;
    last_message_ = hub_.host().now().mono;
    hub_.host().OnClientMessage(client_, (*frame)->message);
  }
  if (stream.size() - used > kMaxPartialWithoutAllocation &&
      !hub_.host().HasAllocation(client_.link)) {
    End(ConnectionEnd::kNotTurn);
  }
  // What follows a ConnectionBind is application data, and goes along with the connection.
  const ByteSpan rest = stream.subspan(end_ && !target_ ? stream.size() : used);
  if (rest.empty()) {
    std::vector<uint8_t>().swap(partial_);
  } else {
    partial_.assign(rest.begin(), rest.end());
  }
  // What was handed over stays where it is until the host has sent it.
  hub_.CommitRoom(used);
}

// ---- Sending.

SendResult StreamConnection::SendForward(const Forward& forward) {
  if (end_) return std::unexpected(DropReason::kClientGone);
  hub_.MarkDirty(*this);
  const size_t size = forward.wire_size();
  if (tls_ == nullptr) {
    if (!queue_.HasRoom(size)) return std::unexpected(DropReason::kQueueFull);
    queue_.AddForward(forward);
    return {};
  }
  if (!queue_.HasRoom(TlsStream::SizeOnWire(size))) return std::unexpected(DropReason::kQueueFull);
  // One message is one write of TLS, so its pieces must stand together.
  const std::span<uint8_t> message = hub_.message_scratch().first(size);
  auto next = std::ranges::copy(forward.header_bytes(), message.begin()).out;
  next = std::ranges::copy(forward.payload, next).out;
  std::fill(next, message.end(), uint8_t{0});
  if (!SendTls(message)) return std::unexpected(DropReason::kSendFailed);
  queue_.EndForward(forward);
  return {};
}

void StreamConnection::SendStun(std::vector<uint8_t> message) {
  if (end_) return;
  hub_.MarkDirty(*this);
  const size_t size = tls_ == nullptr ? message.size() : TlsStream::SizeOnWire(message.size());
  if (!queue_.HasReserve(size)) return;
  if (tls_ == nullptr) {
    queue_.AddMessage(std::move(message));
  } else {
    SendTls(message);
  }
}

bool StreamConnection::SendTls(ByteSpan message) {
  if (tls_->Send(message)) return true;
  End(ConnectionEnd::kTlsFailed);
  return false;
}

std::expected<size_t, int> StreamConnection::Write(std::span<const iovec> vectors) {
  return SendSome(fd_.get(), vectors);
}

void StreamConnection::Flush() { AfterFlush(queue_.Flush()); }

void StreamConnection::OnWritable() {
  if (end_) return;
  const uint64_t before = queue_.written();
  const bool ok = queue_.Resume();
  if (queue_.written() != before) stalled_since_ = hub_.host().now().mono;
  AfterFlush(ok);
}

void StreamConnection::AfterFlush(bool ok) {
  if (!ok) End(ConnectionEnd::kReset);
  const bool stalled = ok && queue_.is_blocked();
  if (end_ || stalled == is_stalled_) return;
  is_stalled_ = stalled;
  poll_->WatchFor(true, stalled);
  if (!stalled) return;
  stalled_since_ = hub_.host().now().mono;
  hub_.Arm(*this, NextDeadline());
}

// ---- The end.

void StreamConnection::OnBroken() { End(ConnectionEnd::kReset); }

void StreamConnection::End(ConnectionEnd reason) {
  if (end_) return;
  end_ = reason;
  hub_.MarkEnded(*this);
}

void StreamConnection::BecomeData(CoreId owner, PeerStreamId stream) {
  if (end_) return;
  target_ = owner;
  stream_ = stream;
  End(ConnectionEnd::kHandedOver);
}

std::optional<CoreId> StreamConnection::HandOverTo() {
  if (!target_) return std::nullopt;
  // The answer to ConnectionBind must be out. A client that does not take the few bytes that it was
  // sent so far does not read.
  if (queue_.size() == 0) return target_;
  target_.reset();
  end_ = ConnectionEnd::kWriteStalled;
  return std::nullopt;
}

ClientEnd StreamConnection::Release() {
  poll_.reset();
  return {.stream = stream_,
          .client = client_,
          .fd = std::move(fd_),
          .tls = std::move(tls_),
          .received = std::move(partial_)};
}

void StreamConnection::TakeDown() {
  TP_CHECK(end_.has_value());
  poll_.reset();
  if (tls_ != nullptr && *end_ != ConnectionEnd::kReset) {
    tls_->Shutdown();
    queue_.Flush();
  }
  queue_.Abandon(DropReason::kClientGone);
}

MonoTime StreamConnection::NextDeadline() const {
  const StreamOptions& options = hub_.options();
  const MonoTime next = has_served_ ? last_message_ + options.idle_timeout
                                    : accepted_at_ + options.first_message_timeout;
  return is_stalled_ ? std::min(next, stalled_since_ + options.write_timeout) : next;
}

void StreamConnection::OnDeadline() {
  if (end_) return;
  const MonoTime now = hub_.host().now().mono;
  const StreamOptions& options = hub_.options();
  if (is_stalled_ && now >= stalled_since_ + options.write_timeout) {
    End(ConnectionEnd::kWriteStalled);
  } else if (!has_served_ && now >= accepted_at_ + options.first_message_timeout) {
    if (tls_ != nullptr && !tls_->is_established()) {
      hub_.CountHandshake(TlsHandshake::kTimedOut);
    }
    End(ConnectionEnd::kNoMessage);
  } else {
    if (has_served_ && now >= last_message_ + options.idle_timeout) {
      // With an allocation a connection lives as long as that does (RFC 8656 §5).
      if (!hub_.host().HasAllocation(client_.link)) return End(ConnectionEnd::kIdle);
      last_message_ = now;
    }
    hub_.Arm(*this, NextDeadline());
  }
}

}  // namespace turnpike
