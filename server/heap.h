// Memory that a crowd used and left behind.
#pragma once

#include <cstdint>

namespace turnpike {

// ReturnLargeBuffers makes memory that is wanted for a moment, as by a checkpoint of thousands of
// sessions, go back to the system afterwards. Call it before any thread starts.
void ReturnLargeBuffers();

// HeapUse is what the allocator has from the kernel, and what the program has from the allocator.
struct HeapUse {
  uint64_t resident = 0;  // bytes of anonymous memory
  uint64_t used = 0;      // bytes
};

// Heap gives memory back. When ten thousand connections end at once, glibc keeps their pages for
// the next ones: a container's limit would count them, and an operator take them for a leak.
class Heap {
 public:
  // GiveBack returns free pages to the kernel if there are many more of them than were left the
  // last time. It takes milliseconds, in which threads that allocate may wait. Call it every few
  // seconds, from one thread. Where /proc cannot be read, and in a build with a sanitizer, it does
  // nothing.
  void GiveBack();

  // IsWorthwhile decides that. Fragments of pages cannot be given back: what was left is no reason.
  bool IsWorthwhile(const HeapUse& use);

  // NoteLeft says what there is after the pages were returned.
  void NoteLeft(const HeapUse& use);

 private:
  uint64_t left_ = 0;  // bytes
};

}  // namespace turnpike
