// The only place that reads clocks.
#pragma once

#include "common/base/time.h"

namespace turnpike {

// ReadClocks reads both clocks of the system. The driver calls it once per loop turn, the ledger
// thread once per checkpoint; whatever else needs the time is handed a value.
Now ReadClocks();

}  // namespace turnpike
