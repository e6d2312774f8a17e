#include "tools/replay/rtp.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace turnpike::replay {
namespace {

// RFC 7983: of what may share a port, RTP and RTCP begin with 128 to 191 (version 2).
bool IsVersion2(uint8_t first) { return first >= 128 && first <= 191; }

// RFC 5761 §4: where RTCP may share the port, its types read as RTP's 64 to 95.
bool IsRtcpType(uint8_t second) { return second >= 192 && second <= 223; }

// StaticName is RFC 3551 §6, tables 4 and 5.
const char* StaticName(uint8_t payload_type) {
  switch (payload_type) {
    case 0:
      return "PCMU";
    case 3:
      return "GSM";
    case 4:
      return "G723";
    case 8:
      return "PCMA";
    case 9:
      return "G722";
    case 13:
      return "CN";
    case 18:
      return "G729";
    case 26:
      return "JPEG";
    case 31:
      return "H261";
    case 32:
      return "MPV";
    case 33:
      return "MP2T";
    case 34:
      return "H263";
    default:
      return nullptr;
  }
}

}  // namespace

std::optional<RtpHeader> ReadRtp(ByteSpan bytes, uint32_t size) {
  constexpr size_t kHeader = 12;
  if (bytes.size() < kHeader || size < kHeader || !IsVersion2(bytes[0])) return std::nullopt;
  if (IsRtcpType(bytes[1])) return std::nullopt;
  const size_t contributors = bytes[0] & 0x0F;
  if (kHeader + 4 * contributors > size) return std::nullopt;
  return RtpHeader{static_cast<uint8_t>(bytes[1] & 0x7F), LoadU16(bytes, 2), LoadU32(bytes, 4),
                   LoadU32(bytes, 8)};
}

bool IsRtcp(ByteSpan bytes, uint32_t size) {
  constexpr size_t kHeader = 8;
  return bytes.size() >= kHeader && IsVersion2(bytes[0]) && IsRtcpType(bytes[1]) &&
         size_t{4} * (LoadU16(bytes, 2) + 1) <= size;
}

RtpStream::RtpStream(const RtpHeader& header, Duration time)
    : ssrc_(header.ssrc),
      payload_type_(header.payload_type),
      sequence_(header.sequence),
      timestamp_(header.timestamp),
      newest_(time) {}

void RtpStream::Add(const RtpHeader& header, Duration time) {
  constexpr uint16_t kMostDropped = 3000;  // MAX_DROPOUT of RFC 3550 A.1
  ++packets_;
  const auto ahead = static_cast<uint16_t>(header.sequence - sequence_);
  if (ahead == 0) {
    ++repeats_;
    return;
  }
  // After a jump the stream is followed from there on.
  if (ahead < kMostDropped) {
    ++successions_;
    ticks_ += static_cast<int32_t>(header.timestamp - timestamp_);
    span_ += time - newest_;
  }
  sequence_ = header.sequence;
  timestamp_ = header.timestamp;
  newest_ = time;
}

std::optional<uint32_t> RtpStream::clock_rate() const {
  constexpr double kLeastSeconds = 0.2;
  constexpr double kTolerance = 0.1;
  const double seconds = std::chrono::duration<double>(span_).count();
  if (seconds < kLeastSeconds) return std::nullopt;
  const double rate = static_cast<double>(ticks_) / seconds;
  for (const uint32_t known : {8000u, 16000u, 48000u, 90000u}) {
    if (std::abs(rate - known) <= kTolerance * known) return known;
  }
  return std::nullopt;
}

std::string RtpStream::codec() const {
  if (const char* const name = StaticName(payload_type_)) return name;
  constexpr uint8_t kFirstDynamic = 96;
  constexpr uint32_t kVideo = 90'000;
  constexpr uint32_t kOpus = 48'000;  // RFC 7587 §4.1: always
  const auto rate = clock_rate();
  if (rate == kOpus) return "Opus?";
  if (rate == kVideo) return "video?";
  if (rate) return "audio?";
  return payload_type_ >= kFirstDynamic ? "dynamic" : "unassigned";
}

void RtpStreams::Add(const RtpHeader& header, Duration time) {
  for (RtpStream& stream : streams_) {
    if (stream.ssrc() == header.ssrc && stream.payload_type() == header.payload_type) {
      return stream.Add(header, time);
    }
  }
  if (streams_.size() < kMost) {
    streams_.emplace_back(header, time);
  } else {
    ++others_;
  }
}

}  // namespace turnpike::replay
