// THE tables of what `turnpike usage periods` and `corrections` show; the rules of columns.h hold.
#pragma once

#include <array>
#include <string>

#include "common/metering/billing.h"
#include "common/metering/columns.h"

namespace turnpike {

namespace columns {

// SignedBytes is a count wherever it can be one; only what is taken back has a sign.
inline Cell SignedBytes(int64_t bytes) {
  return bytes < 0 ? Cell(bytes) : Cell(static_cast<uint64_t>(bytes));
}

}  // namespace columns

inline constexpr std::array<Column<PeriodStatus>, 12> kPeriodColumns = {{
    {"period", "a month of UTC", InTable::kYes,
     [](const PeriodStatus& row) { return Cell(row.month.name); }},
    {"state", "open, grace, ready (to be closed) or closed", InTable::kYes,
     [](const PeriodStatus& row) { return Cell(std::string(PeriodStateName(row.state))); }},
    {"period_complete", "yes when nothing can be added to it any more", InTable::kYes,
     [](const PeriodStatus& row) { return Cell(std::string(row.complete ? "yes" : "no")); }},
    {"period_as_of", "what the ledger was complete up to; of a closed period: when it was closed",
     InTable::kNo, [](const PeriodStatus& row) { return Cell(row.as_of); }},
    {"sessions", "that started in it", InTable::kYes,
     [](const PeriodStatus& row) { return Cell(row.sessions); }},
    {"billable_bytes", "what the ledger has now", InTable::kYes,
     columns::BillableBytes<PeriodStatus>},
    {"closed_bytes", "what was frozen when it was closed", InTable::kYes,
     [](const PeriodStatus& row) { return columns::SignedBytes(row.billed_bytes); }},
    {"corrected_bytes", "late usage of earlier periods that is billed in this one", InTable::kYes,
     [](const PeriodStatus& row) { return columns::SignedBytes(row.corrected_bytes); }},
    {"late_bytes", "usage of this closed period that waits for a correction", InTable::kYes,
     [](const PeriodStatus& row) { return columns::SignedBytes(row.late_bytes); }},
    {"closed_at", "UTC; nothing while it is not closed", InTable::kYes,
     [](const PeriodStatus& row) {
       return row.closed_at ? Cell(*row.closed_at) : Cell(std::monostate{});
     }},
    {"closed_by", "who closed it", InTable::kYes,
     [](const PeriodStatus& row) {
       return row.closed_at ? Cell(row.closed_by) : Cell(std::monostate{});
     }},
    {"lost_bytes", "what was closed and the ledger has no more", InTable::kNo,
     [](const PeriodStatus& row) { return columns::SignedBytes(row.lost_bytes); }},
}};

inline constexpr std::array<Column<BillingEntry>, 16> kCorrectionColumns = {{
    {"entry", "its number in the chain", InTable::kYes,
     [](const BillingEntry& row) { return Cell(static_cast<uint64_t>(row.number)); }},
    {"period", "where it is billed", InTable::kYes, columns::Text<&BillingEntry::period>},
    {"original_period", "where the usage happened", InTable::kYes,
     columns::Text<&BillingEntry::original_period>},
    {"original_entry", "the row that it corrects; nothing when there was none", InTable::kYes,
     [](const BillingEntry& row) {
       return row.original == 0 ? Cell(std::monostate{})
                                : Cell(static_cast<uint64_t>(row.original));
     }},
    {"account", "who pays", InTable::kYes, columns::Text<&BillingEntry::account>},
    {"region", "of the server", InTable::kYes, columns::Text<&BillingEntry::region>},
    {"transport", "of the client", InTable::kYes, columns::Text<&BillingEntry::transport>},
    {"label", "of the credential", InTable::kYes, columns::Text<&BillingEntry::label>},
    {"sessions", "that it adds", InTable::kNo,
     [](const BillingEntry& row) { return columns::SignedBytes(row.counts[6]); }},
    {"client_to_peer_bytes", "payload that it adds", InTable::kNo,
     [](const BillingEntry& row) { return columns::SignedBytes(row.counts[0]); }},
    {"peer_to_client_bytes", "payload that it adds", InTable::kNo,
     [](const BillingEntry& row) { return columns::SignedBytes(row.counts[1]); }},
    {"billable_bytes", "both directions together; negative when it takes back", InTable::kYes,
     [](const BillingEntry& row) { return columns::SignedBytes(row.counts[0] + row.counts[1]); }},
    {"corrected_at", "when it was booked", InTable::kYes,
     [](const BillingEntry& row) { return Cell(row.at); }},
    {"actor", "who booked it", InTable::kYes, columns::Text<&BillingEntry::actor>},
    {"reason", "why", InTable::kYes, columns::Text<&BillingEntry::reason>},
    {"ledger_as_of", "what the ledger was complete up to", InTable::kNo,
     [](const BillingEntry& row) { return Cell(row.as_of); }},
}};

}  // namespace turnpike
