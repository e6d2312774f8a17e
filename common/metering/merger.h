// The rows of one ledger after the other, taken over into a merged file.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "common/metering/sqlite.h"

namespace turnpike {

// Merger adds sources to one open output, within the caller's transaction. What it adds is the
// larger, or the newer, of what output and source know of the same thing, so that neither order nor
// repetition matters:
// - Of a session, the parts of one ledger are taken, all of them: of the ledger that has the larger
//   totals. Two ledgers may have split the same bytes over different buckets, when one was lost and
//   begun anew from the slots; a mixture would hold them twice.
// - Of sessions that a ledger has pruned, only sums are left (usage_pruned). With the sessions that
//   it still has and that were old enough to go, they say what all old sessions of a boot amount to
//   in a bucket. This is a claim; the larger one of two stands, in the TEMP table `claim`. Finish
//   leaves of it in usage_pruned what no session of the output accounts for.
class Merger {
 public:
  explicit Merger(Database& output);

  // Add copies one source; false when nothing is in it.
  bool Add(Database& source);

  // Finish counts anew what follows from sessions, parts and claims.
  void Finish();

 private:
  using Keys = std::unordered_map<int64_t, int64_t>;  // of the source: of the output

  // Rank orders what two ledgers know of one session: by its totals, then by a number that tells
  // different parts apart, so that the order is the same for every two of them.
  struct Rank {
    uint64_t billable_bytes = 0;
    uint64_t wire_bytes = 0;
    uint64_t packets = 0;
    uint64_t print = 0;
    auto operator<=>(const Rank&) const = default;
    void Add(const Statement& part);
  };
  using Ranks = std::unordered_map<int64_t, Rank>;  // by the output's session

  int64_t KeyOf(Statement& find, std::string_view name);
  Keys AddBoots(Database& source);
  void AddLedgers(Database& source);
  Keys AddAccounts(Database& source);
  Keys AddSessions(Database& source, Keys& boots, Keys& accounts);
  void AddDrops(Database& source, const Keys& sessions);
  void AddParts(Database& source, const Keys& sessions);
  void AddClaims(Database& source, Keys& boots, Keys& accounts);
  void RemoveParts(const Ranks& better, const Ranks& had);

  Database& output_;
  Statement put_session_;
  Statement find_session_;
  Statement put_part_;
  Statement put_drop_;
  Statement put_ledger_;
  Statement put_claim_;
};

}  // namespace turnpike
