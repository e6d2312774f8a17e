// Fuzzes the reading of captures: whatever a file holds, the second reading finds what the first
// one counted, in order.
#include <cstdint>
#include <cstdio>
#include <sstream>

#include "common/base/check.h"
#include "tools/replay/flow_list.h"
#include "tools/replay/scan.h"

namespace turnpike::replay {
namespace {

std::expected<Capture, CaptureError> OpenInput(const uint8_t* data, size_t size) {
  // It is opened for reading alone.
  std::FILE* const file = fmemopen(const_cast<uint8_t*>(data), size, "rb");
  TP_CHECK(file != nullptr);
  return Capture::FromFile(file, "input");
}

// CheckPattern says that a schedule can run it.
void CheckPattern(const load::Pattern& pattern, const Volume& volume) {
  TP_CHECK(pattern.slots.size() == volume.packets);
  TP_CHECK(pattern.bytes() == volume.bytes);
  Duration before{};
  for (const load::PatternSlot& slot : pattern.slots) {
    TP_CHECK(slot.offset() >= before && slot.offset() < pattern.period);
    before = slot.offset();
  }
}

void CheckTraffic(const Scan& scan, const std::vector<load::SessionTraffic>& traffic) {
  TP_CHECK(traffic.size() == scan.taken_flows());
  size_t index = 0;
  for (const Flow& flow : scan.flows) {
    if (!flow.taken) continue;
    for (size_t i = 0; i < flow.sides.size(); ++i) {
      CheckPattern(traffic[index][i], flow.sides[i].volume);
    }
    ++index;
  }
}

void Fuzz(const uint8_t* data, size_t size) {
  ScanOptions options;
  options.allow_truncated = true;
  options.all_udp = true;
  auto first = OpenInput(data, size);
  if (!first) return;
  const auto scan = ScanCapture(*first, "input", options);
  if (!scan) return;
  std::ostringstream ignored;
  WriteFlowTable(*scan, "input", ignored);
  WriteFlowJson(*scan, "input", ignored);
  auto second = OpenInput(data, size);
  TP_CHECK(second.has_value());
  const auto traffic = CollectTraffic(*second, "input", *scan, options, 1);
  const Duration lasts = scan->taken_last() - scan->taken_first();
  TP_CHECK(traffic.has_value() == (lasts <= load::PatternSlot::kLastOffset));
  if (traffic) CheckTraffic(*scan, *traffic);
}

}  // namespace
}  // namespace turnpike::replay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) turnpike::replay::Fuzz(data, size);
  return 0;
}
