// All stream connections of one worker.
#pragma once

#include <uv.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/io/io_stats.h"
#include "server/io/outbox.h"
#include "server/io/stream_connection.h"
#include "server/io/stream_listener.h"
#include "server/io/stream_options.h"
#include "server/io/transport.h"
#include "server/turn/deadlines.h"

namespace turnpike {

// StreamHub owns listeners and connections, and what they share: receive memory, the list of those
// with something to write, deadlines. Connections that have ended stay until Reap.
class StreamHub {
 public:
  // One read takes at most so much; with the beginning of a message before it, it fits kMinRoom.
  static constexpr size_t kReadSize = 64 << 10;
  static constexpr size_t kMinRoom = kReadSize + (66 << 10);

  // Nothing is owned; all of it outlives the hub.
  StreamHub(uv_loop_t* loop, StreamHost& host, ForwardReports& reports, StreamStats& stats,
            const StreamOptions& options);
  ~StreamHub();
  StreamHub(const StreamHub&) = delete;
  StreamHub& operator=(const StreamHub&) = delete;

  // Listen adds a listener and returns the address it is bound to, or a sentence.
  std::expected<TransportAddress, std::string> Listen(const StreamListenOptions& options);

  // Adopt serves the connected, non-blocking socket `fd`, or closes it where a limit is reached.
  void Adopt(UniqueFd fd, const FiveTuple& tuple, const StreamListenOptions& listener);

  // Find returns the connection `link`, or nullptr when there is none (any more).
  StreamConnection* Find(LinkId link);

  // Flush writes what the connections have gathered. Afterwards no payload is borrowed.
  void Flush();

  // Reap takes ended connections down: their Forwards are reported, the host hears of each. It
  // returns whether there were any. Call it outside of any call from a connection.
  bool Reap();

  // EndAll stops listening and ends every connection; Reap takes them down.
  void EndAll();

  // SetOptions changes what new connections get, and the patience with all. `limits` stays.
  void SetOptions(const StreamOptions& options);

  // NextDeadline returns when OnTimer has work; early calls do no harm.
  std::optional<MonoTime> NextDeadline() const;
  void OnTimer(MonoTime now);

  // ResetReceiveMemory says that everything handed over has been dealt with.
  void ResetReceiveMemory() { used_ = 0; }

  size_t size() const { return by_link_.size(); }

  // What connections and listeners use.
  StreamHost& host() { return host_; }
  ForwardReports& reports() { return reports_; }
  const StreamOptions& options() const { return options_; }
  std::span<uint8_t> ReceiveRoom();
  void CommitRoom(size_t size) { used_ += size; }
  std::span<uint8_t> tls_scratch() { return tls_scratch_; }
  std::span<uint8_t> message_scratch() { return message_scratch_; }
  void MarkDirty(StreamConnection& connection);
  void MarkEnded(StreamConnection& connection) { ended_.push_back(&connection); }
  void Arm(StreamConnection& connection, MonoTime when);
  void CountOpen(Transport transport, int change);
  void CountHandshake(TlsHandshake result);
  void CountAcceptPause() { stats_.accept_pauses.Add(1); }

 private:
  static constexpr size_t kReceiveMemory = 512 << 10;
  static constexpr size_t kScratch = 66 << 10;

  LinkId NewLink();
  void CountEnd(ConnectionEnd end);
  void Remove(StreamConnection& connection);

  uv_loop_t* loop_;
  StreamHost& host_;
  ForwardReports& reports_;
  StreamStats& stats_;
  StreamOptions options_;
  std::vector<std::unique_ptr<StreamListener>> listeners_;
  std::vector<std::unique_ptr<StreamConnection>> connections_;  // by record; some are empty
  std::vector<uint32_t> free_records_;
  std::unordered_map<LinkId, StreamConnection*> by_link_;
  uint32_t last_link_ = kFirstConnection - 1;
  std::vector<StreamConnection*> dirty_;
  std::vector<StreamConnection*> ended_;
  Deadlines deadlines_;  // by record
  std::unique_ptr<uint8_t[]> receive_memory_;
  size_t used_ = 0;  // of receive_memory_
  std::array<uint8_t, kReadSize / 2> tls_scratch_;
  std::array<uint8_t, kScratch> message_scratch_;
};

}  // namespace turnpike
