#include "server/io/stream_hub.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/stun/stream_framer.h"
#include "server/io/connection_limits.h"

namespace turnpike {

static_assert(StreamHub::kMinRoom >= StreamHub::kReadSize + stun::kMaxFrameSize);

StreamHub::StreamHub(uv_loop_t* loop, StreamHost& host, ForwardReports& reports, StreamStats& stats,
                     const StreamOptions& options)
    : loop_(loop),
      host_(host),
      reports_(reports),
      stats_(stats),
      options_(options),
      // Left uninitialised: memory is touched only as far as it is used.
      receive_memory_(new uint8_t[kReceiveMemory]) {}

StreamHub::~StreamHub() {
  if (options_.limits == nullptr) return;
  for (const auto& [link, connection] : by_link_) {
    options_.limits->Release(connection->client().five_tuple.client.ip);
  }
}

std::expected<TransportAddress, std::string> StreamHub::Listen(const StreamListenOptions& options) {
  TP_CHECK(!options.tls || options_.tls != nullptr);
  auto listener = StreamListener::Open(loop_, options, *this);
  if (!listener) return std::unexpected(listener.error());
  listeners_.push_back(std::move(*listener));
  return listeners_.back()->address();
}

void StreamHub::SetOptions(const StreamOptions& options) {
  TP_CHECK(options.limits == options_.limits);
  options_ = options;
}

LinkId StreamHub::NewLink() {
  do {
    last_link_ = last_link_ + 1 == kFirstDtlsSession ? kFirstConnection : last_link_ + 1;
  } while (by_link_.contains(LinkId(last_link_)));
  return LinkId(last_link_);
}

void StreamHub::Adopt(UniqueFd fd, const FiveTuple& tuple, const StreamListenOptions& listener) {
  if (options_.limits != nullptr) {
    switch (options_.limits->Admit(tuple.client.ip)) {
      case ConnectionLimits::Verdict::kAdmitted:
        break;
      case ConnectionLimits::Verdict::kTooMany:
        return CountEnd(ConnectionEnd::kTooMany);
      case ConnectionLimits::Verdict::kTooManyOfAddress:
        return CountEnd(ConnectionEnd::kTooManyOfAddress);
    }
  }
  uint32_t record = static_cast<uint32_t>(connections_.size());
  if (free_records_.empty()) {
    connections_.emplace_back();
  } else {
    record = free_records_.back();
    free_records_.pop_back();
  }
  const LinkId link = NewLink();
  auto& place = connections_[record];
  place = std::make_unique<StreamConnection>(*this, record, std::move(fd), Client{tuple, link},
                                             listener);
  by_link_[link] = place.get();
  if (!place->Watch(loop_)) place->End(ConnectionEnd::kNoResource);
}

StreamConnection* StreamHub::Find(LinkId link) {
  const auto found = by_link_.find(link);
  return found == by_link_.end() ? nullptr : found->second;
}

void StreamHub::MarkDirty(StreamConnection& connection) {
  if (std::exchange(connection.is_dirty, true)) return;
  dirty_.push_back(&connection);
}

void StreamHub::Flush() {
  for (StreamConnection* connection : dirty_) {
    connection->is_dirty = false;
    connection->Flush();
  }
  dirty_.clear();
}

bool StreamHub::Reap() {
  if (ended_.empty()) return false;
  Flush();  // nothing may point to what goes now
  for (StreamConnection* connection : std::exchange(ended_, {})) {
    const LinkId link = connection->client().link;
    if (const auto owner = connection->HandOverTo()) {
      ClientEnd end = connection->Release();
      Remove(*connection);
      host_.OnLinkClosed(link);
      host_.OnClientEnd(*owner, std::move(end));
      continue;
    }
    CountEnd(*connection->end());
    connection->TakeDown();
    if (options_.limits != nullptr) {
      options_.limits->Release(connection->client().five_tuple.client.ip);
    }
    Remove(*connection);
    host_.OnLinkClosed(link);
  }
  return true;
}

void StreamHub::Remove(StreamConnection& connection) {
  const uint32_t record = connection.record();
  by_link_.erase(connection.client().link);
  deadlines_.Disarm(record);
  free_records_.push_back(record);
  connections_[record].reset();
}

void StreamHub::EndAll() {
  listeners_.clear();
  for (const auto& [link, connection] : by_link_) connection->End(ConnectionEnd::kStopped);
}

std::optional<MonoTime> StreamHub::NextDeadline() const {
  std::optional<MonoTime> next;
  if (const auto first = deadlines_.First()) next = first->when;
  for (const auto& listener : listeners_) {
    const auto resume_at = listener->resume_at();
    if (resume_at && (!next || *resume_at < *next)) next = resume_at;
  }
  return next;
}

void StreamHub::OnTimer(MonoTime now) {
  for (auto first = deadlines_.First(); first && first->when <= now; first = deadlines_.First()) {
    deadlines_.Disarm(first->record);
    connections_[first->record]->OnDeadline();
  }
  for (const auto& listener : listeners_) {
    if (listener->resume_at() && *listener->resume_at() <= now) listener->Resume();
  }
}

void StreamHub::Arm(StreamConnection& connection, MonoTime when) {
  deadlines_.Arm(connection.record(), when);
}

std::span<uint8_t> StreamHub::ReceiveRoom() {
  if (kReceiveMemory - used_ < kMinRoom) {
    host_.OnReceiveMemoryFull();
    used_ = 0;
  }
  return std::span(receive_memory_.get(), kReceiveMemory).subspan(used_);
}

void StreamHub::CountOpen(Transport transport, int change) {
  Counter& gauge = stats_.connections[static_cast<size_t>(transport)];
  gauge.Set(gauge.Get() + static_cast<uint64_t>(int64_t{change}));
}

void StreamHub::CountHandshake(TlsHandshake result) {
  stats_.handshakes[static_cast<size_t>(result)].Add(1);
}

void StreamHub::CountEnd(ConnectionEnd end) { stats_.closed[static_cast<size_t>(end)].Add(1); }

}  // namespace turnpike
