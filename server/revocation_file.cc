#include "server/revocation_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace turnpike {

using nlohmann::json;

std::expected<std::vector<Revocation>, std::string> RevocationFile::Load(
    const std::string& directory, WallTime now) {
  const std::lock_guard lock(mutex_);
  path_ = directory + "/revoked.json";
  std::ifstream file(path_, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return revocations_;
    return std::unexpected("cannot read " + path_ + ": " + std::strerror(errno));
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const json rows = json::parse(text, nullptr, false);
  const auto damaged = [&] {
    return std::unexpected(path_ + " is damaged; mend it, or remove it to let everybody in again");
  };
  if (!rows.is_array()) return damaged();
  for (const json& row : rows) {
    Revocation each;
    const bool fits = row.is_object() && row.contains("until") && row["until"].is_string();
    const auto until = fits ? ParseDate(row["until"].get<std::string>()) : ParseDate("");
    if (!until) return damaged();
    each.until = *until;
    for (const auto& [name, field] : {std::pair{"username", &each.username},
                                      {"account", &each.account},
                                      {"label", &each.label}}) {
      if (!row.contains(name)) continue;
      if (!row[name].is_string()) return damaged();
      *field = row[name].get<std::string>();
    }
    if (now < each.until) revocations_.push_back(std::move(each));
  }
  return revocations_;
}

std::vector<Revocation> RevocationFile::Add(const Revocation& revocation, WallTime now,
                                            std::string* error) {
  const std::lock_guard lock(mutex_);
  std::erase_if(revocations_, [&](const Revocation& each) { return each.until <= now; });
  revocations_.push_back(revocation);
  *error = Write();
  return revocations_;
}

// Write replaces the file and returns what went wrong, or an empty text.
std::string RevocationFile::Write() const {
  json rows = json::array();
  for (const Revocation& each : revocations_) {
    const auto until = std::chrono::floor<std::chrono::seconds>(each.until);
    rows.push_back({{"username", each.username},
                    {"account", each.account},
                    {"label", each.label},
                    {"until", FormatRfc3339(until)}});
  }
  const std::string text = rows.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  const std::string fresh = path_ + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  bool ok = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
            fsync(fd) == 0;
  int failed = ok ? 0 : errno;
  if (fd >= 0) close(fd);
  if (ok && rename(fresh.c_str(), path_.c_str()) != 0) {
    ok = false;
    failed = errno;
  }
  if (ok) return {};
  return "it holds until the server ends, but cannot be written to " + path_ + ": " +
         std::strerror(failed);
}

}  // namespace turnpike
