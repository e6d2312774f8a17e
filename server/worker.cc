#include "server/worker.h"

namespace turnpike {

Worker::Worker(const WorkerSetup& setup)
    : core_(setup.turn, setup.nonce_secret, *setup.directory, random_),
      driver_(loop_.get(), core_, *setup.slots),
      command_(UvAsync::On<&Worker::OnCommand>(loop_.get(), this)) {}

std::expected<std::unique_ptr<Worker>, std::string> Worker::Open(const WorkerSetup& setup) {
  std::unique_ptr<Worker> worker(new Worker(setup));
  for (const TransportAddress& address : setup.udp_listeners) {
    const auto bound = worker->driver_.ListenUdp(address);
    if (!bound) return std::unexpected(bound.error());
    worker->listeners_.push_back(*bound);
  }
  return worker;
}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  Stop();
  Join();
}

void Worker::Start() {
  thread_ = std::thread([this] { uv_run(loop_.get(), UV_RUN_DEFAULT); });
}

void Worker::Drain() {
  drain_ = true;
  command_.Send();
}

void Worker::Stop() {
  stop_ = true;
  command_.Send();
}

void Worker::Join() { thread_.join(); }

void Worker::OnCommand() {
  if (drain_ || stop_) driver_.Drain();
  if (!stop_) return;
  driver_.CloseAll(CloseReason::kDrained);
  uv_stop(loop_.get());
}

WorkerView Worker::view() const {
  const IoStats& io = driver_.stats();
  return {&core_.stats(), &io.receive_overflows, &io.loop_lag_ns};
}

}  // namespace turnpike
