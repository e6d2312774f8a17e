#include "server/io/dtls_hub.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/stun/channel_data.h"
#include "server/io/connection_limits.h"

namespace turnpike {

// Client is one session and what the hub knows of it.
struct DtlsHub::Client {
  Client(std::shared_ptr<const DtlsContext> dtls, const DtlsHello& hello)
      : context(std::move(dtls)), session(*context, hello) {}

  std::shared_ptr<const DtlsContext> context;  // outlives the session
  DtlsSession session;
  turnpike::Client name;
  LinkId listener;
  uint32_t record = 0;
  bool has_served = false;  // a TURN message has come
  bool has_place = true;    // it counts in ConnectionLimits
  MonoTime accepted_at;
  MonoTime last_message;
  std::optional<ConnectionEnd> end;
};

DtlsHub::DtlsHub(StreamHost& host, DtlsPort& port, StreamStats& stats, const StreamOptions& options)
    : host_(host), port_(port), stats_(stats), options_(options), cookies_(random_) {}

DtlsHub::~DtlsHub() {
  if (options_.limits == nullptr) return;
  for (const auto& [link, client] : by_link_) {
    if (client->has_place) options_.limits->Release(client->name.five_tuple.client.ip);
  }
}

// ---- Strangers.

void DtlsHub::OnDatagram(LinkId listener, const FiveTuple& tuple, std::span<uint8_t> bytes) {
  Client* client = Find(tuple);
  const auto hello = ReadDtlsHello(bytes);
  if (client != nullptr && (!hello || hello->random == client->session.hello_random())) {
    return Receive(*client, bytes);
  }
  if (!hello) return stats_.dtls_discarded.Add(1);
  const MonoTime now = host_.now().mono;
  if (!cookies_.Verify(tuple, bytes, now)) {
    stats_.dtls_cookies.Add(1);
    port_.SendDatagram(listener, tuple, cookies_.Challenge(tuple, *hello, now));
    return;
  }
  // RFC 6347 §4.2.8: a new handshake from an address that has a session "MUST NOT destroy the
  // existing association until the client has demonstrated reachability", which it now has.
  // It takes the place of the old one, so no limit can refuse it.
  if (client != nullptr) {
    End(*client, ConnectionEnd::kClientClosed);
    client->has_place = false;
  } else if (!Admit(tuple.client.ip)) {
    return;
  }
  client = Adopt(listener, tuple, *hello);
  Receive(*client, bytes);
}

void DtlsHub::SetOptions(const StreamOptions& options) {
  TP_CHECK(options.limits == options_.limits);
  options_ = options;
}

bool DtlsHub::Admit(const IpAddress& ip) {
  if (options_.limits == nullptr) return true;
  const auto verdict = options_.limits->Admit(ip);
  if (verdict == ConnectionLimits::Verdict::kAdmitted) return true;
  const auto reason = verdict == ConnectionLimits::Verdict::kTooMany
                          ? ConnectionEnd::kTooMany
                          : ConnectionEnd::kTooManyOfAddress;
  stats_.closed[static_cast<size_t>(reason)].Add(1);
  return false;
}

DtlsHub::Client* DtlsHub::Adopt(LinkId listener, const FiveTuple& tuple, const DtlsHello& hello) {
  TP_CHECK(options_.dtls != nullptr);
  auto record = static_cast<uint32_t>(clients_.size());
  if (free_records_.empty()) {
    clients_.emplace_back();
  } else {
    record = free_records_.back();
    free_records_.pop_back();
  }
  clients_[record] = std::make_unique<Client>(options_.dtls, hello);
  Client& client = *clients_[record];
  client.name = {tuple, NewLink()};
  client.listener = listener;
  client.record = record;
  client.accepted_at = host_.now().mono;
  by_tuple_[tuple] = &client;
  by_link_[client.name.link] = &client;
  Counter& gauge = stats_.connections[static_cast<size_t>(Transport::kDtls)];
  gauge.Set(gauge.Get() + 1);
  return &client;
}

LinkId DtlsHub::NewLink() {
  do {
    last_link_ = last_link_ + 1 == kFirstGuest ? kFirstDtlsSession : last_link_ + 1;
  } while (by_link_.contains(LinkId(last_link_)));
  return LinkId(last_link_);
}

// ---- Sessions.

DtlsHub::Client* DtlsHub::Find(const FiveTuple& tuple) {
  const auto found = by_tuple_.find(tuple);
  return found == by_tuple_.end() ? nullptr : found->second;
}

DtlsHub::Client* DtlsHub::Find(LinkId link) {
  const auto found = by_link_.find(link);
  return found == by_link_.end() ? nullptr : found->second;
}

void DtlsHub::Receive(Client& client, std::span<uint8_t> bytes) {
  if (client.end) return;
  client.session.Feed(bytes);
  size_t used = 0;
  while (true) {
    const bool was_established = client.session.is_established();
    const auto received = client.session.Receive(bytes.subspan(used));
    SendOutput(client);
    if (!was_established && client.session.is_established()) {
      stats_.dtls_handshakes[static_cast<size_t>(TlsHandshake::kOk)].Add(1);
    }
    switch (received.status) {
      case DtlsSession::Status::kNothing:
        return Arm(client);
      case DtlsSession::Status::kClosed:
        return End(client, ConnectionEnd::kClientClosed);
      case DtlsSession::Status::kFailed:
        return Fail(client);
      case DtlsSession::Status::kMessage:
        break;
    }
    const ByteSpan message = bytes.subspan(used, received.size);
    used += received.size;
    if (stun::KindOf(message.front()) != stun::MessageKind::kOther) {
      client.has_served = true;
      client.last_message = host_.now().mono;
    }
    host_.OnClientMessage(client.name, message);
  }
}

void DtlsHub::SendOutput(Client& client) {
  for (DtlsSession::Datagram& datagram : client.session.TakeOutput()) {
    port_.SendDatagram(client.listener, client.name.five_tuple, std::move(datagram));
  }
}

std::expected<DtlsHub::Sealed, DropReason> DtlsHub::Seal(const Forward& forward) {
  Client* const client = Find(forward.link);
  if (client == nullptr || client->end) return std::unexpected(DropReason::kClientGone);
  // One record is one write, so its pieces must stand together.
  message_.assign(forward.header_bytes().begin(), forward.header_bytes().end());
  message_.insert(message_.end(), forward.payload.begin(), forward.payload.end());
  message_.resize(forward.wire_size());
  auto sealed = client->session.Seal(message_);
  if (!sealed) return std::unexpected(sealed.error());
  return Sealed{client->listener, std::move(*sealed)};
}

void DtlsHub::SendStun(LinkId link, ByteSpan message) {
  Client* const client = Find(link);
  if (client == nullptr || client->end) return;
  if (auto sealed = client->session.Seal(message)) {
    port_.SendDatagram(client->listener, client->name.five_tuple, std::move(*sealed));
  }
}

// ---- The end.

void DtlsHub::Fail(Client& client) {
  if (!client.session.is_established()) {
    stats_.dtls_handshakes[static_cast<size_t>(TlsHandshake::kFailed)].Add(1);
  }
  End(client, ConnectionEnd::kTlsFailed);
}

void DtlsHub::End(Client& client, ConnectionEnd reason) {
  if (client.end) return;
  client.end = reason;
  ended_.push_back(&client);
}

bool DtlsHub::Reap() {
  if (ended_.empty()) return false;
  for (Client* client : std::exchange(ended_, {})) {
    stats_.closed[static_cast<size_t>(*client->end)].Add(1);
    client->session.Shutdown();
    SendOutput(*client);
    const LinkId link = client->name.link;
    Remove(*client);
    host_.OnLinkClosed(link);
  }
  return true;
}

void DtlsHub::Remove(Client& client) {
  const uint32_t record = client.record;
  const FiveTuple& tuple = client.name.five_tuple;
  if (options_.limits != nullptr && client.has_place) options_.limits->Release(tuple.client.ip);
  // A new handshake may have taken the 5-tuple over.
  if (const auto found = by_tuple_.find(tuple); found->second == &client) by_tuple_.erase(found);
  by_link_.erase(client.name.link);
  Counter& gauge = stats_.connections[static_cast<size_t>(Transport::kDtls)];
  gauge.Set(gauge.Get() - 1);
  deadlines_.Disarm(record);
  free_records_.push_back(record);
  clients_[record].reset();
}

void DtlsHub::EndAll() {
  for (const auto& [link, client] : by_link_) End(*client, ConnectionEnd::kStopped);
}

// ---- Time.

void DtlsHub::Arm(Client& client) {
  MonoTime next = client.has_served ? client.last_message + options_.idle_timeout
                                    : client.accepted_at + options_.first_message_timeout;
  if (const auto retransmit = client.session.RetransmitIn()) {
    next = std::min(next, host_.now().mono + *retransmit);
  }
  deadlines_.Arm(client.record, next);
}

std::optional<MonoTime> DtlsHub::NextDeadline() const {
  const auto first = deadlines_.First();
  return first ? std::optional(first->when) : std::nullopt;
}

void DtlsHub::OnTimer(MonoTime now) {
  for (auto first = deadlines_.First(); first && first->when <= now; first = deadlines_.First()) {
    deadlines_.Disarm(first->record);
    OnDeadline(*clients_[first->record], now);
  }
}

void DtlsHub::OnDeadline(Client& client, MonoTime now) {
  if (client.end) return;
  if (!client.has_served && now >= client.accepted_at + options_.first_message_timeout) {
    if (!client.session.is_established()) {
      stats_.dtls_handshakes[static_cast<size_t>(TlsHandshake::kTimedOut)].Add(1);
    }
    return End(client, ConnectionEnd::kNoMessage);
  }
  if (client.has_served && now >= client.last_message + options_.idle_timeout) {
    if (!host_.HasAllocation(client.name.link)) return End(client, ConnectionEnd::kIdle);
    client.last_message = now;
  }
  const auto status = client.session.OnTimer();
  SendOutput(client);
  if (status == DtlsSession::Status::kFailed) return Fail(client);
  Arm(client);
}

}  // namespace turnpike
