// What a service manager such as systemd is told: sd_notify(3)'s protocol, a datagram per message.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace turnpike {

// ServiceManager speaks to the socket that NOTIFY_SOCKET names; where nobody listens, every message
// goes nowhere. Not linked with libsystemd: the protocol is one datagram of `NAME=value` lines.
class ServiceManager {
 public:
  // FromEnvironment reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them, so that
  // no child speaks for the server.
  static ServiceManager FromEnvironment();

  // `socket` is a path, or a name in the abstract namespace with a leading `@`; empty: nobody
  // listens. `watchdog` is how long the manager waits for a sign of life; nullopt: it does not.
  ServiceManager(std::string socket, std::optional<Duration> watchdog);

  // Notify sends `message`, lines such as `READY=1`. It never blocks, and a message that is lost is
  // no reason to stop serving.
  void Notify(std::string_view message) const;

  // watchdog returns how often the manager must hear `WATCHDOG=1`, at the latest.
  std::optional<Duration> watchdog() const { return watchdog_; }

 private:
  std::string socket_;
  std::optional<Duration> watchdog_;
  UniqueFd fd_;
};

}  // namespace turnpike
