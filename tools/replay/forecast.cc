#include "tools/replay/forecast.h"

#include <map>

#include "common/metering/money.h"
#include "common/stun/message.h"

namespace turnpike::replay {
namespace {

// FramingBytes is what stands around a payload of any size, without padding.
uint64_t FramingBytes(load::Mode mode, AddressFamily peer_family) {
  if (mode == load::Mode::kChannel) return stun::kChannelHeaderSize;
  // RFC 8656 §10: XOR-PEER-ADDRESS (family and port, then the address) and the header of DATA.
  const uint64_t address = peer_family == AddressFamily::kIpv4 ? 8 : 20;
  return stun::kHeaderSize + stun::kAttributeHeaderSize + address + stun::kAttributeHeaderSize;
}

void AddVolume(const Volume& volume, Direction direction, Transport transport,
               const ReplayShape& shape, UsageTotals& totals) {
  const auto d = static_cast<size_t>(direction);
  // A Send indication is padded on every transport, ChannelData on streams (RFC 8656 §12.5).
  const bool is_padded = shape.mode == load::Mode::kSend || IsStream(transport);
  totals.packets[d] += shape.rounds * volume.packets;
  totals.payload_bytes[d] += shape.rounds * volume.bytes;
  totals.wire_bytes[d] +=
      shape.rounds * ((is_padded ? volume.padded_bytes : volume.bytes) +
                      volume.packets * FramingBytes(shape.mode, shape.peer_family));
}

std::string TotalOf(const Invoice& invoice) {
  return FormatAmount(invoice.total, invoice.decimals) + " " + invoice.currency;
}

}  // namespace

std::vector<UsageRow> ForecastUsage(const Scan& scan, const ReplayShape& shape, const Payer& payer,
                                    WallTime now) {
  load::Plan plan;
  plan.mix = shape.mix;
  std::map<Transport, UsageTotals> by_transport;
  uint32_t session = 0;
  for (uint32_t copy = 0; copy < shape.copies; ++copy) {
    for (const Flow& flow : scan.flows) {
      if (!flow.taken) continue;
      const Transport transport = plan.TransportOf(session++);
      for (size_t i = 0; i < flow.sides.size(); ++i) {
        AddVolume(flow.sides[i].volume, static_cast<Direction>(i), transport, shape,
                  by_transport[transport]);
      }
    }
  }
  std::vector<UsageRow> rows;
  for (const auto& [transport, totals] : by_transport) {
    rows.push_back(
        {BucketOf(now), payer.region, std::string(TransportName(transport)), payer.label, totals});
  }
  return rows;
}

std::expected<Invoice, std::string> Bill(const RateTable& rates, const std::string& account,
                                         std::vector<UsageRow> rows, WallTime now) {
  return RateAccount(rates, BillingPeriodOf(now), account, std::move(rows));
}

load::ForecastResult Compare(const RateTable& rates, const Payer& payer,
                             const std::vector<UsageRow>& forecast,
                             std::span<const load::LedgerSession> ledger, WallTime now) {
  load::ForecastResult result;
  for (const UsageRow& row : forecast) result.forecast_bytes += row.totals.billable_bytes();
  std::vector<UsageRow> rows;
  for (const load::LedgerSession& session : ledger) {
    result.ledger_bytes += session.totals.billable_bytes();
    rows.push_back(
        {BucketOf(now), session.region, session.transport, session.label, session.totals});
    if (session.account != payer.account) {
      result.error = "the ledger has the account " + session.account + " and the forecast is for " +
                     payer.account + ": give --account";
      return result;
    }
    if (session.region != payer.region) {
      result.error = "the server's region is " + session.region + " and the forecast is for " +
                     (payer.region.empty() ? "none" : payer.region) + ": give --region";
      return result;
    }
  }
  const auto expected = Bill(rates, payer.account, forecast, now);
  const auto billed = Bill(rates, payer.account, std::move(rows), now);
  if (!expected || !billed) {
    result.error = expected ? billed.error() : expected.error();
    return result;
  }
  result.forecast_total = TotalOf(*expected);
  result.ledger_total = TotalOf(*billed);
  // Prices may be for wire bytes or for one direction: then the priced bytes say more than all.
  result.is_equal = result.forecast_bytes == result.ledger_bytes &&
                    expected->bytes == billed->bytes && expected->total == billed->total;
  return result;
}

}  // namespace turnpike::replay
