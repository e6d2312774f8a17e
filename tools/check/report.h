// A check's outcome for people and for programs.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "tools/check/judge.h"
#include "tools/check/result.h"

namespace turnpike::check {

// Report is everything that a check of one or more edges found out.
struct Report {
  WallTime created;
  std::vector<EdgeResult> edges;  // the nearest first
};

// SortByDistance puts the edge with the smallest median RTT first, as latency routing would choose;
// those that cannot be reached stand last.
void SortByDistance(std::vector<EdgeResult>& edges);

// WriteTable writes it for people. WriteJson writes the report that support is sent: one object,
// the same as the page /nettest makes.
void WriteTable(const Report& report, std::ostream& out);
void WriteJson(const Report& report, std::ostream& out);

// Printable replaces control characters: what a server says of itself may be any bytes, and must
// not drive a terminal.
std::string Printable(std::string_view text);

}  // namespace turnpike::check
