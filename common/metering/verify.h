// Verification: does a ledger agree with itself, and with what was closed?
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace turnpike {

// VerifyOptions say what to verify.
struct VerifyOptions {
  std::string ledger;  // a metering directory, or a ledger file
  // A hash that closing printed once, as hexadecimal digits: the chain must still hold it.
  std::optional<std::string> head;
  // Called now and then with what is being read, and how much of it, in percent.
  std::function<void(std::string_view step, uint64_t percent)> progress;
};

// VerifyCheck is one comparison. `text` says what was compared, or the first row that differs.
struct VerifyCheck {
  std::string_view name;
  bool ok = true;
  std::string text;
};

// VerifyReport holds every check that was made.
struct VerifyReport {
  WallTime as_of{};
  std::vector<VerifyCheck> checks;
  bool ok() const;
};

// VerifyLedger reads the whole ledger in one transaction, beside a running server, and its billing
// file. It fails with a sentence when one of them cannot be read at all.
std::expected<VerifyReport, std::string> VerifyLedger(const VerifyOptions& options);

}  // namespace turnpike
