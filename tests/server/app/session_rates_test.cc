#include "server/session_rates.h"

#include <doctest/doctest.h>

namespace turnpike {

TEST_CASE("two readings make a rate; one that is too near or too old makes none") {
  using std::chrono::milliseconds;
  const auto read = [](SessionRates& rates, milliseconds at, uint64_t bytes) {
    std::vector<LiveSession> sessions(1);
    sessions[0].totals.payload_bytes = {bytes, 2 * bytes};
    rates.Fill(sessions, MonoTime(at));
    return sessions[0].bytes_per_second;
  };
  using Rates = std::array<uint64_t, 2>;
  SessionRates rates;
  CHECK_FALSE(rates.IsFresh(MonoTime(milliseconds(0))));
  CHECK(read(rates, milliseconds(0), 100) == std::nullopt);
  CHECK(read(rates, milliseconds(100), 200) == std::nullopt);
  CHECK(rates.IsFresh(MonoTime(milliseconds(2000))));
  CHECK(read(rates, milliseconds(2000), 1100) == Rates{500, 1000});
  // Another who looks at once gets the same moments.
  CHECK(read(rates, milliseconds(2100), 1200) == Rates{523, 1047});
  CHECK(read(rates, milliseconds(60'000), 9000) == std::nullopt);
}

}  // namespace turnpike
