// Reconciling: a ledger's billable totals against what somebody else says of them.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace turnpike {

// FigureKey names a series of `turn_billable_bytes_total`, as its labels do.
struct FigureKey {
  std::string account;
  std::string region;
  std::string direction;
  auto operator<=>(const FigureKey&) const = default;
};

// Figures are billable bytes since a ledger began. Series without any byte are left out.
using Figures = std::map<FigureKey, uint64_t>;

// LedgerFigures are those of a ledger, with what it is complete up to.
struct LedgerFigures {
  Figures figures;
  WallTime as_of{};
};

// ReadLedgerFigures reads a metering directory or a ledger file. It fails with a sentence.
std::expected<LedgerFigures, std::string> ReadLedgerFigures(const std::string& ledger);

// ParseFigures reads a page of metrics, or the answer of a Prometheus server to a query. Series
// that differ in other labels (instances) are added up. It fails with a sentence when the text is
// neither, or holds no `turn_billable_bytes_total`.
std::expected<Figures, std::string> ParseFigures(std::string_view text);

// Difference is a series whose figures are not equal.
struct Difference {
  FigureKey key;
  uint64_t ledger = 0;
  uint64_t other = 0;
};

// Reconcile lists the differences by account, region and direction. Accounts of the ledger that
// `other` does not name are held against its `_other`. Beyond 2^53 figures count as equal when they
// are the same floating-point number, since Prometheus has no others.
std::vector<Difference> Reconcile(const Figures& ledger, const Figures& other);

}  // namespace turnpike
