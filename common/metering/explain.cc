#include "common/metering/explain.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/base/log.h"

namespace turnpike {
namespace {

// DecodeName is the inverse of EncodeName.
std::optional<std::string> DecodeName(std::string_view encoded) {
  std::string name;
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      name += encoded[i];
      continue;
    }
    uint8_t byte = 0;
    const std::string_view hex = encoded.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), byte, 16);
    if (hex.size() != 2 || error != std::errc() || end != hex.data() + 2) return std::nullopt;
    name += static_cast<char>(byte);
    i += 2;
  }
  return name;
}

}  // namespace

std::expected<LineOwner, std::string> ParseLineId(std::string_view id) {
  const size_t first = id.find('/');
  const size_t second = first == std::string_view::npos ? first : id.find('/', first + 1);
  if (second != std::string_view::npos) {
    auto period = ParseBillingPeriod(id.substr(0, first));
    auto account = DecodeName(id.substr(first + 1, second - first - 1));
    if (period && account) return LineOwner{*std::move(period), *std::move(account)};
  }
  return std::unexpected("\"" + EscapeText(id) +
                         "\" is not a line's id; `turnpike usage invoice` prints them, like "
                         "2026-11/acme/2026-01/us1/udp/tier-1");
}

Slice SliceOf(const Invoice& invoice, const InvoiceLine& line) {
  Slice slice;
  for (const InvoiceLine& other : invoice.lines) {
    if (other.kind != LineKind::kUsage && other.kind != LineKind::kAllowance) continue;
    if (other.card != line.card || other.region != line.region ||
        other.transport != line.transport) {
      continue;
    }
    slice.lines.push_back(&other);
    slice.bytes += other.bytes;
  }
  return slice;
}

std::expected<void, std::string> VisitSlice(
    const std::string& ledger, const RateTable& table, const Invoice& invoice,
    const InvoiceLine& line, const std::function<bool(const SessionRow&, uint64_t bytes)>& visit) {
  const auto card = std::ranges::find(table.cards, line.card, &RateCard::id);
  if (card == table.cards.end()) return std::unexpected("the rates have no card " + line.card);
  SessionVisitor visitor;
  visitor.begin = [](const ReportScope&) { return true; };
  visitor.row = [&](const SessionRow& session) {
    if (session.transport != line.transport) return true;
    const uint64_t bytes = card->BillableBytes(session.totals).value_or(0);
    return bytes == 0 || visit(session, bytes);
  };
  return SessionsReport({ledger, {line.from, line.to}, invoice.account, line.region}, visitor);
}

}  // namespace turnpike
