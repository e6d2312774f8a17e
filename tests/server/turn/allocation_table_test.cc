#include "server/turn/allocation_table.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/support/core_world.h"

namespace turnpike {
namespace {

FiveTuple TupleOf(uint32_t n) {
  FiveTuple tuple;
  const std::array<uint8_t, 4> ip = {7, 7, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
  tuple.client = {IpAddress::V4(ip), 1000};
  tuple.server = Address("5.5.5.1:3478");
  return tuple;
}

void Remove(AllocationTable& table, Allocation& allocation) {
  table.Unindex(allocation, allocation.five_tuple);
  table.Free(allocation);
}

}  // namespace

TEST_CASE("AllocationTable finds by 5-tuple exactly what was inserted and not removed") {
  AllocationTable table({.k0 = 1, .k1 = 2});
  SeededRandom random(3);
  std::map<uint32_t, uint32_t> model;  // tuple number -> record index
  for (int step = 0; step < 20000; ++step) {
    const uint32_t n = random.Below(500);
    Allocation* found = table.Find(TupleOf(n));
    REQUIRE((found != nullptr) == model.contains(n));
    if (found == nullptr) {
      Allocation& made = table.Insert(TupleOf(n));
      model[n] = made.index;
    } else {
      REQUIRE(found->index == model[n]);
      Remove(table, *found);
      model.erase(n);
    }
    REQUIRE(table.indexed_count() == model.size());
  }
  for (const auto& [n, index] : model) CHECK(table.Find(TupleOf(n))->index == index);
}

TEST_CASE("AllocationTable tells transports and server addresses apart") {
  AllocationTable table({.k0 = 1, .k1 = 2});
  FiveTuple udp = TupleOf(1);
  FiveTuple tcp = udp;
  tcp.transport = Transport::kTcp;
  FiveTuple other_server = udp;
  other_server.server.port = 3479;
  Allocation& a = table.Insert(udp);
  CHECK(table.Find(tcp) == nullptr);
  CHECK(table.Find(other_server) == nullptr);
  Allocation& b = table.Insert(tcp);
  CHECK(table.Find(udp) == &a);
  CHECK(table.Find(tcp) == &b);
}

TEST_CASE("AllocationTable never gives a RelayId a second meaning") {
  AllocationTable table({.k0 = 1, .k1 = 2});
  Allocation& first = table.Insert(TupleOf(1));
  const RelayId v4 = first.relay_id(AddressFamily::kIpv4);
  const RelayId v6 = first.relay_id(AddressFamily::kIpv6);
  CHECK(v4 != v6);
  CHECK(table.Get(v4) == &first);
  CHECK(table.Get(v6) == &first);
  CHECK(AllocationTable::FamilyOf(v4) == AddressFamily::kIpv4);
  CHECK(AllocationTable::FamilyOf(v6) == AddressFamily::kIpv6);
  Remove(table, first);
  CHECK(table.Get(v4) == nullptr);
  Allocation& second = table.Insert(TupleOf(2));
  CHECK(second.index == first.index);  // the memory is used again, the name is not
  CHECK(table.Get(v4) == nullptr);
  CHECK(table.Get(second.relay_id(AddressFamily::kIpv4)) == &second);
  CHECK(table.Get(RelayId(UINT64_MAX)) == nullptr);
  CHECK(table.Get(RelayId(0)) == nullptr);
}

TEST_CASE("AllocationTable does not grow when allocations come and go") {
  AllocationTable table({.k0 = 1, .k1 = 2});
  for (uint32_t n = 0; n < 100000; ++n) {
    Allocation& made = table.Insert(TupleOf(n % 60000));
    REQUIRE(made.index == 0);
    Remove(table, made);
  }
  CHECK(table.record_count() == 0);
  CHECK(table.IsConsistent());
}

TEST_CASE("AllocationTable notices an index that does not agree") {
  AllocationTable table({.k0 = 1, .k1 = 2});
  Allocation& made = table.Insert(TupleOf(1));
  made.awaits_open = true;
  made.opening = std::make_unique<Opening>();
  CHECK(table.IsConsistent());
  made.five_tuple.client.port = 1;
  CHECK(!table.IsConsistent());
}

TEST_CASE("Allocation records stay small: an idle one must fit the memory goal") {
  CHECK(sizeof(Allocation) <= 648);
}

}  // namespace turnpike
