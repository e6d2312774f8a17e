// Habits of the tree that a compiler does not see. Every finding says what to do instead.
#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/tree.h"

namespace turnpike {
namespace {

constexpr size_t kMaxColumns = 100;
constexpr size_t kMaxFileLines = 400;
constexpr size_t kMaxFunctionLines = 70;

bool StartsWithAny(std::string_view path, const std::vector<std::string_view>& folders) {
  return std::ranges::any_of(folders, [&](auto folder) { return path.starts_with(folder); });
}

// ---- What code may not say.

// Ban is a pattern that code (not a comment, not a literal) below `folders` may not match.
struct Ban {
  std::vector<std::string_view> folders;
  std::string pattern;
  std::string_view instead;
};

const std::vector<Ban>& Bans() {
  // The values of the design: time, randomness and threads are arguments.
  static const std::vector<std::string_view> kValues = {"common/", "server/turn/"};
  static const std::vector<Ban> bans = {
      {kValues, R"(\w*[cC]lock\s*::\s*now\b)",
       "take a Now, MonoTime or WallTime as an argument; server/io/driver.cc reads the clocks"},
      {kValues, R"(\b(clock_gettime|gettimeofday|timespec_get|time\s*\((nullptr|NULL|0|&)))",
       "take a Now, MonoTime or WallTime as an argument; server/io/driver.cc reads the clocks"},
      {{"common/", "server/turn/", "tests/"},
       R"(\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\()",
       "time is an argument: hand in a later one, or report a deadline"},
      {kValues, R"(\b(rand|srand|rand_r|random_device|drand48|mt19937(_64)?)\b)",
       "draw from the RandomSource that the caller hands in (common/base/random.h)"},
      {kValues, R"(\bthrow\b)", "return std::expected; TP_CHECK for a broken invariant"},
      {kValues, R"(\bstd\s*::\s*(thread|jthread|async)\b)",
       "let the caller bring the thread: server/ starts workers and the ledger thread"},
  };
  return bans;
}

std::vector<Finding> CheckBans(const SourceFile& file) {
  std::vector<Finding> findings;
  const std::string code = CodeOnly(file.text);
  const auto lines = Lines(code);
  for (const Ban& ban : Bans()) {
    if (!StartsWithAny(file.path, ban.folders)) continue;
    const std::regex pattern(ban.pattern, std::regex::optimize);
    for (size_t i = 0; i < lines.size(); ++i) {
      std::cmatch match;
      const char* begin = lines[i].data();
      if (!std::regex_search(begin, begin + lines[i].size(), match, pattern)) continue;
      findings.push_back(
          {file.path, i + 1, "no `" + match.str() + "` here: " + std::string(ban.instead)});
    }
  }
  return findings;
}

// ---- What a file looks like.

// Columns counts code points: every byte of UTF-8 that does not continue another.
size_t Columns(std::string_view line) {
  return static_cast<size_t>(
      std::ranges::count_if(line, [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

std::vector<Finding> CheckLines(const SourceFile& file) {
  // Written in two halves, so that this file may stand under its own rule.
  static const std::regex kPromise(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK)\\b");
  std::vector<Finding> findings;
  const auto lines = Lines(file.text);
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto add = [&](std::string message) {
      findings.push_back({file.path, i + 1, std::move(message)});
    };
    const std::string_view line = lines[i];
    if (Columns(line) > kMaxColumns && line.find("://") == std::string_view::npos) {
      add(std::to_string(Columns(line)) + " columns; at most " + std::to_string(kMaxColumns) +
          ": run clang-format");
    }
    if (line.ends_with(' ') || line.ends_with('\r') || line.find('\t') != std::string_view::npos) {
      add("a tab, a carriage return or a space at the end: run clang-format");
    }
    if (std::regex_search(line.begin(), line.end(), kPromise)) {
      add("a promise in a comment: do it now, or say in the issue tracker what is missing");
    }
  }
  return findings;
}

std::vector<Finding> CheckShape(const SourceFile& file) {
  std::vector<Finding> findings;
  const size_t line_count = Lines(file.text).size();
  if (line_count > kMaxFileLines) {
    findings.push_back({file.path, 0,
                        std::to_string(line_count) + " lines; at most " +
                            std::to_string(kMaxFileLines) + ": split it by what its parts do"});
  }
  if (!file.text.empty() && !file.text.ends_with('\n')) {
    findings.push_back({file.path, line_count, "the last line has no end"});
  }
  if (file.path.ends_with(".h")) {
    if (!file.text.starts_with("// ")) {
      findings.push_back({file.path, 1, "a header starts with a comment that says what it is for"});
    }
    if (file.text.find("\n#pragma once\n") == std::string::npos) {
      findings.push_back({file.path, 1, "a header has #pragma once"});
    }
  }
  for (const Function& function : FindFunctions(CodeOnly(file.text))) {
    if (function.length() <= kMaxFunctionLines) continue;
    findings.push_back({file.path, function.first_line,
                        "a function of " + std::to_string(function.length()) + " lines; at most " +
                            std::to_string(kMaxFunctionLines) + ": give its steps names"});
  }
  return findings;
}

// ---- Every source has its test.

// Exception is a source without a test of its own name: a part that is tested through the whole it
// belongs to, or one that no test can hold (then `test` is empty).
struct Exception {
  std::string_view path;
  std::string_view test;
  std::string_view reason;
};

constexpr std::string_view kConfigReason = "config::Parse is the only way in";
constexpr std::string_view kLedgerReason = "SlotFile and Ledger are the only ways in";
constexpr Exception kExceptions[] = {
    {"common/base/check.cc", "", "it ends the process"},
    {"common/metering/file.cc", "tests/common/metering/slots_test.cc", kLedgerReason},
    {"common/metering/ledger_schema.cc", "tests/common/metering/ledger_test.cc", kLedgerReason},
    {"common/metering/ledger_writer.cc", "tests/common/metering/ledger_test.cc", kLedgerReason},
    {"common/metering/verify_sums.cc", "tests/common/metering/verify_test.cc",
     "VerifyLedger is the only way in"},
    {"common/metering/reading.cc", "tests/common/metering/report_test.cc",
     "every report begins so"},
    {"common/metering/slot_boot.cc", "tests/common/metering/slots_damage_test.cc", kLedgerReason},
    {"common/metering/slot_map.cc", "tests/common/metering/slots_test.cc", kLedgerReason},
    {"common/metering/sqlite.cc", "tests/common/metering/ledger_fault_test.cc", kLedgerReason},
    {"config/check.cc", "tests/config/problems_test.cc", kConfigReason},
    {"config/file.cc", "tests/config/load_test.cc", kConfigReason},
    {"config/findings.cc", "tests/config/problems_test.cc", kConfigReason},
    {"config/formats.cc", "tests/config/problems_test.cc", kConfigReason},
    {"config/keys.cc", "tests/config/load_test.cc", kConfigReason},
    {"config/read_tree.cc", "tests/config/problems_test.cc", kConfigReason},
    {"config/reference.cc", "tests/config/load_test.cc", kConfigReason},
    {"config/substitute.cc", "tests/config/secrets_test.cc", kConfigReason},
};

bool HasFile(const std::vector<SourceFile>& tree, std::string_view path) {
  return std::ranges::count(tree, path, &SourceFile::path) != 0;
}

// HasOwnTest wants for common/net/ip_set.cc a tests/common/net/ip_set*_test.cc.
bool HasOwnTest(const std::vector<SourceFile>& tree, std::string_view path) {
  const std::string stem = "tests/" + std::string(path.substr(0, path.size() - 3));
  return std::ranges::any_of(tree, [&](const SourceFile& test) {
    return test.path.starts_with(stem) && test.path.ends_with("_test.cc") &&
           test.path.find('/', stem.size()) == std::string::npos;
  });
}

std::vector<Finding> CheckTests(const std::vector<SourceFile>& tree,
                                std::span<const Exception> exceptions) {
  std::vector<Finding> findings;
  for (const SourceFile& file : tree) {
    if (!file.path.ends_with(".cc") ||
        !StartsWithAny(file.path, {"common/", "server/turn/", "config/"}) ||
        HasOwnTest(tree, file.path) ||
        std::ranges::count(exceptions, file.path, &Exception::path) != 0) {
      continue;
    }
    const std::string stem = file.path.substr(0, file.path.size() - 3);
    findings.push_back({file.path, 0, "no test: write tests/" + stem + "_test.cc"});
  }
  for (const Exception& exception : exceptions) {
    const auto add = [&](std::string what) {
      findings.push_back({std::string(exception.path), 0,
                          "an exception of tests/style_test.cc (" + std::string(exception.reason) +
                              ") is stale: " + std::move(what)});
    };
    if (!HasFile(tree, exception.path)) add("the file is gone");
    if (HasOwnTest(tree, exception.path)) add("the file has a test of its own now");
    if (!exception.test.empty() && !HasFile(tree, exception.test)) {
      add("there is no " + std::string(exception.test));
    }
  }
  return findings;
}

// ---- The real tree.

void Report(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) FAIL_CHECK(finding.ToString());
}

TEST_CASE("time, randomness, threads and exceptions stay out of the values") {
  for (const SourceFile& file : ReadTree(SourceDir())) Report(CheckBans(file));
}

TEST_CASE("lines are short and promise nothing") {
  for (const SourceFile& file : ReadTree(SourceDir())) Report(CheckLines(file));
}

TEST_CASE("files and functions are small, headers say what they are for") {
  for (const SourceFile& file : ReadTree(SourceDir())) Report(CheckShape(file));
}

TEST_CASE("every source of common, server/turn and config has its test") {
  Report(CheckTests(ReadTree(SourceDir()), kExceptions));
}

// ---- The checkers themselves, on bad samples.

std::string First(const std::vector<Finding>& findings) {
  return findings.empty() ? "" : findings.front().ToString();
}

std::string Repeat(std::string_view text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

TEST_CASE("bans: each pattern is found, with its replacement") {
  CHECK(First(CheckBans({"server/turn/a.cc", "\nauto t = std::chrono::steady_clock::now();\n"})) ==
        "server/turn/a.cc:2: no `steady_clock::now` here: take a Now, MonoTime or WallTime as an "
        "argument; server/io/driver.cc reads the clocks");
  for (const char* code :
       {"system_clock::now()", "using C = Clock; C c; Clock::now()", "clock_gettime(0, &t);",
        "gettimeofday(&t, nullptr);", "std::time(nullptr)", "time(0)", "sleep(1);", "usleep (10);",
        "std::this_thread::sleep_for(1s);", "rand();", "srand(1);", "std::random_device d;",
        "std::mt19937 engine;", "throw 1;", "  throw;", "std::thread t;", "std::jthread t;",
        "std::async(f);"}) {
    CAPTURE(std::string(code));
    CHECK(CheckBans({"common/net/a.cc", code}).size() == 1);
    CHECK(CheckBans({"server/turn/a.h", code}).size() == 1);
    CHECK(CheckBans({"server/io/a.cc", code}).empty());
  }
  CHECK(CheckBans({"tests/server/turn/a_test.cc", "sleep_for(1s);"}).size() == 1);
  CHECK(CheckBans({"tests/server/turn/a_test.cc", "std::thread t;"}).empty());
}

TEST_CASE("bans: comments, literals and longer words do not count") {
  for (const char* code :
       {"// throw, rand() and sleep(1)", "/* std::thread\n throw */", "Log(\"throw\");",
        "R\"(throw)\"", "R\"x(throw)\" throw)x\"", "operand(x);", "thrown = true;", "grand();",
        "runtime(0);", "std::this_thread::get_id();", "Now now{};", "now();", "lifetime (0)"}) {
    CAPTURE(std::string(code));
    CHECK(CheckBans({"common/net/a.cc", code}).empty());
  }
  CHECK(CheckBans({"common/a.cc", "// fine\n\"\\\"\"; throw 1;"}).size() == 1);
  CHECK(CheckBans({"common/a.cc", "int x = 1'000; char c = '\"'; throw 1;"}).size() == 1);
}

TEST_CASE("lines: columns count characters, not bytes") {
  CHECK(CheckLines({"a.cc", Repeat("x", 100) + "\n"}).empty());
  CHECK(CheckLines({"a.cc", Repeat("§", 100) + "\n"}).empty());
  CHECK(First(CheckLines({"a.cc", "\n" + Repeat("x", 101) + "\n"})) ==
        "a.cc:2: 101 columns; at most 100: run clang-format");
  CHECK(CheckLines({"a.cc", "// https://example.org/" + Repeat("x", 101) + "\n"}).empty());
  for (const char* line : {"x \n", "\tx\n", "x\r\n",
                           "// TO"
                           "DO: later\n",
                           "// FIX"
                           "ME\n"}) {
    CAPTURE(std::string(line));
    CHECK(CheckLines({"a.cc", line}).size() == 1);
  }
}

TEST_CASE("shape: long files, bare headers and long functions") {
  CHECK(CheckShape({"a.cc", Repeat("int x;\n", 400)}).empty());
  CHECK(First(CheckShape({"a.cc", Repeat("int x;\n", 401)})) ==
        "a.cc: 401 lines; at most 400: split it by what its parts do");
  CHECK(CheckShape({"a.h", "// A.\n#pragma once\n"}).empty());
  CHECK(CheckShape({"a.h", "#pragma once\n\n// A.\n"}).size() == 2);
  CHECK(CheckShape({"a.h", "// A.\n#ifndef A_H\n"}).size() == 1);
  CHECK(CheckShape({"a.cc", "int x;"}).size() == 1);
  const std::string body = Repeat("  x();\n", 68);
  CHECK(CheckShape({"a.cc", "void F() {\n" + body + "}\n"}).empty());
  CHECK(First(CheckShape({"a.cc", "\nvoid F() {\n" + body + "  x();\n}\n"})) ==
        "a.cc:2: a function of 71 lines; at most 70: give its steps names");
}

TEST_CASE("shape: functions are found where clang-format puts them") {
  const std::string code = R"(#define X(a) { a (
namespace a {
namespace {
constexpr Row kRows[] = {
    {1, F(2)},
};
struct alignas(64) S : T<decltype(f())> {
  S(int x)
      : a_{x}, b_(x) {
    if (x) {
      y();
    }
  }
  bool operator==(const S&) const {
    return true;
  }
  int a_{0};
};
enum class E : int { kA, kB };
template <class T, struct U>
void G(T t = {},
       Options o = {.x = 1}) {
  const char* s = "}}}{ // ";
  auto f = [] { return '{'; };
}  // namespace
}
extern "C" int Fuzz(const uint8_t* d) {
  return 0;
}
auto lambda = [](int x) {
  return x;
};
TEST_CASE("x {") {
}
}
)";
  std::vector<std::pair<size_t, size_t>> places;
  for (const Function& f : FindFunctions(CodeOnly(code))) {
    places.emplace_back(f.first_line, f.last_line);
  }
  const std::vector<std::pair<size_t, size_t>> expected = {
      {8, 13}, {14, 16}, {20, 25}, {27, 29}, {33, 34}};
  CHECK(places == expected);
}

TEST_CASE("tests: a source without one is named, and a stale exception too") {
  const auto check = [](std::vector<std::string> paths, std::vector<Exception> exceptions) {
    std::vector<SourceFile> tree;
    for (std::string& path : paths) tree.push_back({std::move(path), ""});
    return First(CheckTests(tree, exceptions));
  };
  CHECK(check({"common/net/a.cc"}, {}) ==
        "common/net/a.cc: no test: write tests/common/net/a_test.cc");
  CHECK(check({"common/net/a.cc", "tests/common/net/a_test.cc"}, {}).empty());
  CHECK(check({"config/a.cc", "tests/config/a_limits_test.cc"}, {}).empty());
  CHECK(!check({"server/turn/a.cc", "tests/server/a_test.cc"}, {}).empty());
  CHECK(!check({"server/turn/a.cc", "tests/server/turn/a/b_test.cc"}, {}).empty());
  CHECK(!check({"server/turn/a.cc", "tests/server/turn/a.cc"}, {}).empty());
  CHECK(check({"server/io/a.cc", "server/turn/a.h"}, {}).empty());
  CHECK(check({"config/a.cc"}, {{"config/a.cc", "", "why"}}).empty());
  const std::string b_test = "tests/config/b_test.cc";
  CHECK(check({"config/a.cc", b_test}, {{"config/a.cc", b_test, "why"}}).empty());
  CHECK(check({"config/a.cc"}, {{"config/a.cc", b_test, "why"}}) ==
        "config/a.cc: an exception of tests/style_test.cc (why) is stale: there is no " + b_test);
  CHECK(!check({"config/a.cc", "tests/config/a_test.cc"}, {{"config/a.cc", "", "why"}}).empty());
  CHECK(!check({}, {{"config/gone.cc", "", "why"}}).empty());
}

}  // namespace
}  // namespace turnpike
