#include "tools/replay/scan.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace turnpike::replay {
namespace {

// Reading says how far a capture was read.
struct Reading {
  uint64_t packets = 0;
  uint64_t clock_steps = 0;
  std::array<uint64_t, kSkipCount> skipped{};
  bool truncated = false;
};

// Visitor is told of a datagram and of its time since the first packet; false ends the reading.
using Visitor = std::function<bool(const Datagram&, Duration)>;

// ReadDatagrams reads at most `most` packets.
std::expected<Reading, std::string> ReadDatagrams(Capture& capture, const ScanOptions& options,
                                                  uint64_t most, const Visitor& visitor) {
  constexpr uint64_t kProgressPeriod = 1 << 17;  // packets
  Reading reading;
  CaptureClock clock;
  while (reading.packets < most) {
    const auto packet = capture.Next();
    if (!packet) {
      if (!packet.error().cut_off) return std::unexpected(packet.error().what);
      if (!options.allow_truncated) {
        return std::unexpected(packet.error().what +
                               "; --allow-truncated takes it as far as it goes");
      }
      reading.truncated = true;
      break;
    }
    if (!*packet) break;
    const Duration time = clock.Place((*packet)->time);
    if (options.first && time >= *options.first) break;
    ++reading.packets;
    if (options.progress && reading.packets % kProgressPeriod == 0) {
      options.progress(capture.share_read());
    }
    const auto datagram = DecodeDatagram(capture.link_type(), (*packet)->bytes);
    if (!datagram) {
      ++reading.skipped[static_cast<size_t>(datagram.error())];
      continue;
    }
    if (!visitor(*datagram, time)) break;
  }
  reading.clock_steps = clock.steps();
  return reading;
}

std::string Count(uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// SelectFlows marks what is replayed. It fails with a sentence when that is nothing.
std::expected<void, std::string> SelectFlows(Scan& scan, const std::string& name,
                                             const ScanOptions& options) {
  for (Flow& flow : scan.flows) {
    const bool is_media =
        flow.kind == FlowKind::kRtp || flow.kind == FlowKind::kRtcp || flow.kind == FlowKind::kTurn;
    const bool is_wanted = options.flow_numbers.empty()
                               ? is_media || (options.all_udp && flow.kind == FlowKind::kOther)
                               : std::ranges::count(options.flow_numbers, flow.number) != 0;
    flow.taken = is_wanted && flow.packets() > 0;
  }
  for (const uint32_t number : options.flow_numbers) {
    if (number >= 1 && number <= scan.flows.size()) continue;
    return std::unexpected("--flow " + std::to_string(number) + ": " + name + " has " +
                           Count(scan.flows.size(), "UDP flow") + "; --dry-run lists them");
  }
  if (scan.taken_flows() > 0) return {};
  if (scan.packets == 0) return std::unexpected(name + " holds no packet");
  const std::string skipped = scan.skipped_words();
  const std::string packets =
      Count(scan.packets, "packet") + (skipped.empty() ? "" : " (" + skipped + ")");
  if (scan.flows.empty()) return std::unexpected(name + " holds no UDP among " + packets);
  return std::unexpected(name + " holds neither RTP nor a TURN client's leg among " +
                         Count(scan.flows.size(), "UDP flow") + " and " + packets +
                         "; --dry-run --all-udp lists them, --all-udp replays them as they are");
}

std::expected<void, std::string> CheckSize(const Scan& scan, const std::string& name) {
  if (scan.taken_packets() > kMostPackets) {
    return std::unexpected(name + " has " + std::to_string(scan.taken_packets()) +
                           " packets to replay, and at most " + std::to_string(kMostPackets) +
                           " (8 bytes each) are held in memory: use --first or --flow");
  }
  return {};
}

// Collector sorts payloads into the patterns of the sessions.
class Collector {
 public:
  Collector(const Scan& scan, double speed) : start_(scan.taken_first()), speed_(speed) {
    const Duration period = At(scan.taken_last()) + kRoundGap;
    for (const Flow& flow : scan.flows) {
      if (!flow.taken) continue;
      places_.emplace(PairOf(flow.client, flow.peer), Place{&flow, traffic_.size()});
      load::SessionTraffic& traffic = traffic_.emplace_back();
      for (size_t i = 0; i < traffic.size(); ++i) {
        traffic[i].period = period;
        traffic[i].slots.reserve(flow.sides[i].volume.packets);
      }
    }
  }

  void Add(const Datagram& datagram, Duration time) {
    const auto found = places_.find(PairOf(datagram.from, datagram.to));
    if (found == places_.end()) return;
    const Flow& flow = *found->second.flow;
    const size_t direction = datagram.from == flow.client ? 0 : 1;
    load::Pattern& pattern = traffic_[found->second.index][direction];
    if (flow.kind != FlowKind::kTurn) return AddSlot(pattern, time, datagram.size);
    ReadTurn(datagram.payload, datagram.size, messages_);
    for (const TurnMessage& message : messages_) {
      if (message.has_data) AddSlot(pattern, time, message.data_size);
    }
  }

  std::vector<load::SessionTraffic> Take() { return std::move(traffic_); }

 private:
  struct Place {
    const Flow* flow = nullptr;
    size_t index = 0;
  };

  Duration At(Duration time) const {
    const auto since = static_cast<double>(std::max(Duration(0), time - start_).count());
    return Duration(std::llround(since / speed_));
  }

  void AddSlot(load::Pattern& pattern, Duration time, uint32_t size) {
    // A pattern's slots are in order; what was captured late leaves with the one before it.
    const Duration before = pattern.slots.empty() ? Duration(0) : pattern.slots.back().offset();
    pattern.slots.emplace_back(std::max(before, At(time)), size);
  }

  Duration start_;
  double speed_;
  std::unordered_map<FiveTuple, Place, PairHash> places_;
  std::vector<load::SessionTraffic> traffic_;
  std::vector<TurnMessage> messages_;
};

}  // namespace

std::string Scan::skipped_words() const {
  std::string words;
  for (int i = 0; i < kSkipCount; ++i) {
    const uint64_t count = skipped[static_cast<size_t>(i)];
    if (count == 0) continue;
    words += (words.empty() ? "" : ", ") + std::to_string(count) + " " +
             std::string(SkipName(static_cast<Skip>(i)));
  }
  return words;
}

uint64_t Scan::taken_flows() const {
  return static_cast<uint64_t>(std::ranges::count(flows, true, &Flow::taken));
}

uint64_t Scan::taken_packets() const {
  uint64_t sum = 0;
  for (const Flow& flow : flows) sum += flow.taken ? flow.packets() : 0;
  return sum;
}

uint64_t Scan::taken_bytes() const {
  uint64_t sum = 0;
  for (const Flow& flow : flows) sum += flow.taken ? flow.bytes() : 0;
  return sum;
}

Duration Scan::taken_first() const {
  Duration first = Duration::max();
  for (const Flow& flow : flows) first = flow.taken ? std::min(first, flow.first()) : first;
  return first;
}

Duration Scan::taken_last() const {
  Duration last{};
  for (const Flow& flow : flows) last = flow.taken ? std::max(last, flow.last()) : last;
  return last;
}

std::expected<Scan, std::string> ScanCapture(Capture& capture, const std::string& name,
                                             const ScanOptions& options) {
  Scan scan;
  FlowTable table;
  bool too_many = false;
  const auto reading =
      ReadDatagrams(capture, options, UINT64_MAX, [&](const Datagram& datagram, Duration time) {
        too_many = !table.Add(datagram, time);
        return !too_many;
      });
  if (!reading) return std::unexpected(reading.error());
  if (too_many) {
    return std::unexpected(name + " has more than " + std::to_string(FlowTable::kMostFlows) +
                           " UDP flows: use --first, or take the calls out of it with tcpdump -r");
  }
  scan.link_type = capture.link_type();
  scan.packets = reading->packets;
  scan.skipped = reading->skipped;
  scan.clock_steps = reading->clock_steps;
  scan.truncated = reading->truncated;
  scan.flows = table.Take(options.clients);
  if (const auto ok = SelectFlows(scan, name, options); !ok) return std::unexpected(ok.error());
  if (const auto ok = CheckSize(scan, name); !ok) return std::unexpected(ok.error());
  return scan;
}

std::expected<std::vector<load::SessionTraffic>, std::string> CollectTraffic(
    Capture& capture, const std::string& name, const Scan& scan, const ScanOptions& options,
    double speed) {
  const auto lasts = static_cast<double>((scan.taken_last() - scan.taken_first()).count()) / speed;
  if (lasts > static_cast<double>(load::PatternSlot::kLastOffset.count())) {
    return std::unexpected(name + ", replayed, lasts longer than " +
                           FormatDuration(load::PatternSlot::kLastOffset) +
                           ": use --first or --speed");
  }
  Collector collector(scan, speed);
  const auto reading =
      ReadDatagrams(capture, options, scan.packets, [&](const Datagram& datagram, Duration time) {
        collector.Add(datagram, time);
        return true;
      });
  if (!reading) return std::unexpected(reading.error());
  auto traffic = collector.Take();
  uint64_t packets = 0;
  for (const load::SessionTraffic& each : traffic)
    packets += each[0].slots.size() + each[1].slots.size();
  if (packets != scan.taken_packets()) {
    return std::unexpected(name + " has changed while it was read");
  }
  return traffic;
}

Duration CaptureClock::Place(Duration time) {
  if (!first_) {
    first_ = newest_ = time;
  } else if (time < newest_ - kStep) {
    shift_ = std::min(shift_ + (newest_ - time), kFarthest);
    newest_ = time;
    ++steps_;
  }
  newest_ = std::max(newest_, time);
  return std::max(Duration(0), time + shift_ - *first_);
}

}  // namespace turnpike::replay
