// What operators see of live sessions, and how they end them.
#include <thread>

#include "server/app.h"
#include "server/io/clock.h"

namespace turnpike {
namespace {

// A slow disk holds up the thread that reads the slots.
constexpr std::chrono::seconds kAnswerPatience{5};
// Between the two readings of a rate, for whoever asks first.
constexpr std::chrono::milliseconds kRateInterval{600};

}  // namespace

std::expected<std::vector<LiveSession>, std::string> App::Sessions() {
  const std::lock_guard lock(sessions_mutex_);
  const bool has_rates = rates_.IsFresh(ReadClocks().mono);
  for (int reading = has_rates ? 1 : 0;; ++reading) {
    auto future = ledger_->ReadLive();
    if (future.wait_for(kAnswerPatience) != std::future_status::ready) {
      return std::unexpected(
          "the sessions cannot be read now: the ledger's disk is slow, or the server stops");
    }
    auto sessions = future.get();
    rates_.Fill(sessions, ReadClocks().mono);
    if (reading == 1) return sessions;
    std::this_thread::sleep_for(kRateInterval);
  }
}

void App::KillSessions(const std::vector<SessionId>& sessions) {
  if (sessions.empty()) return;
  for (const auto& worker : workers_) worker->EndSessions(sessions, CloseReason::kKilled);
}

std::expected<void, std::string> App::Revoke(const Revocation& revocation) {
  std::string error;
  // The list that is taken up must be the last one that was made.
  const std::lock_guard lock(revoke_mutex_);
  directory_->SetRevoked(revocations_.Add(revocation, ReadClocks().wall, &error));
  if (!error.empty()) return std::unexpected(error);
  return {};
}

std::string App::admin_token() const {
  const std::lock_guard lock(published_mutex_);
  return admin_token_;
}

void App::SetToken(const std::string& token) {
  const std::lock_guard lock(published_mutex_);
  admin_token_ = token;
}

}  // namespace turnpike
