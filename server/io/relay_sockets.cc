#include "server/io/relay_sockets.h"

#include <cerrno>

#include "common/base/check.h"
#include "server/io/descriptor_reserve.h"
#include "server/io/error_queue.h"

namespace turnpike {
namespace {

// One session's burst; the kernel charges memory only for what waits. It is capped at rmem_max and
// wmem_max.
constexpr int kRelayBuffer = 512 << 10;

// Errors read per event; what is left wakes the loop again, after the others' turn.
constexpr int kErrorsPerEvent = 16;

}  // namespace

std::expected<void, OpenError> RelaySockets::Open(RelayId relay, const TransportAddress& bind) {
  auto socket = OpenUdpSocket(bind, {.receive_runs = host_.receive_batch().takes_runs(),
                                     .queue_errors = true,
                                     .receive_buffer = kRelayBuffer,
                                     .send_buffer = kRelayBuffer});
  if (socket && IsReserved(socket->fd.get())) socket = std::unexpected(EMFILE);
  if (!socket) {
    last_errno_ = socket.error();
    return std::unexpected(last_errno_ == EADDRINUSE ? OpenError::kPortInUse
                                                     : OpenError::kNoResource);
  }
  RelaySocket& place = Place(relay);
  TP_CHECK(!place.socket.fd.valid());  // the core closes a relay before its place is used again
  auto poll = UvPoll::Watch(loop_, socket->fd.get(), &place);
  if (!poll) {
    last_errno_ = -poll.error();
    return std::unexpected(OpenError::kNoResource);
  }
  place.socket = std::move(*socket);
  place.id = relay;
  place.owner = this;
  place.poll = std::move(*poll);
  ++size_;
  return {};
}

void RelaySockets::Close(RelayId relay) {
  RelaySocket* place = At(relay);
  if (place == nullptr) return;
  TP_DCHECK(place->socket.queue_head < 0);
  if (reading_ == place) reading_ = nullptr;
  place->poll.reset();
  place->socket = {};
  --size_;
}

UdpSocket* RelaySockets::Find(RelayId relay) {
  RelaySocket* place = At(relay);
  return place == nullptr ? nullptr : &place->socket;
}

RelaySockets::RelaySocket* RelaySockets::At(RelayId relay) {
  const uint32_t index = IndexOf(relay);
  if (index / kChunk >= chunks_.size()) return nullptr;
  RelaySocket& place = (*chunks_[index / kChunk])[index % kChunk];
  return place.id == relay && place.socket.fd.valid() ? &place : nullptr;
}

RelaySockets::RelaySocket& RelaySockets::Place(RelayId relay) {
  const uint32_t index = IndexOf(relay);
  while (index / kChunk >= chunks_.size()) chunks_.push_back(std::make_unique<Chunk>());
  return (*chunks_[index / kChunk])[index % kChunk];
}

void RelaySockets::RelaySocket::OnReadable() { owner->Receive(*this); }
void RelaySockets::RelaySocket::OnErrorQueued() { owner->ReadErrors(*this); }

void RelaySockets::ReadErrors(const RelaySocket& relay) {
  for (int i = 0; i < kErrorsPerEvent; ++i) {
    const auto error = TakeError(relay.socket);
    if (!error) return;
    if (error->icmp) host_.OnPeerError(relay.id, PeerAddress(error->to), *error->icmp);
  }
}

void RelaySockets::Receive(RelaySocket& relay) {
  // One batch per event: what is left comes back with the next poll, after the others' turn.
  reading_ = &relay;
  const auto batch = host_.receive_batch().Receive(relay.socket);
  for (const ReceivedRun& run : batch.runs) {
    const PeerAddress peer(run.from);
    run.ForEach([&](ByteSpan bytes, ByteSpan rest) -> std::optional<size_t> {
      // What a datagram causes may close this very relay.
      const size_t along = host_.OnPeerDatagram(relay.id, peer, bytes, rest);
      return reading_ != nullptr ? std::optional(along) : std::nullopt;
    });
    if (reading_ == nullptr) break;
  }
  reading_ = nullptr;
  host_.OnBatchEnd();
}

}  // namespace turnpike
