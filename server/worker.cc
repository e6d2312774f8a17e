#include "server/worker.h"

#include <utility>

#include "common/base/log.h"
#include "server/process.h"

namespace turnpike {

Worker::Worker(const WorkerSetup& setup)
    : core_(setup.turn, setup.nonce_secret, *setup.directory, random_),
      driver_(loop_.get(), core_, *setup.slots, setup.streams, setup.udp_path),
      command_(UvAsync::On<&Worker::OnCommand>(loop_.get(), this)) {}

std::expected<std::unique_ptr<Worker>, std::string> Worker::Open(const WorkerSetup& setup) {
  std::unique_ptr<Worker> worker(new Worker(setup));
  for (UdpListenOptions options : setup.udp_listeners) {
    const auto bound = worker->driver_.ListenUdp(options);
    if (!bound) return std::unexpected(bound.error());
    options.address = *bound;
    worker->listeners_.push_back(options);
    worker->listener_names_.push_back(bound->ToString());
  }
  for (StreamListenOptions options : setup.stream_listeners) {
    const auto bound = worker->driver_.ListenStream(options);
    if (!bound) return std::unexpected(bound.error());
    options.address = *bound;
    worker->stream_listeners_.push_back(options);
  }
  return worker;
}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  Stop();
  Join();
}

void Worker::Start(std::optional<int> cpu) {
  thread_ = std::thread([this, cpu] {
    NameThread("relay");
    if (cpu && !PinThread(*cpu)) Log(LogLevel::kWarning, "worker_not_pinned", {{"cpu", *cpu}});
    uv_run(loop_.get(), UV_RUN_DEFAULT);
  });
}

void Worker::EndSessions(const std::vector<SessionId>& sessions, CloseReason reason) {
  Post([this, sessions, reason] { driver_.EndSessions(sessions, reason); });
}

void Worker::Drain() {
  drain_ = true;
  command_.Send();
}

void Worker::Post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  command_.Send();
}

std::future<void> Worker::Apply(TurnOptions turn, StreamOptions streams) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> applied = done->get_future();
  Post([this, done, turn = std::move(turn), streams = std::move(streams)]() mutable {
    driver_.SetOptions(std::move(turn), streams);
    done->set_value();
  });
  return applied;
}

void Worker::Stop() {
  stop_ = true;
  command_.Send();
}

void Worker::Join() { thread_.join(); }

void Worker::OnCommand() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
  if (drain_ || stop_) {
    driver_.Drain();
    drains_ = true;
  }
  if (!stop_) return;
  driver_.CloseAll(CloseReason::kDrained);
  uv_stop(loop_.get());
}

WorkerView Worker::view() const {
  const IoStats& io = driver_.stats();
  WorkerView view{.stats = &core_.stats(), .loop_lag_ns = &io.loop_lag_ns};
  for (size_t i = 0; i < listener_names_.size(); ++i) {
    view.receive_overflows.push_back({listener_names_[i], &io.listener_overflows[i]});
  }
  view.receive_overflows.push_back({"relay", &io.relay_overflows});
  for (const Transport transport : {Transport::kTcp, Transport::kTls, Transport::kDtls}) {
    view.connections.push_back(
        {TransportName(transport), &io.streams.connections[static_cast<size_t>(transport)]});
  }
  for (size_t i = 0; i < kConnectionEndCount; ++i) {
    view.connections_closed.push_back(
        {ConnectionEndName(static_cast<ConnectionEnd>(i)), &io.streams.closed[i]});
  }
  for (size_t i = 0; i < kTlsHandshakeCount; ++i) {
    view.tls_handshakes.push_back(
        {TlsHandshakeName(static_cast<TlsHandshake>(i)), &io.streams.handshakes[i]});
    view.dtls_handshakes.push_back(
        {TlsHandshakeName(static_cast<TlsHandshake>(i)), &io.streams.dtls_handshakes[i]});
  }
  view.dtls_strangers = {{"cookie_sent", &io.streams.dtls_cookies},
                         {"discarded", &io.streams.dtls_discarded}};
  view.accept_pauses = &io.streams.accept_pauses;
  return view;
}

}  // namespace turnpike
