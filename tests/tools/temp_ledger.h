// A ledger for the tests of `turnpike usage`.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "common/metering/ledger.h"
#include "common/metering/slots.h"
#include "tests/tools/command.h"

namespace turnpike {

inline constexpr WallTime kNoon{std::chrono::seconds(1795176000)};  // 2026-11-20T12:00:00Z

// TempLedger is a metering directory with one session of 140 billable bytes.
class TempLedger {
 public:
  TempLedger() : directory_("") {
    std::filesystem::remove(directory_.path());
    std::filesystem::create_directory(directory_.path());
    const LedgerIdentity identity{"relay-1", "us1", "ashburn", {}};
    const auto slots = SlotFile::Open(path() + "/live.slots", 16, identity);
    const auto ledger = Ledger::Open(path(), identity);
    REQUIRE((slots && ledger));
    SessionInfo info;
    info.id = MakeSessionId(kNoon, {});
    info.account = "acme";
    info.started_at = kNoon;
    auto meter = (*slots)->Acquire(info);
    REQUIRE(meter);
    meter->Add(Direction::kClientToPeer, 100, 104, BucketOf(kNoon));
    meter->Add(Direction::kPeerToClient, 40, 44, BucketOf(kNoon));
    (*slots)->Close(meter->slot(), CloseReason::kExpired, kNoon);
    REQUIRE((*ledger)->Finish(**slots, kNoon));
  }
  ~TempLedger() {
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      std::filesystem::remove(entry.path());
    }
  }

  const std::string& path() const { return directory_.path(); }

 private:
  TempFile directory_;  // removes the directory once it is empty
};

}  // namespace turnpike
