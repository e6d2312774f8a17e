#include "server/io/splice.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/check.h"
#include "server/io/tcp_socket.h"
#include "server/io/tls_stream.h"

namespace turnpike {
namespace {

// Reads per readiness event: a fast sender lets the others have their turn.
constexpr int kReadsPerTurn = 4;

// One read waits at most; a TLS session may add an alert or a key update.
constexpr size_t kQueueLimit = 2 * Splice::kReadSize;

// Discard empties what `fd` has received: closing a socket with unread bytes is a reset, which
// would take back what the other side has not fetched yet.
void Discard(int fd) {
  constexpr int kMostReads = 64;
  constexpr size_t kMuch = 1 << 20;
  for (int i = 0; i < kMostReads; ++i) {
    if (recv(fd, nullptr, kMuch, MSG_DONTWAIT | MSG_TRUNC) <= 0) return;
  }
}

}  // namespace

Splice::Side::Side(Splice& owner, Direction from, UniqueFd socket)
    : splice(owner), direction(from), fd(std::move(socket)), queue(*this, owner, kQueueLimit) {}

std::expected<size_t, int> Splice::Side::Write(std::span<const iovec> vectors) {
  return SendSome(fd.get(), vectors);
}

// cppcheck-suppress passedByValue ; it is taken apart
Splice::Splice(SpliceHost& host, UniqueFd peer, ClientEnd client)
    : host_(host),
      stream_(client.stream),
      client_(client.client),
      tls_(std::move(client.tls)),
      received_(std::move(client.received)),
      client_side_(*this, Direction::kClientToPeer, std::move(client.fd)),
      peer_side_(*this, Direction::kPeerToClient, std::move(peer)) {
  if (tls_ != nullptr) tls_->WriteTo(client_side_.queue);
}

Splice::~Splice() = default;

std::expected<void, int> Splice::Start(uv_loop_t* loop) {
  for (Side* side : {&client_side_, &peer_side_}) {
    auto poll = UvStreamPoll::Watch(loop, side->fd.get(), side);
    if (!poll) return std::unexpected(poll.error());
    side->poll = std::move(*poll);
  }
  if (!received_.empty()) Deliver(peer_side_, std::exchange(received_, {}));
  // The end of the TLS session may have come along with the ConnectionBind.
  if (tls_ != nullptr && ReadTls({}).ended) MarkEnded(client_side_, false);
  FinishIfDone(peer_side_);
  Update();
  return {};
}

void Splice::Resume(Direction direction) {
  if (is_over_) return;
  Side& side = direction == client_side_.direction ? client_side_ : peer_side_;
  side.is_paused = false;
  // A broken side has nothing that would say when to go on reading it.
  if (side.is_broken) Pump(side);
  Update();
}

void Splice::Stop() {
  is_over_ = true;
  if (tls_ != nullptr && !has_said_goodbye_ && client_side_.queue.size() == 0 &&
      !client_side_.is_finished) {
    tls_->Shutdown();
    client_side_.queue.Flush();
  }
  for (Side* side : {&client_side_, &peer_side_}) {
    side->poll.reset();
    side->fd = UniqueFd();
  }
}

size_t Splice::memory() const {
  return client_side_.queue.memory() + peer_side_.queue.memory() + received_.capacity();
}

// ---- What the sockets say.

void Splice::OnReadable(Side& side) {
  if (is_over_) return;
  Pump(side);
  Update();
}

void Splice::OnWritable(Side& side) {
  if (is_over_) return;
  Flush(side, true);
  FinishIfDone(side);
  // A broken side has nothing that would say when to go on reading it.
  if (Other(side).is_broken) Pump(Other(side));
  Update();
}

void Splice::OnBroken(Side& side) {
  if (is_over_) return;
  side.is_broken = true;
  side.poll.reset();
  GiveUp(side);
  Pump(side);
  Update();
}

// ---- One direction.

// Pump passes on what `from` sent, as long as the other side takes it.
void Splice::Pump(Side& from) {
  Side& to = Other(from);
  for (int i = 0; i < kReadsPerTurn || from.is_broken; ++i) {
    if (from.has_ended || from.is_paused || to.is_finished || to.queue.size() != 0) break;
    const Received got = Read(from);
    if (got.size != 0) Deliver(to, host_.read_buffer().first(got.size));
    if (got.ended) MarkEnded(from, from.is_broken);
    if (got.drained) break;
  }
  if (from.is_broken && to.is_finished) MarkEnded(from, true);
  FinishIfDone(to);
}

Splice::Received Splice::Read(Side& from) {
  const bool is_tls = &from == &client_side_ && tls_ != nullptr;
  const std::span<uint8_t> room =
      is_tls ? host_.tls_scratch().first(kTlsReadSize) : host_.read_buffer().first(kReadSize);
  const ssize_t got = recv(from.fd.get(), room.data(), room.size(), 0);
  if (got < 0 && errno == EINTR) return {};
  if (got < 0 && errno == EAGAIN) return {.size = 0, .ended = false, .drained = true};
  if (got <= 0) {
    if (got < 0) {
      from.is_broken = true;
      GiveUp(from);
    }
    return {.size = 0, .ended = true, .drained = true};
  }
  const auto size = static_cast<size_t>(got);
  Received received = is_tls ? ReadTls(room.first(size)) : Received{.size = size};
  received.drained = size < room.size() && !from.is_broken;
  return received;
}

Splice::Received Splice::ReadTls(ByteSpan ciphertext) {
  const auto opened = tls_->Receive(ciphertext, host_.read_buffer());
  // An alert or a key update may wait.
  Flush(client_side_, false);
  return {.size = opened.size, .ended = opened.status != TlsStream::Status::kOk, .drained = false};
}

// Deliver writes `bytes` to `to`; what it does not take is copied.
void Splice::Deliver(Side& to, ByteSpan bytes) {
  if (to.is_finished) return;
  if (&to == &peer_side_ || tls_ == nullptr) {
    Forward forward;
    forward.payload = bytes;
    to.queue.AddForward(forward);
  } else {
    while (!bytes.empty()) {
      // Each record is counted once the kernel has all of it.
      const ByteSpan record = bytes.first(std::min(bytes.size(), TlsStream::kRecordPayload));
      bytes = bytes.subspan(record.size());
      if (!tls_->Send(record)) return GiveUp(to);
      Forward forward;
      forward.wire_bytes = static_cast<uint32_t>(record.size());
      to.queue.EndForward(forward);
    }
  }
  Flush(to, false);
}

// Flush writes what waits for `to`, and counts it. Over TLS only whole records count: the client
// cannot read a part of one.
void Splice::Flush(Side& to, bool resume) {
  if (to.is_finished) return;
  const bool ok = resume ? to.queue.Resume() : to.queue.Flush();
  if (&to == &peer_side_ || tls_ == nullptr) {
    const uint64_t taken = to.queue.written() - std::exchange(to.counted, to.queue.written());
    if (taken != 0) Count(Other(to), static_cast<size_t>(taken));
  }
  if (!ok) GiveUp(to);
}

void Splice::OnForwardSent(const Forward& forward, SendResult result, uint32_t) {
  // Without TLS, bytes count, not messages: see Flush.
  if (result && forward.wire_bytes != 0) {
    Count(peer_side_, forward.wire_bytes);
  }
}

// Count reports `bytes` that came from `from` and that the kernel took.
void Splice::Count(Side& from, size_t bytes) {
  if (!host_.OnSpliced(stream_, from.direction, bytes)) from.is_paused = true;
}

// GiveUp drops what waits for a side that takes nothing any more.
void Splice::GiveUp(Side& to) {
  if (std::exchange(to.is_finished, true)) return;
  to.queue.Abandon(DropReason::kClientGone);
  host_.OnHalfClosed(stream_);
}

void Splice::MarkEnded(Side& from, bool reset) {
  if (std::exchange(from.has_ended, true) || Other(from).has_ended) return;
  end_ = &from == &peer_side_ ? ConnectionEnd::kPeerClosed
         : reset              ? ConnectionEnd::kReset
                              : ConnectionEnd::kClientClosed;
}

// FinishIfDone passes the end of one side on to the other, which has all that was sent before it.
void Splice::FinishIfDone(Side& to) {
  if (to.is_finished || !Other(to).has_ended || to.queue.size() != 0) return;
  if (&to == &client_side_ && tls_ != nullptr && !std::exchange(has_said_goodbye_, true)) {
    tls_->Shutdown();
    Flush(to, false);
    if (to.queue.size() != 0) return;
  }
  shutdown(to.fd.get(), SHUT_WR);
  to.is_finished = true;
  host_.OnHalfClosed(stream_);
}

// Update asks for what can be dealt with next, and sees whether all is done.
void Splice::Update() {
  if (is_over_) return;
  if (client_side_.is_finished && peer_side_.is_finished) {
    is_over_ = true;
    for (const Side* side : {&client_side_, &peer_side_}) Discard(side->fd.get());
    host_.OnSpliceOver(*this);
    return;
  }
  for (Side* side : {&client_side_, &peer_side_}) {
    if (!side->poll) continue;
    const Side& other = Other(*side);
    const bool takes = !other.is_finished && other.queue.size() == 0;
    side->poll->WatchFor(!side->has_ended && !side->is_paused && takes,
                         !side->is_finished && side->queue.is_blocked());
  }
}

}  // namespace turnpike
