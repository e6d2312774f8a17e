// AdminActions that a test sets up and looks into.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "server/ops/admin_actions.h"

namespace turnpike::test {

class FakeActions : public AdminActions {
 public:
  void Drain() override { drained = true; }
  uint64_t LiveSessions() const override { return sessions.size(); }
  ReloadReport Reload() override { return reload; }
  std::expected<std::vector<LiveSession>, std::string> Sessions() override { return sessions; }
  void KillSessions(const std::vector<SessionId>& ids) override {
    killed.insert(killed.end(), ids.begin(), ids.end());
  }
  std::expected<void, std::string> Revoke(const Revocation& revocation) override {
    const std::lock_guard lock(mutex);
    revoked.push_back(revocation);
    return {};
  }
  std::vector<QuotaUse> Quotas() const override { return quotas; }
  std::string admin_token() const override { return token; }

  std::mutex mutex;  // where a server's threads call, `revoked` is read under it
  bool drained = false;
  ReloadReport reload;
  std::vector<QuotaUse> quotas;
  std::vector<LiveSession> sessions;
  std::vector<SessionId> killed;
  std::vector<Revocation> revoked;
  std::string token = "t0ken";
};

}  // namespace turnpike::test
