#include <algorithm>
#include <memory>
#include <vector>

#include "tools/load/hostile_kinds.h"
#include "tools/load/session.h"

namespace turnpike::load {
namespace {

constexpr uint32_t kUnreadPayload = 1200;

}  // namespace

void ReadSlowly(HostileStage& stage) {
  const Plan& plan = stage.plan();
  std::vector<std::unique_ptr<Session>> sessions;
  for (uint32_t i = 0; i < plan.sessions; ++i) {
    if (!IsStream(plan.TransportOf(i))) {
      stage.result().error = "who reads slowly needs a stream: use --transport tcp or tls";
      return;
    }
    sessions.push_back(std::make_unique<Session>(stage.context(), i));
    sessions.back()->Open();
  }
  const auto read = [&] {
    for (const auto& session : sessions) {
      // Also while it connects: that a socket can be written to is how it learns of it.
      session->OnClientSocket(true);
      session->OnTimer();
    }
  };
  const auto all = [&](Session::State least) {
    return std::ranges::all_of(sessions, [&](const auto& s) { return s->state() >= least; });
  };
  stage.Poll(plan.patience, [&] { return all(Session::State::kReady); }, read);
  for (const auto& session : sessions) {
    if (session->state() != Session::State::kReady) {
      stage.result().error =
          session->failure().empty() ? "a session did not come about" : session->failure();
      return;
    }
    session->Start();
  }
  std::vector<uint32_t> sequences(sessions.size());
  uint64_t next = 0;
  stage.Flood(
      [&] {
        const size_t i = next++ % sessions.size();
        const DuePacket due{static_cast<uint32_t>(i), sequences[i]++, kUnreadPayload,
                            stage.context().now};
        sessions[i]->Compose(due, Direction::kPeerToClient);
      },
      [&] { stage.context().Flush(); });
  // Now they read what waits for them.
  stage.Poll(plan.settle, [] { return false; }, read);
  for (const auto& session : sessions) session->Release(stage.context().now + kReleasePatience);
  stage.Poll(kReleasePatience, [&] { return all(Session::State::kDone); }, read);
  for (const auto& session : sessions) {
    const SessionResult result = session->TakeResult();
    const FlowCounts& down = result.counts[static_cast<size_t>(Direction::kPeerToClient)];
    stage.Did("packets that peers sent to clients that did not read", down.sent_packets);
    stage.Answered("kept packets for a client until it read", down.received_packets);
    stage.Answered("dropped packets", down.lost_packets());
    if (!result.failure.empty()) stage.Answered("ended the session: " + result.failure);
  }
}

}  // namespace turnpike::load
