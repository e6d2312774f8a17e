// Revocations that outlive the process.
#pragma once

#include <expected>
#include <mutex>
#include <string>
#include <vector>

#include "server/turn/revocation.h"

namespace turnpike {

// RevocationFile is `revoked.json` in the metering directory, replaced as a whole with each change.
// Any thread.
class RevocationFile {
 public:
  // Load reads what stands in `directory` and is not over at `now`. It fails with a sentence when
  // the file is damaged: to serve whom it shuts out would be worse than not to start.
  std::expected<std::vector<Revocation>, std::string> Load(const std::string& directory,
                                                           WallTime now);

  // Add returns all that hold, `revocation` among them, and in `*error` why they could not be
  // written, or an empty text.
  std::vector<Revocation> Add(const Revocation& revocation, WallTime now, std::string* error);

 private:
  std::string Write() const;

  std::mutex mutex_;
  std::string path_;
  std::vector<Revocation> revocations_;
};

}  // namespace turnpike
