#include "common/metering/money.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

constexpr Int128 kMax = ~(Int128{1} << 127);

std::string Round(std::string_view amount, int decimals) {
  return FormatAmount(RoundHalfEven(Amount(*ParseDecimal(amount, kAmountDecimals)), decimals));
}

TEST_CASE("decimals are read exactly, or refused with what is wrong") {
  CHECK(*ParseDecimal("0.0004", 9) == 400'000);
  CHECK(*ParseDecimal("-3.50", 2) == -350);
  CHECK(*ParseDecimal("12", 0) == 12);
  CHECK(*ParseDecimal("007.10000", 1) == 71);
  CHECK(*ParseDecimal("-0.0", 3) == 0);
  for (const char* bad : {"", "-", ".", ".5", "5.", "1e3", "+1", "1,5", "0x1", " 1", "1 ", "--1",
                          "1.2.3", "nan", "1_000"}) {
    CAPTURE(bad);
    REQUIRE(!ParseDecimal(bad, 9));
    CHECK(ParseDecimal(bad, 9).error() == "is not a decimal number; write it like 12 or 0.0004");
  }
  CHECK(ParseDecimal("0.0000000001", 9).error() == "has more than 9 decimals");
  CHECK(*ParseDecimal("170141183460469231731687303715884105727", 0) == kMax);
  CHECK(ParseDecimal("170141183460469231731687303715884105728", 0).error() == "is too large");
  CHECK(ParseDecimal("170141183460469231732", 18).error() == "is too large");
}

TEST_CASE("decimals are written exactly and read back") {
  CHECK(FormatDecimal(0, 9) == "0");
  CHECK(FormatDecimal(0, 9, 2) == "0.00");
  CHECK(FormatDecimal(400'000, 9) == "0.0004");
  CHECK(FormatDecimal(-5, 1) == "-0.5");
  CHECK(FormatDecimal(1'200, 2) == "12");
  CHECK(FormatDecimal(1'200, 2, 2) == "12.00");
  CHECK(FormatDecimal(-1'234, 3, 2) == "-1.234");
  CHECK(FormatDecimal(kMax, 18) == "170141183460469231731.687303715884105727");
  CHECK(FormatDecimal(-kMax - 1, 0) == "-170141183460469231731687303715884105728");
}

TEST_CASE("rounding goes to the nearest, and a half to the even neighbour") {
  CHECK(Round("0.005", 2) == "0");
  CHECK(Round("0.015", 2) == "0.02");
  CHECK(Round("0.025", 2) == "0.02");
  CHECK(Round("0.025000000000000001", 2) == "0.03");
  CHECK(Round("0.024999999999999999", 2) == "0.02");
  CHECK(Round("-0.005", 2) == "0");
  CHECK(Round("-0.015", 2) == "-0.02");
  CHECK(Round("-0.025000000000000001", 2) == "-0.03");
  CHECK(Round("2.5", 0) == "2");
  CHECK(Round("3.5", 0) == "4");
  CHECK(Round("1.2345", 3) == "1.234");
  CHECK(Round("0.123456789012345678", 18) == "0.123456789012345678");
  CHECK(Round("99999999999999999999.5", 0) == "100000000000000000000");
}

TEST_CASE("sums and products beyond 128 bits are noticed") {
  CHECK(*CheckedAdd(kMax - 1, 1) == kMax);
  CHECK(!CheckedAdd(kMax, Int128{1}));
  CHECK(!CheckedAdd(Amount(kMax), Amount(1)));
  CHECK(!CheckedMultiply(kMax / 2 + 1, 2));
  CHECK(*CheckedMultiply(-(kMax / 2), 2) == -kMax + 1);
}

TEST_CASE("ISO 4217: minor units") {
  CHECK(CurrencyDecimals("EUR") == 2);
  CHECK(CurrencyDecimals("USD") == 2);
  CHECK(CurrencyDecimals("ZWG") == 2);
  CHECK(CurrencyDecimals("JPY") == 0);
  CHECK(CurrencyDecimals("XPF") == 0);
  CHECK(CurrencyDecimals("KWD") == 3);
  CHECK(CurrencyDecimals("TND") == 3);
  for (const char* bad : {"", "eur", "EU", "EURO", "XTS", "XAU", "D A", "DEM", "AFN "}) {
    CAPTURE(bad);
    CHECK(!CurrencyDecimals(bad));
  }
}

}  // namespace
}  // namespace turnpike
