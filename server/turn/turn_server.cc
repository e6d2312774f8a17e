#include "server/turn/turn_server.h"

#include <algorithm>

#include "common/base/check.h"
#include "server/turn/turn_server_impl.h"

namespace turnpike {

TurnServer::TurnServer(TurnOptions options, const NonceSecret& nonce_secret, Directory& directory,
                       RandomSource& random)
    : impl_(std::make_unique<Impl>(std::move(options), nonce_secret, directory, random)) {}

TurnServer::~TurnServer() = default;

std::optional<Forward> TurnServer::OnClientDatagram(const Client& client, ByteSpan bytes, Now now) {
  return impl_->OnClientDatagram(client, bytes, now);
}
std::optional<Forward> TurnServer::OnPeerDatagram(RelayId relay, const PeerAddress& peer,
                                                  ByteSpan bytes, Now now) {
  return impl_->OnPeerDatagram(relay, peer, bytes, now);
}
size_t TurnServer::ExtendRun(const Forward& forward, ByteSpan message, ByteSpan rest) {
  return impl_->ExtendRun(forward, message, rest);
}
void TurnServer::OnIcmp(RelayId relay, const PeerAddress& peer, const IcmpError& error, Now now) {
  impl_->OnIcmp(relay, peer, error, now);
}
void TurnServer::OnSent(const Forward& forward, SendResult result, Now now, uint32_t count) {
  impl_->OnSent(forward, result, now, count);
}
void TurnServer::OnRelayOpened(RelayId relay, std::expected<SessionMeter, OpenError> result,
                               Now now) {
  impl_->OnRelayOpened(relay, result, now);
}
std::optional<PeerStreamId> TurnServer::OnPeerAccepted(RelayId relay, const PeerAddress& peer,
                                                       Now now) {
  return impl_->OnPeerAccepted(relay, peer, now);
}
void TurnServer::OnPeerConnected(PeerStreamId stream, bool connected, Now now) {
  impl_->OnPeerConnected(stream, connected, now);
}
bool TurnServer::OnHandedOver(PeerStreamId stream, Now now) {
  return impl_->OnHandedOver(stream, now);
}
MonoTime TurnServer::OnSpliced(PeerStreamId stream, Direction direction, size_t bytes, Now now) {
  return impl_->OnSpliced(stream, direction, bytes, now);
}
void TurnServer::OnHalfClosed(PeerStreamId stream, Now now) { impl_->OnHalfClosed(stream, now); }
void TurnServer::OnPeerStreamClosed(PeerStreamId stream, Now now) {
  impl_->OnPeerStreamClosed(stream, now);
}
CoreId TurnServer::core_id() const { return impl_->core_id(); }
void TurnServer::OnLinkClosed(LinkId link, Now now) { impl_->OnLinkClosed(link, now); }
bool TurnServer::HasAllocation(LinkId link) const { return impl_->HasAllocation(link); }
void TurnServer::OnTimer(Now now) { impl_->OnTimer(now); }
std::optional<MonoTime> TurnServer::NextDeadline() const { return impl_->NextDeadline(); }
std::optional<Output> TurnServer::PollOutput() { return impl_->PollOutput(); }
void TurnServer::Drain(Now) { impl_->Drain(); }
size_t TurnServer::EndSessions(std::span<const SessionId> sessions, CloseReason reason, Now now) {
  return impl_->EndSessions(sessions, reason, now);
}
void TurnServer::CloseAll(CloseReason reason, Now now) { impl_->CloseAll(reason, now); }
void TurnServer::SetOptions(TurnOptions options) { impl_->SetOptions(std::move(options)); }
void TurnServer::MeasureUse(Now now) { impl_->MeasureUse(now); }
const TurnStats& TurnServer::stats() const { return impl_->stats(); }
size_t TurnServer::allocation_count() const { return impl_->allocation_count(); }
bool TurnServer::IsConsistent() const { return impl_->IsConsistent(); }

namespace {

SipKey NewSipKey(RandomSource& random) {
  const uint64_t k0 = random.U64();
  return {.k0 = k0, .k1 = random.U64()};
}

}  // namespace

TurnServer::Impl::Impl(TurnOptions options, const NonceSecret& nonce_secret, Directory& directory,
                       RandomSource& random)
    : nonce_secret_(nonce_secret),
      tickets_(nonce_secret),
      directory_(directory),
      random_(random),
      authenticator_(options_, nonce_secret_),
      answers_(NewSipKey(random)),
      attempts_(NewSipKey(random)),
      table_(NewSipKey(random)),
      core_id_(directory.AddCore()),
      indication_prefix_(static_cast<uint32_t>(random.U64())) {
  SetOptions(std::move(options));
}

void TurnServer::Impl::SetOptions(TurnOptions options) {
  TP_CHECK(options.credentials != nullptr && options.peer_filter != nullptr);
  options_ = std::move(options);
  answers_.SetRate(options_.max_unauthenticated_answers);
  attempts_.SetRate(options_.max_allocation_attempts);
  translations_.clear();
  for (const RelayAddress& address : options_.relay_addresses) {
    if (address.bind != address.advertise) {
      translations_.push_back({.bind = address.bind, .advertise = address.advertise});
    }
  }
  rates_ = RateLimits(options_.limits);
  // What the new filter denies ends at once.
  const PeerFilter& filter = *options_.peer_filter;
  table_.ForEach([&](Allocation& allocation) {
    UpdateThrottle(allocation);
    allocation.permissions.RemoveIf(
        [&](const Permission& p) { return !filter.PermitsAddress(p.ip); });
    allocation.channels.RemoveIf([&](const Channel& c) { return !filter.Permits(c.peer); });
    for (size_t i = 0; i < allocation.permissions.size(); ++i) {
      allocation.permissions[i].permitted_port = 0;
    }
    CloseStreamsIf(allocation, [&](const PeerStream& s) { return !filter.Permits(s.peer); });
  });
}

void TurnServer::Impl::Observe(Now now) {
  TP_DCHECK(now.mono >= latest_);
  latest_ = now.mono;
}

void TurnServer::Impl::CheckTouched([[maybe_unused]] const Allocation& allocation) {
#ifndef NDEBUG
  // The whole table is checked while it is small, and now and then when it is not: simulations with
  // thousands of allocations stay fast.
  constexpr size_t kSmall = 16;
  constexpr uint32_t kSample = 256;
  TP_DCHECK(allocation.IsConsistent());
  if (table_.record_count() <= kSmall || ++mutations_ % kSample == 0) TP_DCHECK(IsConsistent());
#endif
}

bool TurnServer::Impl::IsConsistent() const {
  if (!table_.IsConsistent() || !deadlines_.IsConsistent()) return false;
  size_t live = 0;
  size_t streams = 0;
  bool armed = true;
  const_cast<AllocationTable&>(table_).ForEach([&](const Allocation& allocation) {
    streams += allocation.streams.size();
    const auto armed_at = deadlines_.ArmedAt(allocation.index);
    if (allocation.state == AllocationState::kLive) {
      ++live;
      armed = armed && armed_at && *armed_at <= allocation.NextDeadline();
    } else {
      armed = armed && !armed_at;
    }
  });
  return armed && live == live_count_ && live_count_ <= table_.record_count() &&
         streams == stats_.peer_connections.Get();
}

BucketIndex TurnServer::Impl::CurrentBucket(WallTime now) {
  if (now < bucket_begin_ || now >= bucket_end_) {
    bucket_ = BucketOf(now);
    bucket_begin_ = BucketStart(bucket_);
    bucket_end_ = bucket_begin_ + kBucketWidth;
  }
  return bucket_;
}

void TurnServer::Impl::OnTimer(Now now) {
  Observe(now);
  for (auto first = deadlines_.First(); first && first->when <= now.mono;
       first = deadlines_.First()) {
    deadlines_.Disarm(first->record);
    Settle(table_.At(first->record), now);
  }
  bool reservations_due = false;
  while (!reservation_deadlines_.empty() && reservation_deadlines_.front() <= now.mono) {
    reservation_deadlines_.pop_front();
    reservations_due = true;
  }
  if (reservations_due) directory_.ExpireReservations(now.mono);
}

std::optional<MonoTime> TurnServer::Impl::NextDeadline() const {
  std::optional<MonoTime> next;
  if (const auto first = deadlines_.First()) next = first->when;
  if (!reservation_deadlines_.empty()) {
    next = next ? std::min(*next, reservation_deadlines_.front()) : reservation_deadlines_.front();
  }
  return next;
}

std::optional<Output> TurnServer::Impl::PollOutput() {
  if (outputs_.empty()) return std::nullopt;
  std::optional<Output> next(std::move(outputs_.front()));
  outputs_.pop_front();
  return next;
}

}  // namespace turnpike
