// The list of a capture's flows, for people and for programs.
#pragma once

#include <ostream>
#include <string>

#include "tools/replay/scan.h"

namespace turnpike::replay {

// WriteFlowTable writes one line for each direction of each flow, what is not replayed marked and
// counted, and what people should know of the capture.
void WriteFlowTable(const Scan& scan, const std::string& name, std::ostream& out);

// WriteFlowJson writes the same as one object. Times are seconds from the capture's first packet.
void WriteFlowJson(const Scan& scan, const std::string& name, std::ostream& out);

// WriteNotes writes what in the capture may make a replay other than it should be, a line each:
// fragments, packets that are there twice, datagrams that were captured before the kernel cut them.
void WriteNotes(const Scan& scan, std::ostream& out);

}  // namespace turnpike::replay
