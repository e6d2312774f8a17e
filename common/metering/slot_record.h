// The records of a slot file that say whose session a slot holds.
#pragma once

#include "common/metering/slot_layout.h"
#include "common/metering/usage.h"

namespace turnpike {

// WriteRecord stores who the session is, under a checksum; the state stays as it was. ReadRecord is
// its inverse. The names must be within the limits of usage.h.
void WriteRecord(SlotRecord& record, NameTail& tail, const SessionInfo& info, uint32_t generation,
                 uint32_t boot);
SessionInfo ReadRecord(const SlotRecord& record, const NameTail& tail);

// IsSound says whether the checksum fits.
bool IsSound(const SlotRecord& record, const NameTail& tail);

}  // namespace turnpike
