// How good a path is, from the packets that went along it. No socket, no clock.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/time.h"

namespace turnpike::check {

// Arrival is one probe that came back.
struct Arrival {
  uint32_t sequence = 0;  // 0 for the first probe sent
  MonoTime sent;
  MonoTime arrived;
};

// Stream says what was sent: `count` probes of `payload_size` bytes, one each `interval`.
struct Stream {
  uint32_t count = 0;
  uint32_t payload_size = 0;
  Duration interval{};

  // kbits is the rate of the payload, in kbit/s.
  double kbits() const;
};

// Quality is what became of a stream. Times are milliseconds. A probe goes to the relay and comes
// back from it, so its time is a round trip between here and the relay, and its loss counts both
// ways.
struct Quality {
  Stream stream;
  uint32_t received = 0;   // each probe once
  uint32_t reordered = 0;  // came after one that was sent later (RFC 4737 §3)
  uint32_t duplicated = 0;
  double rtt_min = 0;
  double rtt_p50 = 0;
  double rtt_p95 = 0;
  double jitter = 0;                // of RFC 3550 §6.4.1, at the end of the stream
  double kbits = 0;                 // of the payload, over the time in which it arrived
  std::vector<double> round_trips;  // by sequence; negative: lost

  // loss_percent is the share of probes that never came back.
  double loss_percent() const;
};

// Measure judges `arrivals`, in order of arrival, of a stream. Sequences beyond it do not count.
Quality Measure(const Stream& stream, std::span<const Arrival> arrivals);

}  // namespace turnpike::check
