// Rate tables and usage for the tests of prices.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/metering/rate_card.h"
#include "common/metering/rating.h"

namespace turnpike::metering_test {

// At reads a date or a time that a test writes.
inline WallTime At(std::string_view text) {
  const auto time = ParseDate(text);
  REQUIRE_MESSAGE(time, std::string(text));
  return *time;
}

inline Price PriceOf(std::string_view text) {
  return Price(static_cast<int64_t>(*ParseDecimal(text, kPriceDecimals)));
}

inline Amount AmountOf(std::string_view text) {
  return Amount(*ParseDecimal(text, kAmountDecimals));
}

// FlatRule matches all usage at one price.
inline PriceRule FlatRule(std::string_view price) {
  PriceRule rule;
  rule.tiers = {{std::nullopt, PriceOf(price)}};
  return rule;
}

inline RateCard FlatCard(std::string id, std::string_view from, std::string_view price) {
  RateCard card;
  card.id = std::move(id);
  card.effective_from = At(from);
  card.prices = {FlatRule(price)};
  return card;
}

// FlatTable has one card in euros, in force since 2026.
inline RateTable FlatTable(std::string_view price) {
  RateTable table;
  table.currency = "EUR";
  table.seller = table.publisher = table.invoice_issuer = "Example Relay Ltd";
  table.cards = {FlatCard("2026", "2026-01-01", price)};
  return table;
}

inline UsageRow Usage(std::string_view time, std::string region, uint64_t up, uint64_t down = 0) {
  UsageRow row;
  row.bucket = BucketOf(At(time));
  row.region = std::move(region);
  row.transport = "udp";
  row.totals.payload_bytes = {up, down};
  row.totals.wire_bytes = {up + 4, down + 4};
  row.totals.packets = {1, 1};
  return row;
}

}  // namespace turnpike::metering_test
