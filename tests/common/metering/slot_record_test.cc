#include "common/metering/slot_record.h"

#include <doctest/doctest.h>

#include "tests/common/metering/metering_world.h"

namespace turnpike {
namespace {

using metering_test::kNoon;
using metering_test::MakeInfo;

TEST_CASE("names on either side of the record's end come back whole") {
  for (const size_t size :
       {size_t{0}, kRecordNameBytes - 5, kRecordNameBytes - 4, kMaxUsernameBytes}) {
    CAPTURE(size);
    SessionInfo info = MakeInfo(7, "acme", kNoon);
    info.label.clear();
    info.username = std::string(size, 'u');
    SlotRecord record;
    NameTail tail;
    tail.fill('t');
    WriteRecord(record, tail, info, 3, 1);
    CHECK(IsSound(record, tail));
    const SessionInfo read = ReadRecord(record, tail);
    CHECK(read.account == "acme");
    CHECK(read.label.empty());
    CHECK(read.username == info.username);
    CHECK(read.client == info.client);
    CHECK(read.relayed == info.relayed);
    // Only a session whose names are long depends on the tail, and touches it.
    const bool is_long = 4 + size > kRecordNameBytes;
    CHECK((tail[0] == 't') == !is_long);
    tail[0] = 'x';
    CHECK(IsSound(record, tail) == !is_long);
  }
}

TEST_CASE("sizes that nobody wrote are not sound, and read no further than the names reach") {
  SlotRecord record;
  NameTail tail{};
  WriteRecord(record, tail, MakeInfo(7, "acme", kNoon), 3, 1);
  record.username_size = 65535;
  CHECK_FALSE(IsSound(record, tail));
}

}  // namespace
}  // namespace turnpike
