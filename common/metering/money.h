// Money as exact integers: decimal text in and out, 128 bits in between, never a double.
//
// A price has 9 decimals of a currency's unit, an amount has 18: a count of bytes times a price per
// GB (10^9 bytes) is then an amount without a remainder. Amounts are rounded where a person is told
// to pay them, once, half to even, to the decimals that ISO 4217 gives the currency.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/strong.h"

namespace turnpike {

__extension__ using Int128 = __int128;

inline constexpr int kPriceDecimals = 9;
inline constexpr int kAmountDecimals = 18;

// Price is in 10^-9 of the currency's unit, for one pricing unit.
using Price = Strong<int64_t, struct PriceTag>;

// Amount is in 10^-18 of the currency's unit; it reaches to about 170 trillion millions of it.
using Amount = Strong<Int128, struct AmountTag>;

// CheckedAdd and CheckedMultiply return nullopt on overflow.
std::optional<Int128> CheckedAdd(Int128 a, Int128 b);
std::optional<Int128> CheckedMultiply(Int128 a, Int128 b);
std::optional<Amount> CheckedAdd(Amount a, Amount b);

// ParseDecimal reads `12`, `0.0004` or `-3.50` as a multiple of 10^-decimals. It fails with a
// predicate that says what would be right: other characters, more decimals than there are places
// for (zeros at the end do not count), or a number beyond 128 bits.
std::expected<Int128, std::string> ParseDecimal(std::string_view text, int decimals);

// FormatDecimal is its inverse: exact, at least `min_decimals` of the `decimals` places, and no
// further zeros at the end.
std::string FormatDecimal(Int128 value, int decimals, int min_decimals = 0);
std::string FormatPrice(Price price);
std::string FormatAmount(Amount amount, int min_decimals = 0);

// RoundHalfEven rounds to `decimals` places (0 to 18); a half goes to the even neighbour. Every
// amount below 10^20 units has a rounded one.
Amount RoundHalfEven(Amount amount, int decimals);

// CurrencyDecimals returns the minor unit of an ISO 4217 code that is in use (JPY 0, EUR 2, KWD 3),
// or nullopt for anything else; `code` is in capitals. Funds and precious metals are not currencies
// here.
std::optional<int> CurrencyDecimals(std::string_view code);

}  // namespace turnpike
