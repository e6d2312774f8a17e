// Files of the metering directory: a descriptor that closes itself, and the lock of one process.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace turnpike {

// FileDescriptor owns a descriptor and closes it, which also releases its lock.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// OpenLocked opens `path` for reading and writing, creates it when missing (mode 0640), and takes
// an exclusive lock that lasts as long as the descriptor. It fails with a sentence that names the
// file and the remedy: also when another process has the lock.
std::expected<FileDescriptor, std::string> OpenLocked(const std::string& path);

// SystemError renders `what`, `path` and errno `code` as one sentence without a full stop.
std::string SystemError(const std::string& what, const std::string& path, int code);

}  // namespace turnpike
