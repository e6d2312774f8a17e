#include "tools/check/relay_pair.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cmath>

#include "common/stun/message.h"
#include "tools/load/clock.h"
#include "tools/load/stamp.h"
#include "tools/load/tls_peer.h"

namespace turnpike::check {
namespace {

using std::chrono::milliseconds;

// As voice does: a packet each 20 ms. Above this size more packets are sent instead.
constexpr Duration kInterval = milliseconds(20);
constexpr double kLargestPayload = 1100;
// How long after the last packet of a stream another may still come.
constexpr Duration kSettle = milliseconds(1000);
constexpr Duration kRepeat = milliseconds(200);
// Sequences of datagrams that are no part of the stream.
constexpr uint32_t kMeeting = 0x80000000;

Stream StreamOf(const ProbeOptions& options) {
  Duration interval = kInterval;
  while (options.kbits * 125 * std::chrono::duration<double>(interval).count() > kLargestPayload) {
    interval /= 2;
  }
  const double seconds = std::chrono::duration<double>(interval).count();
  const auto size = static_cast<uint32_t>(std::lround(options.kbits * 125 * seconds));
  return {.count = std::max(1u, static_cast<uint32_t>(options.duration / interval)),
          .payload_size = std::max(size, static_cast<uint32_t>(load::kStampSize)),
          .interval = interval};
}

StepResult ServerError(const Failed& failed) {
  const auto result = [&](Fault fault, std::string detail) {
    return StepResult{.fault = fault, .took = {}, .detail = std::move(detail)};
  };
  switch (failed.code) {
    case 0:
      return result(Fault::kSilent, "no answer");
    case 300:
      return result(Fault::kServer, "300, try another server");
    case 401:
    case 441:
      return result(Fault::kCredentials,
                    fmt::format("{}, wrong or expired credential", failed.code));
    case 403:
      return result(Fault::kServer, "403, the relay's own address is forbidden as a peer");
    case 486:
      return result(Fault::kServer, "486, the account's quota is used up");
    case 508:
      return result(Fault::kServer, "508, the server has no room");
    default:
      return result(Fault::kServer, fmt::format("error {}", failed.code));
  }
}

}  // namespace

RelayPair::RelayPair(const Probe& probe, const ProbeOptions& options)
    : probe_(probe),
      options_(options),
      tls_({.authorities = options.authorities}),
      run_(static_cast<uint32_t>(random_.U64())),
      stream_(StreamOf(options)) {
  payload_.resize(stream_.payload_size);
}

void RelayPair::End::OnMessage(ByteSpan bytes, MonoTime arrival) {
  const MonoTime now = load::ReadMono();
  if (!challenged) {
    const auto message = stun::MessageView::Parse(bytes);
    challenged = message && message->method() == stun::Method::kAllocate;
  }
  const auto data = client->OnServerMessage(bytes, now);
  if (data) pair.OnPayload(data->payload, arrival);
}

void RelayPair::OnPayload(ByteSpan payload, MonoTime arrival) {
  const auto stamp = load::ReadStamp(payload, run_);
  if (!stamp) return;
  if (stamp->sequence == kMeeting) {
    ++met_;
  } else {
    arrivals_.push_back({stamp->sequence, stamp->intended, arrival});
  }
}

void RelayPair::OnEvent(End& end, const ClientEvent& event) {
  if (const auto* const allocated = std::get_if<Allocated>(&event)) end.allocated = *allocated;
  if (std::holds_alternative<ChannelBound>(event)) end.bound = true;
  if (const auto* const failed = std::get_if<Failed>(&event)) broken_ = ServerError(*failed);
}

void RelayPair::Flush(End& end, MonoTime now) {
  if (end.client == nullptr) return;
  const auto deadline = end.client->NextDeadline();
  if (deadline && *deadline <= now) end.client->OnTimer(now);
  while (const auto message = end.client->PollTransmit()) end.leg->SendControl(*message);
  while (const auto event = end.client->PollEvent()) OnEvent(end, *event);
}

void RelayPair::Turn(MonoTime until) {
  std::array<pollfd, 2> fds{};
  MonoTime wake = until;
  for (size_t i = 0; i < ends_.size(); ++i) {
    End& end = *ends_[i];
    fds[i] = {.fd = end.leg->fd().get(),
              .events = static_cast<short>(end.leg->is_connected() ? POLLIN : POLLIN | POLLOUT),
              .revents = 0};
    if (end.client == nullptr) continue;
    if (const auto deadline = end.client->NextDeadline()) wake = std::min(wake, *deadline);
  }
  const Duration left = std::max(Duration(0), wake - load::ReadMono());
  const timespec timeout{.tv_sec = left / std::chrono::seconds(1),
                         .tv_nsec = (left % std::chrono::seconds(1)).count()};
  ppoll(fds.data(), fds.size(), &timeout, nullptr);
  const Duration wall_to_mono = load::WallMinusMono();
  for (size_t i = 0; i < ends_.size() && !broken_; ++i) {
    End& end = *ends_[i];
    std::expected<void, std::string> ok;
    if (fds[i].revents != 0) {
      if (!end.leg->is_connected() || (fds[i].revents & POLLOUT) != 0) ok = end.leg->OnWritable();
      if (ok && (fds[i].revents & ~POLLOUT) != 0) {
        ok = end.leg->Receive(receiver_, wall_to_mono, load::ReadMono(), end);
      }
    }
    if (!ok) broken_ = {.fault = Fault::kRefused, .took = {}, .detail = ok.error()};
    if (!broken_) Flush(end, load::ReadMono());
  }
}

template <typename Done>
StepResult RelayPair::Await(Step step, Done done) {
  const MonoTime start = load::ReadMono();
  const MonoTime deadline = start + options_.patience;
  StepResult result{.step = step};
  while (!broken_ && !std::ranges::all_of(ends_, [&](const auto& end) { return done(*end); })) {
    if (load::ReadMono() >= deadline) {
      broken_ = {.fault = Fault::kSilent,
                 .took = {},
                 .detail = "no answer within " + FormatDuration(options_.patience)};
      break;
    }
    Turn(deadline);
  }
  result.took = load::ReadMono() - start;
  if (broken_) {
    result.fault = broken_->fault;
    result.detail = broken_->detail;
  }
  return result;
}

StepResult RelayPair::Connect() {
  for (size_t i = 0; i < ends_.size(); ++i) {
    ends_[i] = std::make_unique<End>(*this, i);
    auto leg = load::ClientLeg::Open({.transport = probe_.transport,
                                      .server = probe_.server,
                                      .host = probe_.host,
                                      .tls = &tls_});
    if (!leg) {
      return {.step = Step::kConnect, .fault = Fault::kRefused, .took = {}, .detail = leg.error()};
    }
    ends_[i]->leg = std::move(*leg);
  }
  StepResult result = Await(Step::kConnect, [](const End& end) { return end.leg->is_connected(); });
  if (result.ok()) result.detail = probe_.server.ToString();
  return result;
}

std::vector<std::string> RelayPair::VersionsOf(const std::string& negotiated) {
  std::vector<std::string> versions = {negotiated};
  if (negotiated == "TLSv1.2") return versions;
  // A second connection, for the older version alone.
  const load::TlsClientContext older({.authorities = "", .only_tls12 = true});
  auto leg = load::ClientLeg::Open(
      {.transport = probe_.transport, .server = probe_.server, .host = probe_.host, .tls = &older});
  if (!leg) return versions;
  const MonoTime deadline = load::ReadMono() + options_.patience;
  while (!(*leg)->is_open() && load::ReadMono() < deadline) {
    pollfd fd{.fd = (*leg)->fd().get(), .events = POLLIN, .revents = 0};
    if (!(*leg)->is_connected()) fd.events |= POLLOUT;
    poll(&fd, 1, static_cast<int>((deadline - load::ReadMono()) / milliseconds(1)));
    auto ok = (*leg)->OnWritable();
    if (ok) ok = (*leg)->Receive(receiver_, {}, load::ReadMono(), *ends_[0]);
    if (!ok) return versions;
  }
  if ((*leg)->is_open()) versions.push_back((*leg)->tls()->version());
  return versions;
}

StepResult RelayPair::ShakeHands(TlsResult& tls) {
  StepResult result = Await(Step::kTls, [](const End& end) { return end.leg->is_open(); });
  if (!result.ok()) {
    result.fault = result.fault == Fault::kRefused ? Fault::kTls : result.fault;
    return result;
  }
  const load::TlsStream& stream = *ends_[0]->leg->tls();
  load::TlsPeer peer = load::TlsPeerOf(stream, load::ReadWall());
  tls = {.versions = VersionsOf(stream.version()),
         .subject = std::move(peer.subject),
         .names = std::move(peer.names),
         .issuer = std::move(peer.issuer),
         .expires = peer.expires,
         .problem = std::move(peer.problem)};
  result.detail = stream.version();
  if (!tls.problem.empty() && !options_.insecure) {
    result.fault = Fault::kCertificate;
    result.detail = tls.problem;
  }
  return result;
}

StepResult RelayPair::AwaitChallenge() {
  for (const auto& end : ends_) {
    TurnClientOptions options;
    options.transport = probe_.transport;
    options.username = options_.credential.username;
    options.password = options_.credential.password;
    options.initial_rto = milliseconds(250);  // as browsers have it
    if (!probe_.server.ip.is_v4()) options.requested_family = AddressFamily::kIpv6;
    end->client = std::make_unique<TurnClient>(options, random_);
    end->client->Allocate(load::ReadMono());
    Flush(*end, load::ReadMono());
  }
  StepResult result = Await(Step::kChallenge, [](const End& end) { return end.challenged; });
  // The server asks for credentials, or has judged them already: what failed is the next step.
  if (std::ranges::any_of(ends_, [](const auto& end) { return end->challenged; })) {
    result.fault = Fault::kNone;
    result.detail.clear();
  }
  return result;
}

StepResult RelayPair::Allocate(PathResult& result) {
  StepResult step =
      Await(Step::kAllocate, [](const End& end) { return end.allocated.has_value(); });
  if (!step.ok()) return step;
  result.mapped = ends_[0]->allocated->mapped;
  result.relayed = ends_[0]->allocated->relayed.value();
  step.detail = result.relayed->ToString();
  return step;
}

StepResult RelayPair::MeetAtRelay() {
  for (size_t i = 0; i < ends_.size(); ++i) {
    ends_[i]->client->BindChannel(PeerAddress(ends_[1 - i]->allocated->relayed.value()),
                                  load::ReadMono());
    Flush(*ends_[i], load::ReadMono());
  }
  StepResult result = Await(Step::kRelay, [](const End& end) { return end.bound; });
  if (!result.ok()) return result;
  const MonoTime start = load::ReadMono();
  const MonoTime deadline = start + options_.patience;
  MonoTime next = start;
  for (MonoTime now = start; met_ == 0 && !broken_; now = load::ReadMono()) {
    if (now >= deadline) {
      broken_ = {
          .fault = Fault::kSilent,
          .took = {},
          .detail = "nothing comes back from " + ends_[1]->allocated->relayed.value().ToString()};
      break;
    }
    if (now >= next) {
      Send(kMeeting, now);
      next += kRepeat;
    }
    Turn(std::min(next, deadline));
  }
  result.took += load::ReadMono() - start;
  if (broken_) {
    result.fault = broken_->fault;
    result.detail = broken_->detail;
  }
  return result;
}

void RelayPair::Send(uint32_t sequence, MonoTime now) {
  End& end = *ends_[0];
  load::WriteStamp({.session = 0, .sequence = sequence, .intended = now}, run_, payload_);
  const auto head =
      end.client->HeadFor(PeerAddress(ends_[1]->allocated->relayed.value()), payload_.size());
  if (!head) return;
  std::vector<uint8_t> message(head->bytes().begin(), head->bytes().end());
  message.insert(message.end(), payload_.begin(), payload_.end());
  message.resize(message.size() + head->padding);
  end.leg->SendControl(message);
}

Quality RelayPair::Measure() {
  MonoTime due = load::ReadMono();
  for (uint32_t sequence = 0; sequence < stream_.count && !broken_;) {
    const MonoTime now = load::ReadMono();
    if (now < due) {
      Turn(due);
      continue;
    }
    Send(sequence++, now);
    due += stream_.interval;
  }
  const MonoTime end = load::ReadMono() + kSettle;
  while (!broken_ && arrivals_.size() < stream_.count && load::ReadMono() < end) Turn(end);
  return check::Measure(stream_, arrivals_);
}

void RelayPair::Release() {
  for (const auto& end : ends_) {
    if (end == nullptr || end->client == nullptr) continue;
    end->client->Release(load::ReadMono());
    Flush(*end, load::ReadMono());
    end->leg->Close();
  }
}

}  // namespace turnpike::check
