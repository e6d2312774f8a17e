// Reads configuration files. The only file that knows yaml-cpp: its exceptions stop here.
#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "common/base/check.h"
#include "common/base/log.h"
#include "config/check.h"
#include "config/config.h"
#include "config/file.h"
#include "config/findings.h"
#include "config/read_tree.h"
#include "config/tree.h"

namespace turnpike::config {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

// TreeBuilder turns yaml-cpp's events into a Node. YAML::Node would do, but it drops the lines of
// keys.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Findings& findings) : findings_(findings) { open_.push_back({}); }

  // root returns the document; a list of one item, or of none for an empty document.
  const Node& root() const { return open_.front(); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    ReportAnchor(mark, anchor);
    Add({.kind = NodeKind::kNull, .line = mark.line + 1});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    findings_.Add(mark.line + 1, "",
                  "aliases are not supported; put a value that begins with * in quotes");
    Add({.kind = NodeKind::kNull, .line = mark.line + 1});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    ReportAnchor(mark, anchor);
    ReportTag(mark, tag);
    Add({.kind = NodeKind::kScalar, .line = mark.line + 1, .text = value});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    ReportAnchor(mark, anchor);
    ReportTag(mark, tag);
    open_.push_back({.kind = NodeKind::kList, .line = mark.line + 1});
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    ReportAnchor(mark, anchor);
    ReportTag(mark, tag);
    open_.push_back({.kind = NodeKind::kMap, .line = mark.line + 1});
  }
  void OnMapEnd() override { Close(); }

 private:
  // Add puts a finished node where it belongs: maps take keys and items in turn.
  void Add(Node node) {
    Node& parent = open_.back();
    const bool is_key = parent.kind == NodeKind::kMap && parent.keys.size() == parent.items.size();
    (is_key ? parent.keys : parent.items).push_back(std::move(node));
  }
  void Close() {
    TP_CHECK(open_.size() > 1);
    Node node = std::move(open_.back());
    open_.pop_back();
    Add(std::move(node));
  }
  void ReportAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    findings_.Add(mark.line + 1, "",
                  "anchors are not supported; put a value that begins with & in quotes");
  }
  void ReportTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;  // "!" is how yaml-cpp says "in quotes"
    findings_.Add(mark.line + 1, "",
                  "tags are not supported; put a value that begins with ! in quotes");
  }

  Findings& findings_;
  std::vector<Node> open_;  // the root, and what is not closed yet within it
};

std::string Line(std::string_view text, int line) {
  std::istringstream in{std::string(text)};
  std::string content;
  for (int i = 0; i < line && std::getline(in, content);) ++i;
  return content;
}

// SyntaxHint guesses what made `line` unreadable.
std::string SyntaxHint(const std::string& line) {
  const size_t braces = line.find("${");
  const size_t flow = line.find_first_of("[{");
  if (braces != std::string::npos && flow != std::string::npos && flow < braces) {
    return "; inside [ ] and { }, a value with ${…} needs quotes";
  }
  if (line.find_first_not_of(" \t") != std::string::npos &&
      line.substr(0, line.find_first_not_of(" \t")).contains('\t')) {
    return "; indent with spaces, not with tabs";
  }
  return "; look for a missing colon, quote, bracket or space";
}

std::optional<std::string> ProcessEnvironment(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// ThisHost returns the host's name, or `localhost` if it has none that fits.
std::string ThisHost() {
  std::array<char, 65> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer[0] == '\0') return "localhost";
  return buffer.data();
}

void SetLine(Node& node, int line) {
  node.line = line;
  for (Node& key : node.keys) SetLine(key, line);
  for (Node& item : node.items) SetLine(item, line);
}

// ReadValue is a ValueReader. What is wrong with the text is not told: it may be a secret.
std::optional<Node> ReadValue(std::string_view text, int line) {
  Findings ignored("");
  TreeBuilder builder(ignored);
  std::istringstream in{std::string(text)};
  try {
    YAML::Parser(in).HandleNextDocument(builder);
  } catch (const YAML::Exception&) {
    return std::nullopt;
  }
  if (builder.root().items.empty() || !ignored.Take().empty()) return std::nullopt;
  Node node = builder.root().items.front();
  SetLine(node, line);
  return node;
}

}  // namespace

std::optional<Node> ReadYaml(std::string_view text, std::string_view start, Findings& findings) {
  TreeBuilder builder(findings);
  std::istringstream in{std::string(text)};
  try {
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
    if (parser.HandleNextDocument(builder)) {
      const Node& root = builder.root();
      findings.Add(root.items.size() > 1 ? root.items[1].line : 0, "",
                   "a second document begins; write one document, without --- in between");
      return std::nullopt;
    }
  } catch (const YAML::Exception& error) {
    // What follows a colon in yaml-cpp's messages is a piece of the file, maybe of a secret.
    const std::string what = error.msg.substr(0, error.msg.find(": "));
    const int line = error.mark.line + 1;
    findings.Add(line, "", "not readable as YAML: " + what + SyntaxHint(Line(text, line)));
    return std::nullopt;
  }
  const std::vector<Node>& documents = builder.root().items;
  if (documents.empty() || documents.front().kind == NodeKind::kNull) {
    findings.Add(0, "", "the file says nothing; " + std::string(start));
    return std::nullopt;
  }
  if (documents.front().kind != NodeKind::kMap) {
    findings.Add(documents.front().line, "", "the file must hold lines of the form `key: value`");
    return std::nullopt;
  }
  return documents.front();
}

Config Defaults() {
  Config config;
  for (const Transport transport : {Transport::kUdp, Transport::kTcp}) {
    config.listen.push_back({transport, {IpAddress(), 3478}});
    config.listen.push_back({transport, {*IpAddress::Parse("::"), 3478}});
  }
  return config;
}

std::expected<Config, std::vector<Problem>> Parse(std::string_view text, const std::string& file,
                                                  Environment environment) {
  Findings findings(file);
  const std::string directory = std::filesystem::path(file).parent_path().string();
  Config config = Defaults();
  constexpr std::string_view kStart = "`turnpike config reference` prints one to start from";
  if (const auto root = ReadYaml(text, kStart, findings)) {
    ReadTree(*root, directory, environment, ReadValue, config, findings);
    FillIn(config, directory);
    CheckWhole(config, findings);
  }
  auto problems = findings.Take();
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return config;
}

std::expected<Config, std::vector<Problem>> Load(const std::string& path) {
  const auto text = ReadSmallFile(path, kMaxConfigBytes);
  if (!text) return std::unexpected(std::vector<Problem>{{path, 0, "", text.error()}});
  auto config = Parse(*text, path, ProcessEnvironment);
  if (config && config->node.empty()) config->node = ThisHost();
  return config;
}

}  // namespace turnpike::config
