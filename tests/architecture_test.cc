// The arrows of the design, held against every #include line of the tree.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/tree.h"

namespace turnpike {
namespace {

// Part is a folder and what it may include. The longest `folder` that begins a path is its part.
struct Part {
  std::string_view name;
  std::string_view folder;
  std::vector<std::string_view> may_include;  // parts, beside itself
};

const std::vector<Part>& Parts() {
  static const std::vector<Part> parts = {
      {"base", "common/base/", {}},
      {"net", "common/net/", {"base"}},
      {"stun", "common/stun/", {"base", "net"}},
      {"client", "common/client/", {"base", "net", "stun"}},
      {"metering", "common/metering/", {"base", "net"}},
      {"accounts", "common/accounts/", {"base", "metering"}},
      {"turn", "server/turn/", {"base", "net", "stun"}},
      {"io", "server/io/", {"base", "net", "stun", "metering", "turn"}},
      {"http", "server/http/", {"base", "net"}},
      {"ops", "server/ops/", {"base", "net", "stun", "metering", "turn", "http"}},
      {"api", "server/api/", {"base", "net", "stun", "metering", "accounts", "http"}},
      {"config", "config/", {"base", "net"}},
      {"app",
       "server/",
       {"base", "net", "stun", "metering", "accounts", "turn", "io", "http", "ops", "api",
        "config"}},
      {"main",
       "server/main.cc",
       {"base", "net", "stun", "metering", "turn", "io", "ops", "config", "app"}},
      {"load", "tools/load/", {"base", "net", "stun", "client", "metering"}},
      {"check", "tools/check/", {"base", "net", "stun", "client", "load"}},
      {"replay", "tools/replay/", {"base", "net", "stun", "metering", "load"}},
      {"tools",
       "tools/",
       {"base", "net", "stun", "client", "metering", "accounts", "config", "load", "replay",
        "check"}},
      {"tests",
       "tests/",
       {"base", "net", "stun", "client", "metering", "turn", "io", "http", "ops", "api", "config",
        "app", "tools", "load", "replay", "check", "accounts"}},
  };
  return parts;
}

// Headers that cross an arrow: all that the core sees of metering, and the values that files of
// rates and caps are read into.
constexpr std::string_view kUsage = "common/metering/usage.h";
constexpr std::string_view kRateCard = "common/metering/rate_card.h";
constexpr std::string_view kCap = "common/metering/cap.h";

// Library is a header, or a folder of headers, that only some files may know. A test of those
// files, under tests/<same path>, may know it too.
struct Library {
  std::string_view header;  // what an include in angle brackets begins with
  std::string_view name;
  std::vector<std::string_view> allowed;  // beginnings of paths
};

const std::vector<Library>& Libraries() {
  static const std::vector<std::string_view> kSockets = {"server/io/", "server/http/", "tools/",
                                                         "tests/", "server/syscall_filter.cc"};
  static const std::vector<Library> libraries = {
      {"sqlite3.h", "SQLite", {"common/metering/"}},
      {"yaml-cpp/", "yaml-cpp", {"config/load.cc"}},
      {"date/", "the date library", {"common/metering/time_zone.cc"}},
      {"uv.h", "libuv", {"server/io/", "server/*.cc"}},
      {"openssl/",
       "BoringSSL",
       // sha256.cc: metering chains hashes and may not see stun; a second crypto library would have
       // to be installed and kept apart from BoringSSL's symbols. tools/load/tls: the generator is
       // a client, and shares no I/O code with the server.
       {"common/base/sha256.cc", "common/stun/integrity.cc", "server/io/tls",
        "server/io/system_random.cc", "server/http/tls_client.cc", "tools/load/tls"}},
      // tools/load/dtls: the client's end, for the same reason as its TLS.
      {"gnutls/", "GnuTLS", {"server/io/dtls", "tools/load/dtls"}},
      // The generator alone: under the server it brought nothing over sendmmsg, whose batches leave
      // from one socket; the generator's leave from a thousand.
      {"liburing.h", "liburing", {"tools/load/udp_sender.cc"}},
      {"pcap/", "libpcap", {"tools/replay/capture.cc"}},
      {"prometheus/", "prometheus-cpp", {"server/ops/"}},
      {"civetweb.h", "civetweb", {"server/http/"}},
      {"CivetServer.h", "civetweb", {"server/http/"}},
      {"spdlog/", "spdlog", {"common/base/log.cc"}},
      {"seccomp.h", "libseccomp", {"server/syscall_filter.cc"}},
      {"doctest/", "doctest", {"tests/"}},
      {"sys/socket.h", "the socket interface", kSockets},
      {"netinet/", "the socket interface", kSockets},
      {"sys/epoll.h", "the socket interface", kSockets},
      // log.cc: to write to a pipe only what it has room for.
      {"poll.h", "poll", {"server/io/", "tools/", "tests/", "common/base/log.cc"}},
  };
  return libraries;
}

const Part* PartOf(std::string_view path) {
  const Part* best = nullptr;
  for (const Part& part : Parts()) {
    if (!path.starts_with(part.folder)) continue;
    if (best == nullptr || part.folder.size() > best->folder.size()) best = &part;
  }
  return best;
}

std::string Join(const std::vector<std::string_view>& words) {
  std::string joined;
  for (const std::string_view word : words) {
    if (!joined.empty()) joined += ", ";
    joined += word;
  }
  return joined;
}

struct Include {
  std::string_view target;
  bool is_quoted = false;
};

std::optional<Include> ReadInclude(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (!line.starts_with('#') || line.find("include") == std::string_view::npos) return std::nullopt;
  const size_t open = line.find_first_of("<\"");
  if (open == std::string_view::npos) return std::nullopt;
  const bool is_quoted = line[open] == '"';
  const size_t close = line.find(is_quoted ? '"' : '>', open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return Include{line.substr(open + 1, close - open - 1), is_quoted};
}

// CheckArrow judges an include of a file of the tree; empty when it is right.
std::string CheckArrow(std::string_view path, std::string_view target) {
  const Part* from = PartOf(path);
  const Part* to = PartOf(target);
  const std::string quoted = "#include \"" + std::string(target) + "\": ";
  if (from == nullptr) return quoted + "this file lies outside of every part of the design";
  if (to == nullptr) return quoted + "name the file by its path from the root of the tree";
  if (from == to || std::ranges::count(from->may_include, to->name) != 0) return {};
  if (from->name == "turn" && to->name == "metering") {
    if (target == kUsage) return {};
    return quoted + "server/turn sees of metering only " + std::string(kUsage);
  }
  if (from->name == "config" && (target == kRateCard || target == kCap)) return {};
  const std::string may = from->may_include.empty() ? "nothing else" : Join(from->may_include);
  return quoted + "the arrow " + std::string(from->name) + " -> " + std::string(to->name) +
         " is wrong: " + std::string(from->name) + " may include " + may;
}

// Matches says whether `path` is one of those that `pattern` names: `server/*.cc` is a folder's own
// files without those of its subfolders, anything else is the beginning of a path.
bool Matches(std::string_view path, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return path.starts_with(pattern);
  const std::string_view folder = pattern.substr(0, star);
  return path.starts_with(folder) && path.ends_with(pattern.substr(star + 1)) &&
         path.substr(folder.size()).find('/') == std::string_view::npos;
}

// CheckLibrary judges an include of a library's header; empty when it is right.
std::string CheckLibrary(std::string_view path, std::string_view target) {
  for (const Library& library : Libraries()) {
    if (!target.starts_with(library.header)) continue;
    const bool is_allowed = std::ranges::any_of(library.allowed, [&](std::string_view pattern) {
      if (Matches(path, pattern)) return true;
      const size_t name = pattern.rfind('/') + 1;
      return path.starts_with("tests/") && path.substr(6).starts_with(pattern.substr(0, name));
    });
    if (!is_allowed) {
      return "#include <" + std::string(target) + ">: " + std::string(library.name) +
             " belongs only in " + Join(library.allowed);
    }
  }
  return {};
}

std::vector<Finding> CheckIncludes(const SourceFile& file) {
  std::vector<Finding> findings;
  const auto lines = Lines(file.text);
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto include = ReadInclude(lines[i]);
    if (!include) continue;
    const std::string message = include->is_quoted ? CheckArrow(file.path, include->target)
                                                   : CheckLibrary(file.path, include->target);
    if (!message.empty()) findings.push_back({file.path, i + 1, message});
  }
  return findings;
}

TEST_CASE("every #include of the tree follows the arrows of the design") {
  const auto tree = ReadTree(SourceDir());
  REQUIRE(tree.size() > 50);
  std::set<std::string_view> seen;
  for (const SourceFile& file : tree) {
    if (const Part* part = PartOf(file.path)) seen.insert(part->name);
    for (const Finding& finding : CheckIncludes(file)) FAIL_CHECK(finding.ToString());
  }
  for (const Part& part : Parts()) {
    CHECK_MESSAGE(seen.contains(part.name), "no file in " << std::string(part.folder));
  }
}

// ---- The checker itself, on bad samples.

std::string Check(std::string path, std::string text) {
  std::string messages;
  for (const Finding& finding : CheckIncludes({std::move(path), std::move(text)})) {
    messages += finding.ToString() + "\n";
  }
  return messages;
}

TEST_CASE("a wrong arrow is named with file, line and arrow") {
  CHECK(Check("common/net/a.h", "// A.\n\n#include \"common/stun/message.h\"\n") ==
        "common/net/a.h:3: #include \"common/stun/message.h\": the arrow net -> stun is wrong: net "
        "may include base\n");
  CHECK(
      Check("common/base/a.cc", "#include \"common/net/ip_set.h\"\n") ==
      "common/base/a.cc:1: #include \"common/net/ip_set.h\": the arrow base -> net is wrong: base "
      "may include nothing else\n");
}

TEST_CASE("wrong arrows, one by one") {
  struct Row {
    std::string_view path, target;
  };
  for (const Row& row : std::vector<Row>{
           {"common/net/a.h", "common/client/client.h"},
           {"common/stun/a.h", "common/metering/usage.h"},
           {"common/stun/a.h", "server/turn/types.h"},
           {"common/metering/a.cc", "common/stun/message.h"},
           {"common/metering/a.cc", "server/turn/types.h"},
           {"common/client/a.cc", "server/turn/types.h"},
           {"server/turn/a.cc", "server/io/driver.h"},
           {"server/turn/a.cc", "config/config.h"},
           {"server/turn/a.cc", "common/client/client.h"},
           {"server/turn/a.cc", "common/metering/ledger.h"},
           {"server/turn/a.cc", "common/metering/slots.h"},
           {"server/io/a.cc", "server/app.h"},
           {"server/io/a.cc", "server/ops/metrics.h"},
           {"server/io/a.cc", "config/config.h"},
           {"server/ops/a.cc", "server/io/driver.h"},
           {"server/ops/a.cc", "server/api/routes.h"},
           {"server/api/a.cc", "server/turn/types.h"},
           {"server/http/a.cc", "common/metering/usage.h"},
           {"server/app.cc", "common/client/client.h"},
           {"server/app.cc", "tools/load/plan.h"},
           {"tools/load/a.cc", "config/config.h"},
           {"tools/load/a.cc", "server/io/sockaddr.h"},
           {"tools/load/a.cc", "tools/replay/scan.h"},
           {"tools/replay/a.cc", "config/rates.h"},
           {"config/a.cc", "common/metering/usage.h"},
           {"config/a.cc", "server/turn/options.h"},
           {"tools/turnpike/a.cc", "server/turn/types.h"},
           {"server/turn/a.cc", "tests/support/hex.h"},
           {"server/turn/a.cc", "types.h"},
           {"server/turn/a.cc", "../turn/types.h"},
           {"examples/a.cc", "common/base/bytes.h"},
       }) {
    CAPTURE(std::string(row.path));
    CAPTURE(std::string(row.target));
    CHECK(!CheckArrow(row.path, row.target).empty());
  }
}

TEST_CASE("right arrows") {
  CHECK(CheckArrow("server/turn/a.cc", kUsage).empty());
  CHECK(CheckArrow("server/turn/a.cc", "common/stun/message.h").empty());
  CHECK(CheckArrow("config/rates.cc", kRateCard).empty());
  CHECK(CheckArrow("config/config.h", kCap).empty());
  CHECK(CheckArrow("server/app.cc", "server/io/driver.h").empty());
  CHECK(CheckArrow("server/main.cc", "server/app.h").empty());
  CHECK(CheckArrow("tools/turnpike/load.cc", "common/client/client.h").empty());
  CHECK(CheckArrow("tools/load/session.h", "common/client/turn_client.h").empty());
  CHECK(CheckArrow("tests/sim/a.cc", "server/turn/turn_server.h").empty());
  CHECK(
      Check("common/base/a.h", "#pragma once\n#include <array>\n// #include is a word\n").empty());
}

TEST_CASE("a library's header outside of its place is named") {
  CHECK(Check("server/turn/a.cc", "  #  include <uv.h>\n") ==
        "server/turn/a.cc:1: #include <uv.h>: libuv belongs only in server/io/, server/*.cc\n");
  struct Row {
    std::string_view path, header;
    bool allowed;
  };
  for (const Row& row : std::vector<Row>{
           {"common/metering/ledger.cc", "sqlite3.h", true},
           {"tests/common/metering/ledger_test.cc", "sqlite3.h", true},
           {"tests/sim/a.cc", "sqlite3.h", false},
           {"tools/turnpike/usage.cc", "sqlite3.h", false},
           {"config/load.cc", "yaml-cpp/yaml.h", true},
           {"config/keys.cc", "yaml-cpp/yaml.h", false},
           {"server/app.cc", "uv.h", true},
           {"server/ops/admin.cc", "uv.h", false},
           {"common/base/sha256.cc", "openssl/sha.h", true},
           {"common/metering/billing.cc", "openssl/sha.h", false},
           {"common/stun/integrity.cc", "openssl/hmac.h", true},
           {"common/stun/message.cc", "openssl/hmac.h", false},
           {"server/io/tls_context.cc", "openssl/ssl.h", true},
           {"server/io/dtls_session.cc", "gnutls/gnutls.h", true},
           {"server/io/dtls_session.cc", "openssl/ssl.h", false},
           {"server/io/udp.cc", "gnutls/dtls.h", false},
           {"tools/replay/capture.cc", "pcap/pcap.h", true},
           {"tools/replay/scan.cc", "pcap/pcap.h", false},
           {"tools/load/dtls_leg.cc", "gnutls/dtls.h", true},
           {"tools/load/session.cc", "gnutls/dtls.h", false},
           {"tools/load/udp_sender.cc", "liburing.h", true},
           {"server/io/udp.cc", "liburing.h", false},
           {"server/io/udp.cc", "openssl/ssl.h", false},
           {"tools/load/tls_stream.cc", "openssl/ssl.h", true},
           {"tools/load/session.cc", "openssl/ssl.h", false},
           {"server/turn/nonce.cc", "openssl/hmac.h", false},
           {"server/ops/metrics.cc", "prometheus/registry.h", true},
           {"server/io/udp.cc", "prometheus/counter.h", false},
           {"server/app.cc", "civetweb.h", false},
           {"server/ops/admin_http.cc", "civetweb.h", false},
           {"server/http/http_server.cc", "civetweb.h", true},
           {"common/base/log.cc", "spdlog/logger.h", true},
           {"common/base/log.h", "spdlog/logger.h", false},
           {"common/net/ip_set.cc", "sys/socket.h", false},
           {"server/turn/relay.cc", "netinet/in.h", false},
           {"server/io/udp.cc", "sys/socket.h", true},
           {"server/io/udp.cc", "doctest/doctest.h", false},
       }) {
    CAPTURE(std::string(row.path));
    CAPTURE(std::string(row.header));
    CHECK(CheckLibrary(row.path, row.header).empty() == row.allowed);
  }
}

}  // namespace
}  // namespace turnpike
