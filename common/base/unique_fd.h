// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace turnpike {

// UniqueFd owns one descriptor, or none (-1), and with it a lock that was taken on it. Closing
// cannot fail in a way that matters: sockets have nothing left to write, files were synced before.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  // Reset closes what is owned and takes `fd` over.
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace turnpike
