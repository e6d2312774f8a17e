#include "config/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace turnpike::config {
namespace {

std::unexpected<std::string> CannotRead(int error) {
  return std::unexpected("cannot be read: " + std::generic_category().message(error));
}

// ReadAll reads `fd` to its end.
std::expected<std::string, std::string> ReadAll(int fd, size_t max_bytes) {
  std::string content;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return CannotRead(errno);
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(count));
    if (content.size() > max_bytes) {
      return std::unexpected("is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

}  // namespace

std::expected<std::string, std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return CannotRead(errno);
  struct stat status{};
  const bool directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  auto content = directory ? std::unexpected<std::string>("is a directory; name a file in it")
                           : ReadAll(fd, max_bytes);
  close(fd);
  return content;
}

std::expected<std::string, std::string> ReadSecretFile(const std::string& path) {
  constexpr size_t kMaxSecretBytes = 65536;
  auto content = ReadSmallFile(path, kMaxSecretBytes);
  if (!content) return content;
  while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
  if (content->empty()) return std::unexpected("is empty");
  return content;
}

}  // namespace turnpike::config
