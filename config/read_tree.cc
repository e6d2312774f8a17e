#include "config/read_tree.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "config/keys.h"
#include "config/substitute.h"

namespace turnpike::config {
namespace {

std::string Join(std::string_view parent, std::string_view leaf) {
  return parent.empty() ? std::string(leaf) : std::string(parent) + "." + std::string(leaf);
}

// EditDistance counts the insertions, deletions and replacements between `a` and `b` (Levenshtein).
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

// Suggestion says what a key that nobody knows may have been meant as.
std::string Suggestion(std::string_view parent, std::string_view name) {
  constexpr size_t kTypos = 2;
  if (name.size() > 64) return {};  // no key is that long, and distances cost the product of both
  std::string_view nearest;
  size_t nearest_distance = std::min(kTypos + 1, name.size());
  std::string known;
  for (const Key& key : Keys()) {
    if (KeyParent(key.name) != parent) continue;
    const std::string_view leaf = KeyLeaf(key.name);
    known += (known.empty() ? "" : ", ") + std::string(leaf);
    const size_t distance = EditDistance(name, leaf);
    if (distance < nearest_distance) {
      nearest = leaf;
      nearest_distance = distance;
    }
  }
  if (!nearest.empty()) return "; did you mean `" + std::string(nearest) + "`?";
  for (const Key& key : Keys()) {
    if ((KeyLeaf(key.name) == name && !KeyParent(key.name).empty()) || key.name == name) {
      return "; did you mean `" + std::string(KeyLeaf(key.name)) + "` in `" +
             std::string(KeyParent(key.name)) + "`?";
    }
  }
  return "; known here: " + known;
}

// Shown renders a scalar for a message: never a secret, and never what a substitution put in.
std::string Shown(const Key& key, std::string_view written, std::string_view value) {
  constexpr size_t kLongest = 60;
  if (key.secret || value.empty()) return "the value";
  if (written != value) return "the value of `" + EscapeText(written) + "`";
  if (value.size() > kLongest) return "the value";
  return EscapeText(value);
}

class TreeReader {
 public:
  TreeReader(const std::string& directory, Environment environment, const ValueReader& read_value,
             Config& config, Findings& findings)
      : directory_(directory),
        environment_(environment),
        read_value_(read_value),
        config_(config),
        findings_(findings) {}

  // ReadMap reads the members of the map at `path`; `row` is that path as the table spells it.
  void ReadMap(const Node& map, const std::string& path, std::string_view row) {
    std::map<std::string_view, int> seen;
    for (size_t i = 0; i < map.items.size(); ++i) {
      const Node& name = map.keys[i];
      const auto [first, is_new] = seen.emplace(name.text, name.line);
      const Key* const key = FindMember(name, row);
      if (key == nullptr) {
        ReportUnknown(name, map.items[i], path, row);
      } else if (!is_new) {
        findings_.Add(name.line, Join(path, name.text),
                      "stands here a second time, after line " + std::to_string(first->second) +
                          "; remove one of the two");
      } else {
        findings_.Saw(Join(path, name.text), name.line);
        ReadMember(map.items[i], name.line, *key, Join(path, name.text));
      }
    }
    ReportMissing(map, path, row);
  }

 private:
  static const Key* FindMember(const Node& name, std::string_view row) {
    if (name.kind != NodeKind::kScalar) return nullptr;
    const Key* const key = FindKey(Join(row, name.text));
    return key != nullptr && KeyParent(key->name) == row ? key : nullptr;
  }

  void ReportUnknown(const Node& name, const Node& value, const std::string& path,
                     std::string_view row) {
    if (name.kind != NodeKind::kScalar) {
      findings_.Add(name.line, path, "a key must be one word");
    } else if (row.starts_with("auth") && value.kind == NodeKind::kNull) {
      // `{username: alice, s3cret}`: YAML takes the password for a key, and it must not be shown.
      findings_.Add(name.line, path, "there is a word without a value; write `key: value`");
    } else {
      findings_.Add(name.line, path,
                    "unknown key `" + EscapeText(name.text) + "`" + Suggestion(row, name.text));
    }
  }

  void ReportMissing(const Node& map, const std::string& path, std::string_view row) {
    for (const Key& key : Keys()) {
      if (key.presence != Presence::kRequired || KeyParent(key.name) != row) continue;
      const std::string name = Join(path, KeyLeaf(key.name));
      if (findings_.HasSeen(name)) continue;
      findings_.Add(map.line, name,
                    "is missing; write " + std::string(KeyLeaf(key.name)) + ": " + "and a value (" +
                        key.describe() + ")");
    }
  }

  // ReadMember reads what stands behind `key`, which was written on `line`.
  void ReadMember(const Node& value, int line, const Key& key, const std::string& path) {
    if (key.kind == KeyKind::kSection) {
      if (value.kind == NodeKind::kMap) {
        ReadMap(value, path, key.name);
      } else if (value.kind != NodeKind::kNull) {  // an empty section is one with all defaults
        findings_.Add(line, path, "is a section; write its keys below it, indented");
      }
    } else if (value.kind == NodeKind::kNull) {
      findings_.Add(line, path, "has no value; write one, or remove the key for its default");
    } else if (key.kind == KeyKind::kValue) {
      ReadScalar(value, key, path);
    } else if (value.kind == NodeKind::kScalar && value.text.contains("${")) {
      ReadListText(value, key, path);
    } else {
      ReadItems(value, key, path);
    }
  }

  // ReadListText reads a list that a variable or file holds as YAML.
  void ReadListText(const Node& value, const Key& key, const std::string& path) {
    const auto text = Substitute(value.text, directory_, environment_, &config_.secret_files);
    if (!text) {
      findings_.Add(value.line, path, text.error());
      return;
    }
    if (text->empty()) return;
    const auto list = read_value_(*text, value.line);
    if (list && list->kind == NodeKind::kList) {
      ReadItems(*list, key, path);
      return;
    }
    findings_.Add(
        value.line, path,
        "is set to what is no list in YAML; write it as, for example, " + std::string(key.example));
  }

  void ReadItems(const Node& value, const Key& key, const std::string& path) {
    if (value.kind != NodeKind::kList) {
      findings_.Add(value.line, path,
                    "is not a list; write it as, for example, " + std::string(key.example));
      return;
    }
    key.clear(config_);
    for (size_t i = 0; i < value.items.size(); ++i) {
      const Node& item = value.items[i];
      const std::string item_path = path + "[" + std::to_string(i) + "]";
      findings_.Saw(item_path, item.line);
      if (key.kind == KeyKind::kList) {
        ReadScalar(item, key, item_path);
      } else if (item.kind == NodeKind::kMap) {
        key.append(config_);
        ReadMap(item, item_path, std::string(key.name) + "[]");
      } else {
        findings_.Add(
            item.line, item_path,
            "is not a map of keys; write the list as, for example, " + std::string(key.example));
      }
    }
  }

  void ReadScalar(const Node& value, const Key& key, const std::string& path) {
    if (value.kind != NodeKind::kScalar) {
      findings_.Add(value.line, path, "is not one value; use: " + key.describe());
      return;
    }
    const auto text = Substitute(value.text, directory_, environment_, &config_.secret_files);
    if (!text) {
      findings_.Add(value.line, path, text.error());
      return;
    }
    const auto stored = key.read(config_, *text);
    if (!stored) {
      findings_.Add(value.line, path, Shown(key, value.text, *text) + " " + stored.error());
    }
  }

  const std::string& directory_;
  const Environment environment_;
  const ValueReader& read_value_;
  Config& config_;
  Findings& findings_;
};

}  // namespace

void ReadTree(const Node& root, const std::string& directory, Environment environment,
              const ValueReader& read_value, Config& config, Findings& findings) {
  TreeReader(directory, environment, read_value, config, findings).ReadMap(root, "", "");
}

}  // namespace turnpike::config
