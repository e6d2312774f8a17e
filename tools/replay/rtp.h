// Recognises RTP and RTCP, and guesses what a stream carries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/time.h"

namespace turnpike::replay {

// RtpHeader is the fixed header of RFC 3550 §5.1, as far as it says something here.
struct RtpHeader {
  uint8_t payload_type = 0;
  uint16_t sequence = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};

// ReadRtp returns the header of what can be an RTP or SRTP packet of `size` bytes. Any datagram may
// look like one by chance: RtpStream tells more.
std::optional<RtpHeader> ReadRtp(ByteSpan bytes, uint32_t size);

// IsRtcp says whether bytes can be an RTCP or SRTCP packet (RFC 5761 §4).
bool IsRtcp(ByteSpan bytes, uint32_t size);

// RtpStream is what one SSRC sent under one payload type.
class RtpStream {
 public:
  // The first packet came at `time`, counted from any start.
  RtpStream(const RtpHeader& header, Duration time);

  void Add(const RtpHeader& header, Duration time);

  uint32_t ssrc() const { return ssrc_; }
  uint8_t payload_type() const { return payload_type_; }
  uint64_t packets() const { return packets_; }

  // successions counts the packets whose number follows closely on the one before (RFC 3550 A.1):
  // what chance does not bring about.
  uint64_t successions() const { return successions_; }

  // repeats counts the packets that came twice in a row, as captures on `any` interface have them.
  uint64_t repeats() const { return repeats_; }

  // clock_rate is that of the timestamps, measured: 8000, 16000, 48000 or 90000; nullopt when it
  // is none of those, or the stream is too short to say.
  std::optional<uint32_t> clock_rate() const;

  // codec is a guess by payload type (RFC 3551 §6) and clock: `PCMU`, `Opus?`, `video?`.
  std::string codec() const;

 private:
  uint32_t ssrc_;
  uint8_t payload_type_;
  uint16_t sequence_;   // of the newest
  uint32_t timestamp_;  // of the newest
  Duration newest_;
  int64_t ticks_ = 0;  // by which timestamps advanced, over successions
  Duration span_{};    // and the time that took
  uint64_t packets_ = 1;
  uint64_t successions_ = 0;
  uint64_t repeats_ = 0;
};

// RtpStreams are those of one direction of a flow: the first kMost, the others are only counted.
class RtpStreams {
 public:
  static constexpr size_t kMost = 16;

  void Add(const RtpHeader& header, Duration time);

  const std::vector<RtpStream>& streams() const { return streams_; }
  uint64_t packets_of_others() const { return others_; }

 private:
  std::vector<RtpStream> streams_;
  uint64_t others_ = 0;
};

}  // namespace turnpike::replay
