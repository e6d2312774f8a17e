#include "server/io/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace turnpike {
namespace {

// TakeVariable reads an environment variable and removes it; empty when it is not set.
std::string TakeVariable(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  unsetenv(name);
  return text;
}

std::optional<int64_t> ReadNumber(const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || read != end || number <= 0) return std::nullopt;
  return number;
}

}  // namespace

ServiceManager ServiceManager::FromEnvironment() {
  const auto interval_us = ReadNumber(TakeVariable("WATCHDOG_USEC"));
  const auto pid = ReadNumber(TakeVariable("WATCHDOG_PID"));
  std::optional<Duration> watchdog;
  // The watch may be meant for another process that shares this environment.
  if (interval_us && (!pid || *pid == getpid())) watchdog = std::chrono::microseconds(*interval_us);
  return {TakeVariable("NOTIFY_SOCKET"), watchdog};
}

ServiceManager::ServiceManager(std::string socket, std::optional<Duration> watchdog)
    : socket_(std::move(socket)), watchdog_(watchdog) {
  if (socket_.empty() || socket_.size() >= sizeof(sockaddr_un::sun_path)) return;
  fd_.Reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void ServiceManager::Notify(std::string_view message) const {
  if (!fd_.valid()) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  sendto(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&to), size);
}

}  // namespace turnpike
