#include "server/io/service_manager.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace turnpike {
namespace {

// Listener is the service manager's end of an abstract socket.
class Listener {
 public:
  explicit Listener(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  }

  // Receive returns the message that waits; empty: there is none.
  std::string Receive() const {
    std::array<char, 256> bytes;
    const ssize_t got = recv(fd_.get(), bytes.data(), bytes.size(), 0);
    return got < 0 ? "" : std::string(bytes.data(), static_cast<size_t>(got));
  }

 private:
  UniqueFd fd_;
};

std::string SocketName() { return "@turnpike-test-" + std::to_string(getpid()); }

}  // namespace

TEST_CASE("messages reach the service manager's socket, and nobody when it has none") {
  const Listener listener(SocketName());
  ServiceManager(SocketName(), std::nullopt).Notify("READY=1\nSTATUS=serves");
  CHECK(listener.Receive() == "READY=1\nSTATUS=serves");
  ServiceManager("", std::nullopt).Notify("READY=1");
  ServiceManager(std::string(300, 'x'), std::nullopt).Notify("READY=1");
  ServiceManager("@turnpike-test-nobody", std::nullopt).Notify("READY=1");
  CHECK(listener.Receive().empty());
}

TEST_CASE("the environment names socket and watchdog, once, and only for this process") {
  const Listener listener(SocketName());
  setenv("NOTIFY_SOCKET", SocketName().c_str(), 1);
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  const ServiceManager manager = ServiceManager::FromEnvironment();
  manager.Notify("READY=1");
  CHECK(listener.Receive() == "READY=1");
  CHECK(manager.watchdog() == std::chrono::seconds(30));
  CHECK(std::getenv("NOTIFY_SOCKET") == nullptr);
  CHECK(ServiceManager::FromEnvironment().watchdog() == std::nullopt);

  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  CHECK(ServiceManager::FromEnvironment().watchdog() == std::nullopt);
  setenv("WATCHDOG_USEC", "soon", 1);
  CHECK(ServiceManager::FromEnvironment().watchdog() == std::nullopt);
}

}  // namespace turnpike
