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
  if (!key.example.empty()) out += lead + " Example: " + std::string(key.example) + "\n";
  return out;
}

}  // namespace

std::string Reference() {
  const Config defaults = Defaults();
  std::string out =
      "# Turnpike's configuration: every key at its default. `turnpike config reference` prints "
      "this\n"
      "# file. Unknown keys are errors. A value may hold ${NAME} or ${NAME:-default} from the\n"
      "# environment and ${file:PATH}; $${ stands for a plain ${. Inside [ ] and { } such a value "
      "needs\n"
      "# quotes. `turnpike config check FILE` tells what is wrong with a file.\n";
  bool is_first = false;
  for (const Key& key : Keys()) {
    if (KeyParent(key.name).ends_with("[]")) continue;  // told with its list
    if (!is_first) out += "\n";
    out += Comments(key) + Indent(key.name) + std::string(KeyLeaf(key.name)) + ":";
    const std::string value = key.print == nullptr ? "" : key.print(defaults);
    out += value.empty() || value.starts_with('\n') ? value : " " + value;
    out += "\n";
    is_first = key.kind == KeyKind::kSection;
  }
  return out;
}

}  // namespace turnpike::config
