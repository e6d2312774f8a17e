#include "server/heap.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST_CASE("memory is given back when a crowd has left") {
  Heap heap;
  CHECK(!heap.IsWorthwhile({.resident = 20 * kMiB, .used = 13 * kMiB}));
  CHECK(!heap.IsWorthwhile({.resident = 200 * kMiB, .used = 195 * kMiB}));
  CHECK(heap.IsWorthwhile({.resident = 200 * kMiB, .used = 11 * kMiB}));
}

TEST_CASE("what cannot be given back is not tried again and again") {
  Heap heap;
  REQUIRE(heap.IsWorthwhile({.resident = 200 * kMiB, .used = 100 * kMiB}));
  heap.NoteLeft({.resident = 150 * kMiB, .used = 100 * kMiB});
  CHECK(!heap.IsWorthwhile({.resident = 157 * kMiB, .used = 100 * kMiB}));
  CHECK(heap.IsWorthwhile({.resident = 158 * kMiB, .used = 100 * kMiB}));
  // New sessions fill the gaps; when they leave, there is something to be had again.
  CHECK(!heap.IsWorthwhile({.resident = 150 * kMiB, .used = 150 * kMiB}));
  CHECK(heap.IsWorthwhile({.resident = 150 * kMiB, .used = 130 * kMiB}));
}

TEST_CASE("memory that was asked for and not touched is no free memory") {
  Heap heap;
  CHECK(!heap.IsWorthwhile({.resident = 10 * kMiB, .used = 100 * kMiB}));
}

}  // namespace
}  // namespace turnpike
