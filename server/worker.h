// One relay worker: a thread with its own loop, listeners, TURN core and relay sockets.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/metering/slots.h"
#include "server/io/driver.h"
#include "server/io/system_random.h"
#include "server/io/uv.h"
#include "server/ops/metrics_source.h"
#include "server/turn/turn_server.h"

namespace turnpike {

// WorkerSetup is what all workers of a process have in common. Nothing in it is owned.
struct WorkerSetup {
  TurnOptions turn;
  NonceSecret nonce_secret{};
  std::vector<UdpListenOptions> udp_listeners;
  std::vector<StreamListenOptions> stream_listeners;
  StreamOptions streams;
  UdpPath udp_path = UdpPath::kBatch;
  Directory* directory = nullptr;
  SlotFile* slots = nullptr;
};

// Worker is driven from the main thread: Open, Start, Stop, Join. In between everything but the
// counters of view() belongs to its own thread.
class Worker {
 public:
  // Open binds the listeners; nothing is served before Start. It fails with a sentence that names
  // the address.
  static std::expected<std::unique_ptr<Worker>, std::string> Open(const WorkerSetup& setup);

  // The destructor stops and joins a worker that runs.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Start starts the thread, on `cpu` alone when one is given.
  void Start(std::optional<int> cpu = std::nullopt);

  // EndSessions ends those of `sessions` that are this worker's, soon; any thread may call it.
  void EndSessions(const std::vector<SessionId>& sessions, CloseReason reason);

  // Drain refuses new allocations from now on. Stop ends every allocation as kDrained and then the
  // thread. Both return at once; any thread may call them.
  void Drain();
  void Stop();

  // Apply makes the worker serve by new rules, on its own thread. The future is ready when it does.
  std::future<void> Apply(TurnOptions turn, StreamOptions streams);

  // drains says whether Drain has reached the worker: no new allocation comes from then on.
  bool drains() const { return drains_; }

  // heartbeats counts up each second, as long as the loop turns.
  uint64_t heartbeats() const { return driver_.stats().heartbeats.Get(); }

  // Join waits for the thread's end: then all slots of this worker are closed, with final totals.
  void Join();

  // view shows the counters; they live as long as the worker.
  WorkerView view() const;

  // listeners returns what the UDP sockets are bound to, stream_listeners the same of the others;
  // both in the order of the setup.
  const std::vector<UdpListenOptions>& listeners() const { return listeners_; }
  const std::vector<StreamListenOptions>& stream_listeners() const { return stream_listeners_; }

 private:
  explicit Worker(const WorkerSetup& setup);
  void OnCommand();
  // Post runs `task` on the worker's thread.
  void Post(std::function<void()> task);

  SystemRandom random_;
  UvLoop loop_;
  TurnServer core_;
  Driver driver_;
  std::vector<UdpListenOptions> listeners_;
  std::vector<std::string> listener_names_;  // of listeners_, as metrics show them
  std::vector<StreamListenOptions> stream_listeners_;
  std::atomic<bool> drain_{false};
  std::atomic<bool> drains_{false};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by mutex_
  UvAsync command_;
  std::thread thread_;
};

}  // namespace turnpike
