// The driver's part for clients that came to another worker's socket (RFC 8016; see handover.h).
#include <utility>
#include <variant>

#include "common/base/log.h"
#include "common/metering/usage.h"
#include "server/io/driver.h"

namespace turnpike {

// ---- As a host.

// PassOn hands a client's message to the owner of its allocation. A refused one is a lost datagram.
void Driver::PassOn(CoreId owner, const Client& client, std::vector<uint8_t> bytes) {
  if (handovers_ == nullptr) return;
  guests_.NotePassed(client.link, owner);
  handovers_->Post(
      owner, GuestMessage{.host = core_.core_id(), .client = client, .bytes = std::move(bytes)});
}

void Driver::Execute(PassMessage output) {
  // A guest that shows a third worker's ticket asks again once its host knows that it has left
  // here.
  if (IsGuest(output.client.link)) return;
  PassOn(output.owner, output.client, std::move(output.bytes));
}

void Driver::Receive(const GuestJoined& joined) { guests_.Host(joined.client, joined.owner); }

void Driver::Receive(const GuestLeft& left) { guests_.Dismiss(left.client); }

void Driver::Receive(SendMessage message) { Execute(std::move(message)); }

void Driver::Receive(GuestForward guest) {
  // Its payload must stay until it is sent, at the end of this loop turn at last.
  held_.push_back(std::move(guest.payload));
  guest.forward.payload = held_.back();
  Take(guest.forward);
}

// Report tells whoever made `forward` what became of it, and of the run that it stands for.
void Driver::Report(const Forward& forward, SendResult result, uint32_t count) {
  if (forward.guest_of == 0) return core_.OnSent(forward, result, now(), count);
  if (handovers_ == nullptr) return;
  handovers_->Post(CoreId(forward.guest_of - 1),
                   GuestReport{.number = forward.relay.value(), .result = result});
}

// ---- As an owner.

void Driver::Receive(GuestMessage message) {
  held_.push_back(std::move(message.bytes));
  const Client client{.five_tuple = message.client.five_tuple,
                      .link = guests_.LinkFor({message.host, message.client.link})};
  if (const auto forward = core_.OnClientDatagram(client, held_.back(), now())) Take(*forward);
  PollOutputs();
}

void Driver::Receive(const GuestGone& gone) {
  const auto link = guests_.Remove({gone.host, gone.link});
  if (!link) return;
  core_.OnLinkClosed(*link, now());
  PollOutputs();
}

void Driver::Receive(const GuestReport& report) {
  if (const auto forward = guests_.TakeAwaited(report.number)) {
    core_.OnSent(*forward, report.result, now());
  }
}

void Driver::TakeForGuest(const Forward& forward) {
  const auto to = guests_.Find(forward.link);
  if (!to) return core_.OnSent(forward, std::unexpected(DropReason::kClientGone), now());
  const uint64_t number = guests_.Await(forward);
  GuestForward guest{.forward = forward,
                     .payload = {forward.payload.begin(), forward.payload.end()}};
  guest.forward.link = to->link;
  guest.forward.guest_of = core_.core_id().value() + 1;
  guest.forward.relay = RelayId(number);
  guest.forward.payload = {};
  if (handovers_ != nullptr && handovers_->Post(to->host, std::move(guest))) return;
  guests_.TakeAwaited(number);
  core_.OnSent(forward, std::unexpected(DropReason::kQueueFull), now());
}

// SendToGuest says whether `output` was for a guest, and sends it by its host.
bool Driver::SendToGuest(SendMessage& output) {
  if (!IsGuest(output.link)) return false;
  const auto to = guests_.Find(output.link);
  if (!to || handovers_ == nullptr) return true;
  output.link = to->link;
  handovers_->Post(to->host, std::move(output));
  return true;
}

void Driver::Execute(const ClientJoined& output) {
  if (!IsGuest(output.client.link) || handovers_ == nullptr) return;
  const auto at = guests_.Find(output.client.link);
  if (!at) return;
  handovers_->Post(at->host, GuestJoined{.owner = core_.core_id(),
                                         .client = {output.client.five_tuple, at->link}});
}

void Driver::Execute(const ClientLeft& output) {
  if (!IsGuest(output.client.link) || handovers_ == nullptr) return;
  const auto at = guests_.Find(output.client.link);
  if (at) handovers_->Post(at->host, GuestLeft{{output.client.five_tuple, at->link}});
}

void Driver::Execute(const SessionMoved& output) {
  Log(LogLevel::kInfo, "session_moved",
      {{"session", FormatSessionId(output.session)},
       {"from", output.from.client.ToString()},
       {"to", output.to.client.ToString()},
       {"transport", TransportName(output.to.transport)}});
}

// AbandonGuests settles what other workers have not reported yet, before all ends: in doubt nothing
// is billed.
void Driver::AbandonGuests() {
  for (const Forward& forward : guests_.TakeAllAwaited()) {
    core_.OnSent(forward, std::unexpected(DropReason::kClientGone), now());
  }
}

}  // namespace turnpike
