#include "server/ops/core_metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "common/stun/message.h"

namespace turnpike {

namespace {

// Codes that a TURN server answers in normal service. They are shown from the start, so that the
// first error of a kind is an increase and not the birth of a series.
constexpr std::array<uint16_t, 12> kKnownCodes = {400, 401, 403, 405, 420, 437,
                                                  438, 440, 441, 442, 486, 508};

}  // namespace

void ReadAllocations(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t transport = 0; transport < kTransportCount; ++transport) {
    for (size_t family = 0; family < 2; ++family) {
      out.Add(Sum(scrape,
                  [&](const TurnStats& s) -> const Counter& {
                    return s.allocations[transport][family];
                  }),
              {NamedLabel("transport", TransportName(static_cast<Transport>(transport))),
               NamedLabel("family", family == 0 ? "ipv4" : "ipv6")});
    }
  }
}

void ReadPeerConnectionEvents(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t i = 0; i < kPeerConnectionEventCount; ++i) {
    out.Add(Sum(scrape,
                [&](const TurnStats& s) -> const Counter& { return s.peer_connection_events[i]; }),
            {NamedLabel("event", PeerConnectionEventName(static_cast<PeerConnectionEvent>(i)))});
  }
}

void ReadAllocationsClosed(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t i = 0; i < kCloseReasonCount; ++i) {
    out.Add(Sum(scrape, [&](const TurnStats& s) -> const Counter& { return s.closed[i]; }),
            {NamedLabel("reason", CloseReasonName(static_cast<CloseReason>(i)))});
  }
}

namespace {

// ReadErrors shows every known code, and of the others those that occurred.
template <typename Pick>
void ReadErrors(const Scrape& scrape, ExpositionWriter& out, Pick pick) {
  for (uint16_t code = 300; code < 700; ++code) {
    const uint64_t count = Sum(
        scrape, [&](const TurnStats& s) -> const Counter& { return pick(s)[code - size_t{300}]; });
    if (count == 0 && std::ranges::find(kKnownCodes, code) == kKnownCodes.end()) continue;
    out.Add(count, {NamedLabel("code", std::to_string(code))});
  }
}

}  // namespace

void ReadAllocationErrors(const Scrape& scrape, ExpositionWriter& out) {
  ReadErrors(scrape, out, [](const TurnStats& s) -> auto& { return s.allocation_errors; });
}

void ReadAllErrors(const Scrape& scrape, ExpositionWriter& out) {
  ReadErrors(scrape, out, [](const TurnStats& s) -> auto& { return s.errors; });
}

void ReadAllocationDuration(const Scrape& scrape, ExpositionWriter& out) {
  std::array<uint64_t, kDurationBoundsSeconds.size() + 1> counts{};
  for (size_t i = 0; i < counts.size(); ++i) {
    counts[i] =
        Sum(scrape, [&](const TurnStats& s) -> const Counter& { return s.duration_buckets[i]; });
  }
  const uint64_t sum_ms =
      Sum(scrape, [](const TurnStats& s) -> const Counter& { return s.duration_sum_ms; });
  out.AddHistogram(kDurationBoundsSeconds, 0, counts, Value{sum_ms, 3});
}

namespace {

// ReadRelayed shows one of the two tables by transport and direction.
template <typename Pick>
void ReadRelayed(const Scrape& scrape, ExpositionWriter& out, Pick pick) {
  for (size_t direction = 0; direction < kDirectionCount; ++direction) {
    for (size_t transport = 0; transport < kTransportCount; ++transport) {
      const uint64_t count = Sum(scrape, [&](const TurnStats& s) -> const Counter& {
        return pick(s)[transport][direction];
      });
      out.Add(count, {NamedLabel("direction", DirectionName(static_cast<Direction>(direction))),
                      NamedLabel("transport", TransportName(static_cast<Transport>(transport))),
                      RegionLabel(scrape)});
    }
  }
}

}  // namespace

void ReadRelayedBytes(const Scrape& scrape, ExpositionWriter& out) {
  ReadRelayed(scrape, out, [](const TurnStats& s) -> auto& { return s.relayed_bytes; });
}

void ReadRelayedPackets(const Scrape& scrape, ExpositionWriter& out) {
  ReadRelayed(scrape, out, [](const TurnStats& s) -> auto& { return s.relayed_packets; });
}

void ReadDropped(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    out.Add(Sum(scrape, [&](const TurnStats& s) -> const Counter& { return s.dropped_packets[i]; }),
            {NamedLabel("reason", DropReasonName(static_cast<DropReason>(i)))});
  }
}

void ReadSourceLimited(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t i = 0; i < kSourceLimitCount; ++i) {
    out.Add(Sum(scrape, [&](const TurnStats& s) -> const Counter& { return s.source_limited[i]; }),
            {NamedLabel("what", SourceLimitName(static_cast<SourceLimit>(i)))});
  }
}

void ReadAuthFailures(const Scrape& scrape, ExpositionWriter& out) {
  for (size_t i = 0; i < kAuthFailureCount; ++i) {
    out.Add(Sum(scrape, [&](const TurnStats& s) -> const Counter& { return s.auth_failures[i]; }),
            {NamedLabel("reason", AuthFailureName(static_cast<AuthFailure>(i)))});
  }
}

void ReadMessages(const Scrape& scrape, ExpositionWriter& out) {
  constexpr size_t kMethods = std::tuple_size_v<decltype(TurnStats::messages)>;
  constexpr size_t kClasses = 4;
  // Method numbers without a meaning share the name `unknown`, which must stay one series.
  std::map<std::string_view, std::array<uint64_t, kClasses>> by_name;
  for (size_t method = 0; method < kMethods; ++method) {
    auto& counts = by_name[stun::MethodName(static_cast<stun::Method>(method))];
    for (size_t i = 0; i < kClasses; ++i) {
      counts[i] +=
          Sum(scrape, [&](const TurnStats& s) -> const Counter& { return s.messages[method][i]; });
    }
  }
  for (const auto& [name, counts] : by_name) {
    for (size_t i = 0; i < kClasses; ++i) {
      out.Add(counts[i], {NamedLabel("method", name),
                          NamedLabel("class", stun::ClassName(static_cast<stun::Class>(i)))});
    }
  }
}

}  // namespace turnpike
