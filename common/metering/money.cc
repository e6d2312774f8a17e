#include "common/metering/money.h"

#include <algorithm>
#include <array>
#include <limits>

#include "common/base/check.h"

namespace turnpike {
namespace {

// The codes of ISO 4217 in use, by minor unit.
constexpr std::string_view kNoDecimals =
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
constexpr std::string_view kThreeDecimals = "BHD IQD JOD KWD LYD OMR TND";
constexpr std::string_view kTwoDecimals =
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
    "GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL "
    "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR "
    "PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT "
    "TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

bool Lists(std::string_view codes, std::string_view code) {
  for (size_t at = 0; at < codes.size(); at += 4) {
    if (codes.substr(at, 3) == code) return true;
  }
  return false;
}

Int128 PowerOfTen(int exponent) {
  Int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<Int128> CheckedAdd(Int128 a, Int128 b) {
  Int128 sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

std::optional<Int128> CheckedMultiply(Int128 a, Int128 b) {
  Int128 product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

std::optional<Amount> CheckedAdd(Amount a, Amount b) {
  const auto sum = CheckedAdd(a.value(), b.value());
  return sum ? std::optional(Amount(*sum)) : std::nullopt;
}

std::expected<Int128, std::string> ParseDecimal(std::string_view text, int decimals) {
  const auto bad = std::unexpected("is not a decimal number; write it like 12 or 0.0004");
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string_view fraction;
  if (point != std::string_view::npos) {
    fraction = text.substr(point + 1);
    if (fraction.empty()) return bad;
  }
  if (whole.empty() || !std::ranges::all_of(whole, IsDigit) ||
      !std::ranges::all_of(fraction, IsDigit)) {
    return bad;
  }
  while (fraction.ends_with('0')) fraction.remove_suffix(1);
  const auto places = static_cast<size_t>(decimals);
  if (fraction.size() > places) {
    return std::unexpected("has more than " + std::to_string(decimals) + " decimals");
  }
  std::string digits = std::string(whole) + std::string(fraction);
  digits.append(places - fraction.size(), '0');
  Int128 value = 0;
  for (const char digit : digits) {
    const auto shifted = CheckedMultiply(value, 10);
    const auto next = shifted ? CheckedAdd(*shifted, digit - '0') : std::nullopt;
    if (!next) return std::unexpected("is too large");
    value = *next;
  }
  return negative ? -value : value;
}

std::string FormatDecimal(Int128 value, int decimals, int min_decimals) {
  const bool negative = value < 0;
  std::string digits;  // last first
  for (Int128 rest = value; rest != 0; rest /= 10) {
    const auto digit = static_cast<int>(rest % 10);
    digits += static_cast<char>('0' + (negative ? -digit : digit));
  }
  const auto places = static_cast<size_t>(decimals);
  if (digits.size() <= places) digits.append(places + 1 - digits.size(), '0');
  std::ranges::reverse(digits);
  const std::string whole = digits.substr(0, digits.size() - places);
  std::string fraction = digits.substr(digits.size() - places);
  while (fraction.ends_with('0') && fraction.size() > static_cast<size_t>(min_decimals)) {
    fraction.pop_back();
  }
  return (negative ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction);
}

std::string FormatPrice(Price price) { return FormatDecimal(price.value(), kPriceDecimals); }

std::string FormatAmount(Amount amount, int min_decimals) {
  return FormatDecimal(amount.value(), kAmountDecimals, min_decimals);
}

Amount RoundHalfEven(Amount amount, int decimals) {
  TP_CHECK(decimals >= 0 && decimals <= kAmountDecimals);
  const Int128 unit = PowerOfTen(kAmountDecimals - decimals);
  const Int128 value = amount.value();
  Int128 quotient = value / unit;  // towards zero
  const Int128 rest = value % unit;
  const Int128 distance = rest < 0 ? -rest : rest;
  const Int128 other = unit - distance;
  if (distance > other || (distance == other && quotient % 2 != 0)) quotient += value < 0 ? -1 : 1;
  return Amount(quotient * unit);
}

std::optional<int> CurrencyDecimals(std::string_view code) {
  if (code.size() != 3) return std::nullopt;
  if (Lists(kTwoDecimals, code)) return 2;
  if (Lists(kNoDecimals, code)) return 0;
  if (Lists(kThreeDecimals, code)) return 3;
  return std::nullopt;
}

}  // namespace turnpike
