// A ledger with usage over months, and the commands that close them.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "common/metering/billing.h"
#include "common/metering/verify.h"
#include "tests/common/metering/metering_world.h"
#include "tests/common/metering/rate_tables.h"

namespace turnpike::metering_test {

// BillingWorld is a world at work, and an actor who closes its months with a grace of three days.
struct BillingWorld {
  TempDirectory directory;
  World world{directory.path()};
  BillingRequest request;

  BillingWorld() {
    request.ledger = directory.path();
    request.actor = "finance";
    request.reason = "late data";
    request.grace = std::chrono::hours(72);
    world.Start();
  }

  // Use relays `bytes` for `account` at `when`, in a session of its own.
  void Use(const std::string& account, uint64_t bytes, const std::string& when) {
    world.now = At(when);
    const SlotId slot = world.Begin(account);
    world.Relay(slot, Direction::kClientToPeer, bytes);
    world.End(slot);
  }

  // Now checkpoints at `when`: the ledger is complete up to then.
  void Now(const std::string& when) {
    request.now = world.now = At(when);
    world.Checkpoint();
  }

  std::expected<CloseResult, std::string> Close(const std::string& month) const {
    return ClosePeriod(request, *ParseBillingPeriod(month));
  }

  // Entries renders the rows of billing.db, without times and hashes.
  std::string Entries() const {
    std::string text;
    const auto file = BillingFile::OpenForReading(directory.path());
    REQUIRE(file);
    if (*file == nullptr) return text;
    (*file)->Walk([&](const BillingEntry& entry) {
      text += std::to_string(entry.number) + " " + std::string(EntryKindName(entry.kind)) + " " +
              entry.period + " " + entry.account + " " +
              std::to_string(entry.counts[0] + entry.counts[1]) + " " + entry.original_period +
              " " + std::to_string(entry.original) + "\n";
      return true;
    });
    return text;
  }

  // Verify returns the first wrong check as `name: text`; empty when all is well.
  static std::string VerifyFile(const std::string& ledger, std::optional<std::string> head = {}) {
    VerifyOptions options;
    options.ledger = ledger;
    options.head = std::move(head);
    const auto report = VerifyLedger(options);
    if (!report) return report.error();
    for (const VerifyCheck& check : report->checks) {
      if (!check.ok) return std::string(check.name) + ": " + check.text;
    }
    return "";
  }
  std::string Verify(std::optional<std::string> head = {}) const {
    return VerifyFile(directory.path(), std::move(head));
  }
};

}  // namespace turnpike::metering_test
