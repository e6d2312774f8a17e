#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/stun/message.h"
#include "tools/check/probe.h"
#include "tools/load/clock.h"
#include "tools/load/random.h"
#include "tools/load/socket.h"

namespace turnpike::check {
namespace {

using std::chrono::milliseconds;
using stun::AttributeType;

// RFC 8489 §6.2.1 begins at 500 ms; as browsers, and since a person waits, sooner.
constexpr Duration kFirstWait = milliseconds(250);
constexpr int kExchanges = 5;

// Answer is what a Binding response says.
struct Answer {
  TransportAddress mapped;
  std::optional<TransportAddress> other;  // OTHER-ADDRESS: the server's second address and port
};

// Binder asks from one socket, whose partner may change.
class Binder {
 public:
  Binder(UniqueFd fd, Duration patience) : fd_(std::move(fd)), patience_(patience) {}

  const UniqueFd& fd() const { return fd_; }

  // Ask sends Binding requests to `server` until one is answered, and sets `took` to the time since
  // the last of them. The error says in which way none was.
  std::expected<Answer, StepResult> Ask(const TransportAddress& server, Duration& took) {
    if (const auto ok = load::Connect(fd_, server); !ok)
      return Failure(Fault::kRefused, ok.error());
    stun::TransactionId id;
    random_.Fill(id);
    std::array<uint8_t, stun::MessageBuilder::kMaxMessageSize> buffer;
    stun::MessageBuilder builder(buffer, stun::Class::kRequest, stun::Method::kBinding, id);
    const ByteSpan request = builder.FinishUnauthenticated(true);
    const MonoTime deadline = load::ReadMono() + patience_;
    MonoTime next = load::ReadMono();
    MonoTime sent = next;
    Duration wait = kFirstWait;
    for (MonoTime now = next; now < deadline; now = load::ReadMono()) {
      if (now >= next) {
        send(fd_.get(), request.data(), request.size(), 0);
        sent = now;
        next = now + wait;
        wait *= 2;
      }
      const auto answer = Read(id, std::min(next, deadline) - now);
      if (!answer) return std::unexpected(answer.error());
      took = load::ReadMono() - sent;
      if (*answer) return **answer;
    }
    return Failure(Fault::kSilent, "no answer within " + FormatDuration(patience_));
  }

 private:
  static std::unexpected<StepResult> Failure(Fault fault, std::string detail) {
    return std::unexpected(StepResult{
        .step = Step::kBinding, .fault = fault, .took = {}, .detail = std::move(detail)});
  }

  // Read waits so long at most, and passes over what is not an answer to `id`.
  std::expected<std::optional<Answer>, StepResult> Read(const stun::TransactionId& id,
                                                        Duration wait) {
    pollfd fd{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    poll(&fd, 1, static_cast<int>(std::chrono::ceil<milliseconds>(wait).count()));
    std::array<uint8_t, 2048> buffer;
    const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == ECONNREFUSED) {
      return Failure(Fault::kRefused, "nobody listens there (ICMP port unreachable)");
    }
    if (size < 0 && errno != EAGAIN) return Failure(Fault::kRefused, std::strerror(errno));
    if (size < 0) return std::nullopt;
    const auto message =
        stun::MessageView::Parse(ByteSpan(buffer).first(static_cast<size_t>(size)));
    if (!message || message->transaction_id() != id) return std::nullopt;
    const auto value = message->Find(AttributeType::kXorMappedAddress);
    const auto mapped = value ? stun::DecodeXorAddress(*value, id) : std::nullopt;
    if (!mapped) return Failure(Fault::kServer, "the answer has no XOR-MAPPED-ADDRESS");
    const auto other = message->Find(AttributeType::kOtherAddress);
    return Answer{*mapped, other ? stun::DecodeAddress(*other) : std::nullopt};
  }

  UniqueFd fd_;
  Duration patience_;
  load::KernelRandom random_;
};

// MappingOf makes the tests of RFC 5780 §4.3.
NatMapping MappingOf(Binder& binder, const TransportAddress& server, const Answer& first) {
  if (first.mapped == load::LocalAddress(binder.fd())) return NatMapping::kNone;
  if (!first.other) return NatMapping::kUnknown;
  Duration ignored{};
  const auto second = binder.Ask({first.other->ip, server.port}, ignored);
  if (!second) return NatMapping::kUnknown;
  if (second->mapped == first.mapped) return NatMapping::kEndpointIndependent;
  const auto third = binder.Ask(*first.other, ignored);
  if (!third) return NatMapping::kUnknown;
  return third->mapped == second->mapped ? NatMapping::kAddressDependent
                                         : NatMapping::kAddressAndPortDependent;
}

}  // namespace

void ProbeStun(const Probe& probe, const ProbeOptions& options, PathResult& result,
               NatMapping& nat) {
  result.server = probe.server;
  StepResult step{.step = Step::kBinding};
  auto fd = load::OpenUdp(probe.server.ip.is_v4() ? IpAddress() : *IpAddress::Parse("::"));
  if (!fd) {
    step.fault = Fault::kRefused;
    step.detail = fd.error();
    result.steps.push_back(step);
    return;
  }
  Binder binder(std::move(*fd), options.patience);
  const auto answer = binder.Ask(probe.server, step.took);
  // The first exchange may have waited for an ARP reply or a busy thread; the fastest is the
  // path's.
  for (int i = 1; answer && i < kExchanges; ++i) {
    Duration took = step.took;
    if (binder.Ask(probe.server, took)) step.took = std::min(step.took, took);
  }
  if (!answer) {
    step.fault = answer.error().fault;
    step.detail = answer.error().detail;
    result.steps.push_back(step);
    return;
  }
  result.mapped = answer->mapped;
  step.detail = "this host appears as " + answer->mapped.ToString();
  result.steps.push_back(step);
  nat = MappingOf(binder, probe.server, *answer);
}

}  // namespace turnpike::check
