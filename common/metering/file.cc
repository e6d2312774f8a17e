#include "common/metering/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace turnpike {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

std::string SystemError(const std::string& what, const std::string& path, int code) {
  return what + " " + path + ": " + std::generic_category().message(code);
}

std::expected<FileDescriptor, std::string> OpenLocked(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (file.get() < 0) {
    return std::unexpected(SystemError("cannot open", path, errno) +
                           " (metering.directory must exist and be writable for this user)");
  }
  int locked;
  do {
    locked = flock(file.get(), LOCK_EX | LOCK_NB);
  } while (locked != 0 && errno == EINTR);
  if (locked == 0) return file;
  if (errno == EWOULDBLOCK) {
    return std::unexpected(path +
                           " is in use by another process: stop it, or give this one a "
                           "metering.directory of its own");
  }
  return std::unexpected(SystemError("cannot lock", path, errno));
}

}  // namespace turnpike
