// Holds what an operator is shown, the reports, against what the auditor saw on the wires.
#pragma once

#include <optional>
#include <string>

#include "tests/sim/books.h"

namespace turnpike::sim {

// ReportDifference compares the usage report (by account, region, transport, label and, unless
// `by_day` is false, day), the session report and their JSON with `audited`. The ledger in
// `directory` is closed. It describes the first difference, or returns nullopt.
std::optional<std::string> ReportDifference(const Books& audited, const std::string& directory,
                                            bool by_day);

}  // namespace turnpike::sim
