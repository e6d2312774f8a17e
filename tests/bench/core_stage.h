// A TURN core with sessions in it, for the benchmarks: driven as the driver does it, with meters in
// a real slot file, but without sockets or clocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/client/turn_client.h"
#include "common/metering/slots.h"
#include "server/turn/turn_server.h"
#include "tests/support/seeded_random.h"
#include "tests/support/temp_directory.h"

namespace turnpike::bench {

using Bytes = std::vector<uint8_t>;

// How a session's client wraps its data.
enum class Wrapping : uint8_t { kChannel, kSend };

// Session is a client with an allocation and one peer.
struct Session {
  Client client;
  RelayId relay;
  PeerAddress peer;
};

// Exchange are the messages that one client sends to get an allocation and to give it back. Nonces
// last an hour, so they can be played again and again.
struct Exchange {
  Client client;
  Bytes unauthenticated;  // Allocate, answered with 401
  Bytes allocate;
  Bytes release;  // Refresh with lifetime 0
};

// CoreStage owns all of it.
class CoreStage {
 public:
  // `limits` hold for every session.
  explicit CoreStage(const LimitOptions& limits = {});

  // AddSessions opens `count` sessions whose data is wrapped as `wrapping` says, or, without one,
  // idle allocations.
  void AddSessions(size_t count, std::optional<Wrapping> wrapping);

  // Record plays what a client of its own number sends for an allocation, and keeps the messages.
  Exchange Record(uint32_t number);

  // FromClient and FromPeer are a datagram's way through the core: what the driver does with it,
  // its system calls apart.
  void FromClient(const Client& client, ByteSpan bytes) {
    if (const auto forward = core_->OnClientDatagram(client, bytes, now_)) {
      core_->OnSent(*forward, {}, now_);
    }
    Poll();
  }
  void FromPeer(const Session& session, ByteSpan bytes) {
    if (const auto forward = core_->OnPeerDatagram(session.relay, session.peer, bytes, now_)) {
      core_->OnSent(*forward, {}, now_);
    }
    Poll();
  }

  // Wrap returns what the clients of `wrapping` send to carry `payload`. Their peers differ, so a
  // Send indication is of one session; ChannelData is the same for all.
  Bytes Wrap(const Session& session, Wrapping wrapping, ByteSpan payload);

  // Advance lets time pass, and runs what is due.
  void Advance(Duration duration);

  const std::vector<Session>& sessions() const { return sessions_; }
  const TurnStats& stats() const { return core_->stats(); }
  size_t allocation_count() const { return core_->allocation_count(); }

 private:
  static Client ClientOf(uint32_t number);
  TurnClientOptions ClientOptions() const;
  void Poll() {
    while (auto output = core_->PollOutput()) Execute(std::move(*output));
  }
  void Execute(Output output);
  // Exchange hands what `from` has to say to the core and the answers back, until both are silent.
  void Settle(TurnClient& from, const Client& client, std::vector<Bytes>* sent = nullptr);

  SeededRandom random_{1};
  Now now_;
  TempDirectory directory_of_slots_;
  std::unique_ptr<SlotFile> slots_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<TurnServer> core_;
  std::vector<Session> sessions_;
  RelayId last_relay_;
  std::vector<Bytes> answers_;
};

}  // namespace turnpike::bench
