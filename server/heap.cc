#include "server/heap.h"

#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "common/base/log.h"
#include "server/sanitized.h"

namespace turnpike {
namespace {

// Less is not worth the walk over all free blocks.
constexpr uint64_t kWorthwhile = 8 << 20;

std::optional<HeapUse> Read() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "RssAnon:") continue;
    uint64_t kib = 0;
    if (!(status >> kib)) break;
    const struct mallinfo2 info = mallinfo2();
    return HeapUse{kib << 10, info.uordblks + info.hblkhd};
  }
  return std::nullopt;
}

// FreeBytes counts memory that was asked for and never touched as touched: too few, never too many.
uint64_t FreeBytes(const HeapUse& use) { return use.resident - std::min(use.resident, use.used); }

}  // namespace

void ReturnLargeBuffers() {
  // Setting it stops glibc from raising it with the largest buffer that was ever freed.
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

bool Heap::IsWorthwhile(const HeapUse& use) {
  left_ = std::min(left_, FreeBytes(use));
  return FreeBytes(use) >= left_ + kWorthwhile;
}

void Heap::NoteLeft(const HeapUse& use) { left_ = FreeBytes(use); }

void Heap::GiveBack() {
  if (kSanitized) return;
  const auto before = Read();
  if (!before || !IsWorthwhile(*before)) return;
  malloc_trim(0);
  const auto after = Read();
  if (!after) return;
  NoteLeft(*after);
  Log(LogLevel::kDebug, "memory_given_back",
      {{"bytes", before->resident - std::min(before->resident, after->resident)},
       {"resident_bytes", after->resident}});
}

}  // namespace turnpike
