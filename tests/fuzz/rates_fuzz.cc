// Any text is a table of rates or a list of problems, never a crash. Seed it with
// config/rates.yaml.
#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/metering/rate_card.h"
#include "config/rates.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace turnpike;
  const auto table = config::ParseRates(AsText({data, size}), "rates.yaml");
  if (table) return 0;
  TP_CHECK(!table.error().empty());
  for (const config::Problem& problem : table.error()) {
    TP_CHECK(problem.line >= 0 && !problem.what.empty());
  }
  return 0;
}
