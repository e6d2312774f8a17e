// What the cores ask for, and what must hold about them at any time.
#include <algorithm>
#include <variant>

#include "tests/sim/sim_server.h"

namespace turnpike::sim {

void SimServer::Poll(Worker& worker) {
  while (auto output = worker.core->PollOutput()) {
    Flush(worker);
    std::visit([&](const auto& what) { Execute(worker, what); }, *output);
  }
}

// MaybeDie ends the process between two steps of an output.
void SimServer::MaybeDie() {
  if (die_countdown_ != 0 && --die_countdown_ == 0) throw Killed{};
}

void SimServer::Execute(Worker&, const SendMessage& send) {
  MaybeDie();
  const auto link = links_.find(send.link);
  if (link != links_.end() && IsStream(link->second.tuple.transport)) {
    link->second.queue.push_back({.control = send.bytes, .held = std::nullopt});
    return;
  }
  wires_.ToClient(send.link, send.to, send.bytes);
}

void SimServer::Execute(Worker& worker, const OpenRelay& open) {
  MaybeDie();
  const auto opened = TryOpen(worker, open);
  MaybeDie();
  if (open.needs_slot && dice_.Percent(2)) {
    AnswerOnBrokenLink(worker, open, opened);
  } else {
    worker.core->OnRelayOpened(open.relay, opened, timeline_.now());
  }
}

// AnswerOnBrokenLink lets the client's connection, if it has one, break while its relay is opened.
void SimServer::AnswerOnBrokenLink(Worker& worker, const OpenRelay& open,
                                   std::expected<SessionMeter, OpenError> opened) {
  const auto found = std::ranges::find_if(
      links_, [&](const auto& link) { return link.second.tuple.client == open.session.client; });
  if (found == links_.end()) {
    worker.core->OnRelayOpened(open.relay, opened, timeline_.now());
    return;
  }
  auto gone = links_.extract(found);
  worker.core->OnLinkClosed(gone.key(), timeline_.now());
  worker.core->OnRelayOpened(open.relay, opened, timeline_.now());
  for (const Queued& queued : gone.mapped().queue) {
    if (queued.held) {
      Refuse(workers_[queued.held->worker], *queued.held, DropReason::kClientGone);
    }
  }
  wires_.Disconnected(gone.key());
}

std::expected<SessionMeter, OpenError> SimServer::TryOpen(Worker& worker, const OpenRelay& open) {
  if (sockets_.contains(open.bind)) {
    wires_.Problem("the port of " + open.bind.ToString() + " was given out twice");
    return std::unexpected(OpenError::kPortInUse);
  }
  if (dice_.Percent(4)) return std::unexpected(OpenError::kPortInUse);
  if (dice_.PerMille(10)) return std::unexpected(OpenError::kNoResource);
  SessionMeter meter;
  if (open.needs_slot) {
    const auto acquired = slots_->Acquire(open.session);
    if (!acquired) return std::unexpected(OpenError::kNoSlot);
    meter = *acquired;
    worker.newest_session = FormatSessionId(open.session.id);
    Announce(open.session);
  }
  // A second relay belongs to the allocation whose first one was opened just before.
  sockets_[open.bind] = {.worker = IndexOf(worker), .relay = open.relay, .protocol = open.protocol};
  worker.session_of[open.relay] = worker.newest_session;
  worker.bind_of[open.relay] = open.bind;
  return meter;
}

void SimServer::Announce(const SessionInfo& info) {
  watched_as_[ClientName({.client = info.client, .server = {}, .transport = info.transport})] =
      FormatSessionId(info.id);
  auditor_.OpenSession(FormatSessionId(info.id),
                       {.account = info.account,
                        .label = info.label,
                        .username = info.username,
                        .region = settings_.identity.region,
                        .transport = std::string(TransportName(info.transport)),
                        .client_address = info.client.ToString(),
                        .relayed_address = info.relayed.ToString(),
                        .started_at_us = info.started_at.time_since_epoch().count(),
                        .close_reason = {},
                        .ended_at_us = 0,
                        .tally = {},
                        .dropped = {}});
  wires_.Announced(info);
}

void SimServer::Execute(Worker& worker, const CloseRelay& close) {
  MaybeDie();
  const auto bind = worker.bind_of.find(close.relay);
  if (bind == worker.bind_of.end()) return wires_.Problem("a relay was closed that was not open");
  if (sockets_.at(bind->second).protocol != close.protocol) {
    wires_.Problem("a relay was closed as of another protocol");
  }
  sockets_.erase(bind->second);
  worker.bind_of.erase(bind);
}

// The owner of an allocation whose client moved to a 5-tuple of another worker gets what comes
// there, as the drivers of both see to (RFC 8016).
void SimServer::Execute(Worker& worker, const ClientJoined& joined) {
  MaybeDie();
  const std::string name = ClientName(joined.client.five_tuple);
  watched_as_[name] = FormatSessionId(joined.session);
  guests_[name] = IndexOf(worker);
  const auto link = links_.find(joined.client.link);
  if (link != links_.end()) link->second.worker = IndexOf(worker);
}

void SimServer::Execute(Worker&, const ClientLeft& left) {
  MaybeDie();
  const std::string name = ClientName(left.client.five_tuple);
  watched_as_.erase(name);
  guests_.erase(name);
  const auto link = links_.find(left.client.link);
  if (link != links_.end()) link->second.worker = WorkerOf(left.client.five_tuple.client);
}

void SimServer::Execute(Worker& worker, const PassMessage& passed) {
  MaybeDie();
  const Worker& owner = WorkerOfCore(passed.owner);
  if (&owner == &worker) return wires_.Problem("a core passes a message on to itself");
  Receive(IndexOf(owner), passed.client, passed.bytes);
}

void SimServer::Execute(Worker&, const SessionMoved& moved) {
  MaybeDie();
  if (!watched_as_.contains(ClientName(moved.to))) wires_.Problem("a session moved to a stranger");
  ++moves_;
}

void SimServer::Execute(Worker&, const AllocationClosed& closed) {
  MaybeDie();
  if (slots_->Read(closed.slot).id != closed.session) {
    return wires_.Problem("the slot of another session was closed");
  }
  slots_->Close(closed.slot, closed.reason, closed.ended_at);
  auditor_.CloseSession(FormatSessionId(closed.session),
                        std::string(CloseReasonName(closed.reason)),
                        closed.ended_at.time_since_epoch().count());
  MaybeDie();
}

void SimServer::CheckInvariants() {
  std::map<std::string, Tally> counted;
  size_t allocations = 0;
  for (const Worker& worker : workers_) {
    if (!worker.core->IsConsistent()) wires_.Problem("a core is not consistent");
    const TurnStats& stats = worker.core->stats();
    for (size_t t = 0; t < kTransportCount; ++t) {
      Tally tally;
      for (size_t d = 0; d < kDirectionCount; ++d) {
        tally.payload_bytes[d] = stats.relayed_bytes[t][d].Get();
        tally.packets[d] = stats.relayed_packets[t][d].Get();
      }
      counted[std::string(TransportName(static_cast<Transport>(t)))] += tally;
    }
    uint64_t closed = 0;
    for (const Counter& reason : stats.closed) closed += reason.Get();
    allocations += worker.core->allocation_count();
    if (stats.allocations_created.Get() - closed != worker.core->allocation_count()) {
      wires_.Problem("allocations created less closed are not those alive");
    }
  }
  if (!directory_->IsConsistent()) wires_.Problem("the directory is not consistent");
  if (directory_->ports_in_use() < allocations) wires_.Problem("allocations without a port");
  for (const auto& [transport, tally] : auditor_.since_start()) {
    const Tally& shown = counted[transport];
    if (shown.payload_bytes != tally.payload_bytes || shown.packets != tally.packets) {
      wires_.Problem("the live counters of " + transport + " differ from the wires");
    }
  }
}

void SimServer::CheckEmpty() {
  for (const Worker& worker : workers_) {
    if (worker.core->allocation_count() != 0) wires_.Problem("allocations are left");
    if (!worker.peers.empty()) wires_.Problem("connections with peers are left open");
    if (worker.core->stats().peer_connections.Get() != 0) {
      wires_.Problem("the gauge of connections with peers is not 0");
    }
    for (const auto& by_family : worker.core->stats().allocations) {
      for (const Counter& gauge : by_family) {
        if (gauge.Get() != 0) wires_.Problem("the gauge of allocations is not 0");
      }
    }
  }
  if (!sockets_.empty()) wires_.Problem("relay sockets are left open");
  if (directory_->ports_in_use() != 0) wires_.Problem("ports are left in use");
  if (directory_->offers() != 0) wires_.Problem("connections wait to be bound");
  if (directory_->reservations() != 0) wires_.Problem("reservations are left");
  for (const Quotas::Fullest& fullest : directory_->quotas().Read()) {
    if (fullest.used != 0) wires_.Problem("the quota of " + fullest.who + " is not free");
  }
  if (slots_->used() != 0) wires_.Problem("slots are left in use");
  if (auditor_.open_sessions() != 0) wires_.Problem("sessions are left open");
}

}  // namespace turnpike::sim
