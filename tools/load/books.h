// Reads the server's books: its ledger and its metrics page.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "tools/load/billing.h"

namespace turnpike::load {

// ReadLedger reads the sessions of the ledger in `directory` since the quarter of an hour before
// `since`. It fails with a sentence.
std::expected<std::vector<LedgerSession>, std::string> ReadLedger(const std::string& directory,
                                                                  WallTime since);

// FetchPage gets a page over plain HTTP: `http://127.0.0.1:9641/metrics`. It fails with a sentence,
// and within 10 s.
std::expected<std::string, std::string> FetchPage(const std::string& url);

}  // namespace turnpike::load
