// Reads a capture whole: once to see which flows there are, and once more for what is replayed.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/net/ip_set.h"
#include "tools/load/plan.h"
#include "tools/replay/capture.h"
#include "tools/replay/datagram.h"
#include "tools/replay/flow_table.h"

namespace turnpike::replay {

// ScanOptions say what is read of a capture, and what is replayed of it.
struct ScanOptions {
  std::optional<Duration> first;       // read only so much of it, from its first packet
  bool allow_truncated = false;        // a capture that is cut off counts as far as it goes
  bool all_udp = false;                // take flows that are neither RTP, RTCP nor TURN
  IpSet clients;                       // see FlowTable::Take
  std::vector<uint32_t> flow_numbers;  // take these alone; empty: what the above says
  // Told now and then how much of the file has been read, 0 to 1; may be empty.
  std::function<void(double)> progress;
};

// Scan is what a capture holds.
struct Scan {
  LinkType link_type = LinkType::kEthernet;
  uint64_t packets = 0;  // that were read
  std::array<uint64_t, kSkipCount> skipped{};
  uint64_t clock_steps = 0;  // how often the capture's clock went back
  bool truncated = false;
  std::vector<Flow> flows;

  // skipped_words lists what is no UDP: `12 not IP, 3 TCP`; empty when all is.
  std::string skipped_words() const;

  // taken_* add up the flows that are replayed. taken_first is the time of their first packet.
  uint64_t taken_flows() const;
  uint64_t taken_packets() const;
  uint64_t taken_bytes() const;
  Duration taken_first() const;
  Duration taken_last() const;
};

// kMostPackets is what a replay holds in memory: 8 bytes a packet, never a payload.
inline constexpr uint64_t kMostPackets = 50'000'000;

// kRoundGap is what lies between the last packet of a round and the first of the next one.
inline constexpr Duration kRoundGap = std::chrono::milliseconds(20);

// ScanCapture reads `capture` once. It fails with a sentence: also when nothing is left to be
// replayed, and when that is more than kMostPackets or lasts longer than a plan can say.
std::expected<Scan, std::string> ScanCapture(Capture& capture, const std::string& name,
                                             const ScanOptions& options);

// CollectTraffic reads the same capture from its start again, and returns what the sessions of the
// taken flows send: original sizes and gaps, the latter divided by `speed`. All patterns have one
// period and count from one instant, so that flows keep their places against each other. It fails
// with a sentence.
std::expected<std::vector<load::SessionTraffic>, std::string> CollectTraffic(
    Capture& capture, const std::string& name, const Scan& scan, const ScanOptions& options,
    double speed);

// CaptureClock makes times since the first packet from those of a capture.
class CaptureClock {
 public:
  // Place returns when a packet of that time, of Capture::Next, is. Packets that are a little older
  // than the newest, as several queues of a device make them, keep their times; a clock that steps
  // back goes on from the newest packet.
  Duration Place(Duration time);

  uint64_t steps() const { return steps_; }

 private:
  static constexpr Duration kStep = std::chrono::seconds(1);
  // Of a clock that goes back by lifetimes, again and again. With a time of Capture::Next, half of
  // what 64 bits hold and a second at most, it is still a sum of 64 bits. No replay takes as long.
  static constexpr Duration kFarthest = Duration::max() / 2 - std::chrono::seconds(1);

  std::optional<Duration> first_;
  Duration newest_{};
  Duration shift_{};
  uint64_t steps_ = 0;
};

}  // namespace turnpike::replay
