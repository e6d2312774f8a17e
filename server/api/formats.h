// How the API writes times and JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/base/time.h"

namespace turnpike {

// FormatRfc2822 renders `Fri, 27 Nov 2026 21:37:00 +0000`.
std::string FormatRfc2822(WallTime time);

// DumpJson renders `value` in one line; bytes that are no UTF-8 become U+FFFD.
std::string DumpJson(const nlohmann::ordered_json& value);

}  // namespace turnpike
