// Reads files of rates, such as `config/rates.yaml`, which explains every key.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/metering/rate_card.h"
#include "config/config.h"

namespace turnpike::config {

// RatedTime is what a table of rates must have a card for: [from, to).
struct RatedTime {
  WallTime from{};
  WallTime to{};
};

// ParseRates reads `text`; `file` is its name in messages. The table passes CheckRates, and
// CheckCoverage for `time` if there is one; otherwise all problems come back, in the order of
// lines. `${…}` means nothing here: a file of rates says the same for everyone who reads it.
std::expected<RateTable, std::vector<Problem>> ParseRates(
    std::string_view text, const std::string& file, const std::optional<RatedTime>& time = {});

// LoadRates reads the file at `path`.
std::expected<RateTable, std::vector<Problem>> LoadRates(const std::string& path,
                                                         const std::optional<RatedTime>& time = {});

}  // namespace turnpike::config
