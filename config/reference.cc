// The printed reference: THE table as a configuration file.
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/keys.h"

namespace turnpike::config {
namespace {

constexpr size_t kColumns = 100;

std::string Indent(std::string_view name) {
  size_t depth = 0;
  for (const char c : name) depth += c == '.' ? 1 : 0;
  return std::string(2 * depth, ' ');
}

// Comment renders `text` as comment lines behind `lead`, wrapped between words.
std::string Comment(const std::string& lead, std::string_view text) {
  std::string out;
  std::string line = lead;
  bool is_empty = true;
  while (!text.empty()) {
    const size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (!is_empty && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line = lead;
    }
    line += " " + std::string(word);
    is_empty = false;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out + line + "\n";
}

// Value says which values `key` takes, and which it has when it is left out.
std::string Value(const Key& key) {
  std::string text = key.kind == KeyKind::kList ? "List of: " : "Type: ";
  text += key.describe() + ".";
  if (key.presence == Presence::kRequired) text += " Required.";
  if (!key.default_note.empty()) text += " Default: " + std::string(key.default_note) + ".";
  return text;
}

// Members describes the keys of one entry of the list of maps `list`.
std::string Members(const Key& list) {
  std::string out;
  for (const Key& key : Keys()) {
    if (KeyParent(key.name) != std::string(list.name) + "[]") continue;
    const std::string leaf(KeyLeaf(key.name));
    out +=
        Comment(Indent(list.name) + "#  ", leaf + ": " + std::string(key.doc) + " " + Value(key));
  }
  return out;
}

// Comments renders all that is said above `key`.
std::string Comments(const Key& key) {
  const std::string lead = Indent(key.name) + "#";
  std::string out = Comment(lead, key.doc);
  if (key.describe != nullptr) out += Comment(lead, Value(key));
  if (key.kind == KeyKind::kEntries) out += Members(key);
  if (key.needs_restart) out += lead + " Needs a restart.\n";
  if (!key.example.empty()) out += lead + " Example: " + std::string(key.example) + "\n";
  return out;
}

// Variable names the environment variable of `key`: `metering.checkpoint` has
// TURNPIKE_METERING_CHECKPOINT.
std::string Variable(const Key& key) {
  std::string name = "TURNPIKE_";
  for (const char c : key.name) {
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

// FromEnvironment takes `key` from its variable. A list that is empty text has its default too,
// which may hold braces and could not stand in ${NAME:-default}.
std::string FromEnvironment(const Key& key, const Config& defaults) {
  if (key.kind == KeyKind::kSection) return "";
  std::string value = key.kind == KeyKind::kValue ? key.print(defaults) : "";
  if (value == "\"\"") value.clear();
  return "\"${" + Variable(key) + ":-" + value + "}\"";
}

// Rows renders all of THE table; `value` says what stands behind a key.
template <typename Value>
std::string Rows(Value value) {
  std::string out;
  bool is_first = false;
  for (const Key& key : Keys()) {
    if (KeyParent(key.name).ends_with("[]")) continue;  // told with its list
    if (!is_first) out += "\n";
    out += Comments(key) + Indent(key.name) + std::string(KeyLeaf(key.name)) + ":";
    const std::string text = value(key);
    out += text.empty() || text.starts_with('\n') ? text : " " + text;
    out += "\n";
    is_first = key.kind == KeyKind::kSection;
  }
  return out;
}

}  // namespace

std::string Reference() {
  const Config defaults = Defaults();
  const std::string head =
      "# Turnpike's configuration: every key at its default. `turnpike config reference` prints "
      "this\n"
      "# file. Unknown keys are errors. A value may hold ${NAME} or ${NAME:-default} from the\n"
      "# environment and ${file:PATH}; $${ stands for a plain ${. Inside [ ] and { } such a value "
      "needs\n"
      "# quotes. `turnpike config check FILE` tells what is wrong with a file. SIGHUP makes a "
      "running\n"
      "# server take a changed file up, all but the keys that need a restart, which say so here.\n";
  return head +
         Rows([&](const Key& key) { return key.print == nullptr ? "" : key.print(defaults); });
}

std::string EnvironmentReference() {
  const Config defaults = Defaults();
  const std::string head =
      "# Turnpike's configuration, wholly from the environment: a key's variable is its name in\n"
      "# capitals, with TURNPIKE_ in front and _ for dots. A list is written as YAML:\n"
      "# TURNPIKE_AUTH_SECRETS='[\"${file:/run/secrets/turn}\"]'. What is not set, or empty, has "
      "its\n"
      "# default. `turnpike config reference --environment` prints this file.\n";
  return head + Rows([&](const Key& key) { return FromEnvironment(key, defaults); });
}

}  // namespace turnpike::config
