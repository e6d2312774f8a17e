// THE table of configuration keys: parsing, unknown-key errors, the printed reference and the check
// of `config/turnpike.yaml` come from it. A new key is a member in `config.h` and a row in
// `keys.cc`.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "config/config.h"

namespace turnpike::config {

// KeyKind says what stands behind a key in YAML.
enum class KeyKind : uint8_t {
  kSection,  // a map of further rows, `NAME.…`
  kValue,    // a scalar
  kList,     // a list of scalars
  kEntries,  // a list of maps of further rows, `NAME[].…`
};

// Presence says what a key that is left out means.
enum class Presence : uint8_t { kOptional, kRequired };

// Key is one row. Functions that do not apply to its kind are null.
struct Key {
  std::string_view name = {};  // dotted; `[]` follows the name of a list of maps
  KeyKind kind = KeyKind::kSection;
  Presence presence = Presence::kOptional;
  bool secret = false;                 // the value never appears in a message
  bool needs_restart = false;          // a reload leaves the value as it was
  std::string_view default_note = {};  // what the reference says beside the default; may be empty
  std::string_view doc = {};
  std::string_view example = {};  // of a list, as a YAML list in one line

  // describe names type and range of the value, or of one item of a list.
  std::string (*describe)() = nullptr;
  // read stores a value, or appends it to a list. Rows below a list of maps (`listen[].port`) act
  // on the list's last entry. It fails with a predicate, as formats do.
  std::expected<void, std::string> (*read)(Config& config, std::string_view text) = nullptr;
  // print renders the member as the YAML that follows `key: `; a list of maps begins with a new
  // line.
  std::string (*print)(const Config& config) = nullptr;
  // change says how the value of `after` differs from that of `before`, without secrets; empty: not
  // at all. copy takes the value of `from` over. Neither is for rows below a list of maps: those
  // change with their list.
  std::string (*change)(const Config& before, const Config& after) = nullptr;
  void (*copy)(Config& to, const Config& from) = nullptr;
  // clear empties a list; append adds a default entry to a list of maps.
  void (*clear)(Config& config) = nullptr;
  void (*append)(Config& config) = nullptr;
};

// Keys returns the table, in the order of the reference: a section stands before its members.
std::span<const Key> Keys();

// FindKey returns the row of `name`, where the indexes of lists are written `[]`; nullptr: no such
// key.
const Key* FindKey(std::string_view name);

// KeyParent returns the name of the section or list of maps that `name` belongs to, with its `[]`;
// empty for the top level. KeyLeaf returns the rest: `listen[].port` is `listen[]` and `port`.
std::string_view KeyParent(std::string_view name);
std::string_view KeyLeaf(std::string_view name);

}  // namespace turnpike::config
