// Fuzzes the stream framer: however a stream is cut into segments, the same messages come out.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/base/check.h"
#include "common/stun/stream_framer.h"

namespace turnpike::stun {
namespace {

using Bytes = std::vector<uint8_t>;

// Cut is what a framer made of a stream: its messages, and whether it gave up.
struct Cut {
  std::vector<Bytes> messages;
  bool failed = false;

  friend bool operator==(const Cut&, const Cut&) = default;
};

// Drain takes every whole frame off the front of `stream`.
void Drain(Bytes& stream, Cut& cut) {
  size_t offset = 0;
  while (!cut.failed) {
    const ByteSpan rest = ByteSpan(stream).subspan(offset);
    const auto frame = NextFrame(rest);
    if (!frame) {
      cut.failed = true;
    } else if (!*frame) {
      TP_CHECK(rest.size() < kMaxFrameSize);  // else a full buffer could wait for ever
      break;
    } else {
      TP_CHECK((*frame)->consumed > 0 && (*frame)->consumed <= rest.size());
      TP_CHECK((*frame)->message.size() <= (*frame)->consumed);
      TP_CHECK((*frame)->consumed - (*frame)->message.size() < 4);
      TP_CHECK((*frame)->message.data() == rest.data());
      cut.messages.emplace_back((*frame)->message.begin(), (*frame)->message.end());
      offset += (*frame)->consumed;
    }
  }
  stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(offset));
}

// Feed hands the stream over in segments of `segment` bytes.
Cut Feed(ByteSpan stream, size_t segment) {
  Cut cut;
  Bytes buffer;
  while (!stream.empty() && !cut.failed) {
    const ByteSpan next = stream.first(std::min(segment, stream.size()));
    buffer.insert(buffer.end(), next.begin(), next.end());
    stream = stream.subspan(next.size());
    Drain(buffer, cut);
  }
  return cut;
}

}  // namespace
}  // namespace turnpike::stun

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace turnpike::stun;
  if (size == 0) return 0;
  const turnpike::ByteSpan stream(data + 1, size - 1);
  const Cut whole = Feed(stream, size);
  TP_CHECK(Feed(stream, size_t{data[0]} + 1) == whole);
  if (size <= 256) TP_CHECK(Feed(stream, 1) == whole);
  return 0;
}
