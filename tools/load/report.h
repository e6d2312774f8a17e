// What a run looks like for people and for programs.
#pragma once

#include <ostream>
#include <string>

#include "tools/load/result.h"

namespace turnpike::load {

// CpuPerPacket is what relaying one packet cost a process, in microseconds; 0 without packets.
double CpuMicrosPerPacket(const ProcessCost& cost, const RunResult& result);

// FormatLatency renders a duration in the unit that suits it: `850 ns`, `42.1 us`, `3.07 ms`.
std::string FormatLatency(Duration duration);

// WriteTable writes the run for people.
void WriteTable(const RunResult& result, std::ostream& out);

// WriteJson writes all of it as one object; durations are microseconds where the name ends in
// `_us`.
void WriteJson(const RunResult& result, std::ostream& out);

}  // namespace turnpike::load
