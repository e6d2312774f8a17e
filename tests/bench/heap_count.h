// Counts what the benchmarks allocate: linking heap_count.cc replaces operator new.
#pragma once

#include <cstdint>

namespace turnpike::bench {

// HeapCount is a reading: calls of operator new so far, and bytes that are allocated now, as the
// allocator rounds them, its own bookkeeping apart.
struct HeapCount {
  int64_t calls = 0;
  int64_t bytes = 0;
};

HeapCount ReadHeap();

}  // namespace turnpike::bench
