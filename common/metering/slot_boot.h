// The records in the header of a slot file that name the runs of the server.
#pragma once

#include "common/metering/slot_layout.h"
#include "common/metering/slots.h"

namespace turnpike {

// WriteBoot stores `identity` under a checksum; ReadBoot is its inverse. The caller has checked the
// sizes of the names.
void WriteBoot(BootRecord& record, const LedgerIdentity& identity);
LedgerIdentity ReadBoot(const BootRecord& record);

// IsSound says whether the checksum fits: a node or region that nobody has must not appear on a
// bill. Records of releases that wrote none pass.
bool IsSound(const BootRecord& record);

}  // namespace turnpike
