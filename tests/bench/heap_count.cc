#include "tests/bench/heap_count.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

// The benchmarks have one thread.
turnpike::bench::HeapCount count;

void* Allocate(size_t size, size_t alignment) {
  void* const memory =
      alignment == 0
          ? std::malloc(size)
          : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) std::abort();
  ++count.calls;
  count.bytes += static_cast<int64_t>(malloc_usable_size(memory));
  return memory;
}

void Release(void* memory) {
  count.bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

// The array forms and the sized forms of the standard library come to these.
void* operator new(size_t size) { return Allocate(size, 0); }
void* operator new(size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { Release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Release(memory); }
void operator delete(void* memory, size_t) noexcept { Release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Release(memory); }

turnpike::bench::HeapCount turnpike::bench::ReadHeap() { return count; }
