#include "server/file_watch.h"

namespace turnpike {

bool FileWatch::Stamp::operator==(const Stamp& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec;
}

void FileWatch::Watch(const std::vector<std::string>& paths) {
  paths_.clear();
  for (const std::string& path : paths) {
    if (!path.empty()) paths_.push_back(path);
  }
  known_ = last_ = Look();
}

bool FileWatch::HasSettled() {
  std::vector<Stamp> seen = Look();
  const bool settled = seen != known_ && seen == last_;
  if (settled) known_ = seen;
  last_ = std::move(seen);
  return settled;
}

std::vector<FileWatch::Stamp> FileWatch::Look() const {
  std::vector<Stamp> stamps;
  for (const std::string& path : paths_) {
    struct stat status{};
    Stamp& stamp = stamps.emplace_back();
    if (stat(path.c_str(), &status) != 0) continue;
    stamp = {status.st_dev, status.st_ino, status.st_size, status.st_mtim};
  }
  return stamps;
}

}  // namespace turnpike
