// The result as files for other programs: an HDR percentile file, JUnit, and a page with plots.
#pragma once

#include <ostream>
#include <span>
#include <string>

#include "tools/load/result.h"
#include "tools/load/threshold.h"

namespace turnpike::load {

// WriteHdr writes the distribution in the text layout of HdrHistogram (`.hgrm`), in milliseconds.
void WriteHdr(const Histogram& histogram, std::ostream& out);

// WriteJUnit writes one test case for the run itself, one for the bill where it was compared, and
// one for each verdict.
void WriteJUnit(const RunResult& result, std::span<const Verdict> verdicts, std::ostream& out);

// WriteHtml writes one page that needs nothing else: figures, and plots over time of latency,
// throughput and loss, and of latency by percentile.
void WriteHtml(const RunResult& result, std::span<const Verdict> verdicts, std::ostream& out);

// EscapeXml makes any text safe in HTML and XML.
std::string EscapeXml(std::string_view text);

}  // namespace turnpike::load
