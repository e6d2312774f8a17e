// Notices that files have been replaced or written.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

namespace turnpike {

// FileWatch compares files by looking, not by events: a file that a volume's symbolic link leads to
// changes without one. One thread.
class FileWatch {
 public:
  // Watch looks at `paths` from now on, as they are now; empty ones are left out.
  void Watch(const std::vector<std::string>& paths);

  // HasSettled says once, after a change, that the files differ from what Watch or the last true
  // answer saw, and have not changed since the call before: a certificate and its key are written
  // one after the other.
  bool HasSettled();

 private:
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;  // there is no such file
    timespec modified{};

    bool operator==(const Stamp& other) const;
  };

  std::vector<Stamp> Look() const;

  std::vector<std::string> paths_;
  std::vector<Stamp> known_;
  std::vector<Stamp> last_;
};

}  // namespace turnpike
