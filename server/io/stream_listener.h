// A listening TCP socket of one worker.
#pragma once

#include <uv.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "server/io/stream_options.h"
#include "server/io/uv.h"

namespace turnpike {

class StreamHub;

// StreamListener accepts connections and gives them to the hub. Other workers listen on the same
// address (SO_REUSEPORT); a connection stays with the worker that accepted it.
class StreamListener {
 public:
  // Open binds and listens. It fails with a sentence that names the address.
  static std::expected<std::unique_ptr<StreamListener>, std::string> Open(
      uv_loop_t* loop, const StreamListenOptions& options, StreamHub& hub);

  // address is what the socket is bound to.
  const TransportAddress& address() const { return options_.address; }

  // OnReadable accepts what waits. Without descriptors or memory it pauses for a second, so that
  // waiting clients do not keep the loop busy.
  void OnReadable();

  // resume_at is when a pause ends, or nullopt. Resume ends it.
  std::optional<MonoTime> resume_at() const { return resume_at_; }
  void Resume();

 private:
  StreamListener(uv_loop_t* loop, const StreamListenOptions& options, StreamHub& hub)
      : loop_(loop), options_(options), hub_(hub) {}
  void Pause(int error);

  uv_loop_t* loop_;
  StreamListenOptions options_;
  StreamHub& hub_;
  UniqueFd fd_;
  std::optional<UvPoll> poll_;  // before fd_ is closed, watching must end
  std::optional<MonoTime> resume_at_;
};

// CheckTcpAddressFree says whether anybody listens on `address`, with a sentence if so.
std::expected<void, std::string> CheckTcpAddressFree(const TransportAddress& address);

}  // namespace turnpike
