#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "tools/load/hostile_kinds.h"
#include "tools/load/socket.h"

namespace turnpike::load {
namespace {

// The beginning of a ClientHello (RFC 8446 §4.1.2): a record that promises 512 bytes.
constexpr std::array<uint8_t, 11> kHalfHello = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01,
                                                0x00, 0x01, 0xfc, 0x03, 0x03};

// Attempt is a connection that says half a hello and waits.
struct Attempt {
  UniqueFd fd;
  MonoTime begun;
  bool has_spoken = false;
};

// Look is false when the attempt is over.
bool Look(HostileStage& stage, Attempt& attempt) {
  if (!attempt.has_spoken) {
    const ssize_t sent =
        send(attempt.fd.get(), kHalfHello.data(), kHalfHello.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // ENOTCONN and EAGAIN: the connection is still being made.
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return true;
    if (sent < 0) {
      stage.Answered(std::string("refused a connection: ") + std::strerror(errno));
      return false;
    }
    attempt.has_spoken = true;
    stage.Did("handshakes that stopped in the middle of the ClientHello");
  }
  std::array<uint8_t, 512> room;
  const ssize_t size = recv(attempt.fd.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (size > 0 || (size < 0 && errno == EAGAIN)) return true;
  stage.Answered(size == 0 ? "closed connections" : "reset connections");
  stage.result().closing.Record(stage.context().now - attempt.begun);
  return false;
}

}  // namespace

void StopHandshakes(HostileStage& stage) {
  const Plan& plan = stage.plan();
  const TransportAddress& server = plan.servers[static_cast<size_t>(Transport::kTls)];
  std::vector<Attempt> attempts;
  size_t most_open = 0;
  stage.Flood(
      [&] {
        if (attempts.size() >= plan.sessions) return;
        auto fd = OpenTcp(server);
        if (!fd) return stage.Answered("refused a connection: " + fd.error());
        attempts.push_back({std::move(*fd), stage.context().now});
        most_open = std::max(most_open, attempts.size());
      },
      [&] { std::erase_if(attempts, [&](Attempt& each) { return !Look(stage, each); }); });
  stage.Did("connections at a time, at most", most_open);
  if (!attempts.empty()) stage.Answered("still waited for the rest at the end", attempts.size());
}

}  // namespace turnpike::load
