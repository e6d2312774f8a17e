// The second, dumber accountant: it shares no code with common/metering or the core, and recounts
// from the packets on the simulated wires and from what the fake kernel took.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/sim/books.h"

namespace turnpike::sim {

// Bytes views a packet.
using Bytes = std::span<const uint8_t>;

// PayloadOf finds the application data in a message on the client's leg: ChannelData, a Send or a
// Data indication. nullopt for anything else.
std::optional<Bytes> PayloadOf(Bytes message);

// Auditor counts. Times are microseconds since 1970, UTC, as the server's clock showed them.
class Auditor {
 public:
  // OpenSession begins to count the session `id`, as the server announced it.
  void OpenSession(const std::string& id, SessionEntry entry);

  // TookDatagramToPeer: the kernel took `datagram` towards a peer, because the client had sent
  // `client_message`. On a stream a message ends with padding to a multiple of four.
  void TookDatagramToPeer(const std::string& id, Bytes client_message, bool stream, Bytes datagram,
                          int64_t now_us);

  // TookMessageToClient: the kernel took the whole `message` to the client, because a peer had sent
  // `datagram`.
  void TookMessageToClient(const std::string& id, Bytes datagram, Bytes message, int64_t now_us);

  // TookStreamBytes: the kernel took `bytes` of a data connection of RFC 6062 with one write;
  // `direction` is 0 towards the peer.
  void TookStreamBytes(const std::string& id, size_t direction, uint64_t bytes, int64_t now_us);

  // Refused: the kernel (or the queue before it) did not take a packet.
  void Refused(const std::string& id, const std::string& reason);

  // CloseSession notes the end that the server announced, which is not before the start, whatever
  // the clock says. Crash ends all others.
  void CloseSession(const std::string& id, const std::string& reason, int64_t ended_at_us);
  void Crash();

  // books are the tables so far. problems lists packets that were not what they should be.
  const Books& books() const { return books_; }
  const std::vector<std::string>& problems() const { return problems_; }

  // billable sums payload over everything. since_start sums by transport name since the last Crash
  // or ForgetStart: what the counters of a running process must show.
  uint64_t billable() const { return billable_; }
  uint64_t stream_bytes() const { return stream_bytes_; }  // of these, on data connections
  const std::map<std::string, Tally>& since_start() const { return since_start_; }
  void ForgetStart() { since_start_.clear(); }

  // open_sessions counts sessions that have not ended.
  size_t open_sessions() const;

 private:
  void Count(const std::string& id, size_t direction, uint64_t payload, uint64_t wire,
             int64_t now_us);
  SessionEntry* Find(const std::string& id);

  Books books_;
  std::vector<std::string> problems_;
  uint64_t billable_ = 0;
  uint64_t stream_bytes_ = 0;
  std::map<std::string, Tally> since_start_;
};

}  // namespace turnpike::sim
