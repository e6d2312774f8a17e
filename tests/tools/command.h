// Runs the built `turnpike` as a person would.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace turnpike {

// Result is what a command left behind.
struct Result {
  int status = -1;
  std::string out;  // standard output and standard error, in the order of writing
};

// RunTurnpike runs `turnpike ARGUMENTS` in a shell. The program lies one folder above the tests.
inline Result RunTurnpike(const std::string& arguments) {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string program = (self.parent_path().parent_path() / "turnpike").string();
  FILE* const pipe = popen((program + " " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Result result;
  std::array<char, 4096> buffer;
  for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    result.out.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

// TempFile is a file that goes away with its test.
class TempFile {
 public:
  explicit TempFile(std::string_view content) {
    static int count = 0;
    path_ = (std::filesystem::temp_directory_path() /
             ("turnpike-tools-" + std::to_string(getpid()) + "-" + std::to_string(++count)))
                .string();
    std::ofstream(path_) << content;
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { std::filesystem::remove(path_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace turnpike
