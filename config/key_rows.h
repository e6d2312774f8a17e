// How rows of THE table are made of a format and a member of Config. Only `keys.cc` includes this.
#pragma once

#include <algorithm>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "config/formats.h"
#include "config/keys.h"

namespace turnpike::config {

// Restart marks a row whose changes a reload does not take up.
constexpr Key Restart(Key key) {
  key.needs_restart = true;
  return key;
}

// Section is a row for a map of further rows.
constexpr Key Section(std::string_view name, std::string_view doc) {
  return {.name = name, .kind = KeyKind::kSection, .doc = doc};
}

template <auto kMember>
constexpr auto kCopy = [](Config& to, const Config& from) { kMember(to) = kMember(from); };

// Value is a row whose scalar is kept at `kMember` in the way of `Format`.
template <typename Format, auto kMember>
constexpr Key Value(std::string_view name, std::string_view doc, std::string_view note = "",
                    Presence presence = Presence::kOptional) {
  return {.name = name,
          .kind = KeyKind::kValue,
          .presence = presence,
          .secret = std::is_base_of_v<Secret, Format>,
          .default_note = note,
          .doc = doc,
          .describe = Format::Describe,
          .read = [](Config& config, std::string_view text) -> std::expected<void, std::string> {
            auto value = Format::Read(text);
            if (!value) return std::unexpected(std::move(value.error()));
            kMember(config) = std::move(*value);
            return {};
          },
          .print = [](const Config& config) { return Format::Print(kMember(config)); },
          .change = [](const Config& before, const Config& after) -> std::string {
            if (kMember(before) == kMember(after)) return {};
            if (std::is_base_of_v<Secret, Format>) return "changed";
            return Format::Print(kMember(before)) + " -> " + Format::Print(kMember(after));
          },
          .copy = kCopy<kMember>};
}

inline void AppendTo(IpSet& set, const IpRange& range) { set.Add(range); }
template <typename T>
void AppendTo(std::vector<T>& list, T value) {
  list.push_back(std::move(value));
}
inline const std::vector<IpRange>& ItemsOf(const IpSet& set) { return set.ranges(); }
template <typename T>
const std::vector<T>& ItemsOf(const std::vector<T>& list) {
  return list;  // NOLINT(bugprone-return-const-ref-from-parameter): it is a part of Config
}

template <typename Items, typename Print>
std::string PrintList(const Items& items, Print print) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + print(item);
  return "[" + text + "]";
}

// ChangeOf tells which of two lists' items came (+), went (-) or changed (~): `name` renders those
// of different identity differently. Empty when the lists are equal.
template <typename T, typename Name>
std::string ChangeOf(const std::vector<T>& before, const std::vector<T>& after, Name name) {
  std::string text;
  const auto find = [&](const std::vector<T>& list, const std::string& wanted) {
    return std::ranges::find_if(list, [&](const T& each) { return name(each) == wanted; });
  };
  const auto say = [&](char sign, const std::string& what) {
    text += (text.empty() ? "" : " ") + (sign + what);
  };
  for (const T& item : after) {
    const auto old = find(before, name(item));
    if (old == before.end()) {
      say('+', name(item));
    } else if (!(*old == item)) {
      say('~', name(item));
    }
  }
  for (const T& item : before) {
    if (find(after, name(item)) == after.end()) say('-', name(item));
  }
  return text.empty() && !(before == after) ? "another order" : text;
}

// SecretChange counts, since the items are not to be shown.
inline std::string SecretChange(const std::vector<std::string>& before,
                                const std::vector<std::string>& after) {
  if (before == after) return {};
  const auto lacks = [](const std::vector<std::string>& list) {
    return [&](const std::string& item) { return std::ranges::count(list, item) == 0; };
  };
  const auto added = std::ranges::count_if(after, lacks(before));
  const auto removed = std::ranges::count_if(before, lacks(after));
  if (added == 0 && removed == 0) return "another order";
  return std::to_string(added) + " added, " + std::to_string(removed) + " removed";
}

// List is a row whose scalars are kept at `kMember`, each in the way of `Format`.
template <typename Format, auto kMember>
constexpr Key List(std::string_view name, std::string_view doc, std::string_view example) {
  return {
      .name = name,
      .kind = KeyKind::kList,
      .secret = std::is_base_of_v<Secret, Format>,
      .doc = doc,
      .example = example,
      .describe = Format::Describe,
      .read = [](Config& config, std::string_view text) -> std::expected<void, std::string> {
        auto value = Format::Read(text);
        if (!value) return std::unexpected(std::move(value.error()));
        AppendTo(kMember(config), std::move(*value));
        return {};
      },
      .print =
          [](const Config& config) { return PrintList(ItemsOf(kMember(config)), Format::Print); },
      .change = [](const Config& before, const Config& after) -> std::string {
        if constexpr (std::is_base_of_v<Secret, Format>) {
          return SecretChange(kMember(before), kMember(after));
        } else {
          return ChangeOf(ItemsOf(kMember(before)), ItemsOf(kMember(after)), Format::Print);
        }
      },
      .copy = kCopy<kMember>,
      .clear = [](Config& config) { kMember(config) = {}; }};
}

// Entries is a row for a list of maps at `kMember`; `kPrintEntry` renders one of them, and
// `kNameEntry` what it is known by.
template <auto kMember, auto kPrintEntry, auto kNameEntry>
constexpr Key Entries(std::string_view name, std::string_view doc, std::string_view example) {
  return {.name = name,
          .kind = KeyKind::kEntries,
          .doc = doc,
          .example = example,
          .print =
              [](const Config& config) {
                std::string text;
                for (const auto& entry : kMember(config)) text += "\n  - " + kPrintEntry(entry);
                return text.empty() ? "[]" : text;
              },
          .change =
              [](const Config& before, const Config& after) {
                return ChangeOf(kMember(before), kMember(after), kNameEntry);
              },
          .copy = kCopy<kMember>,
          .clear = [](Config& config) { kMember(config).clear(); },
          .append = [](Config& config) { kMember(config).emplace_back(); }};
}

inline std::string PrintListener(const Listener& listener) {
  return "{transport: " + std::string(TransportName(listener.transport)) +
         ", address: " + Address::Print(listener.address.ip) +
         ", port: " + Port::Print(listener.address.port) + "}";
}

inline std::string NameListener(const Listener& listener) {
  return std::string(TransportName(listener.transport)) + "/" + listener.address.ToString();
}
inline std::string NameRelayAddress(const RelayAddressConfig& relay) {
  return relay.bind.ToString();
}
inline std::string NameAlternate(const AlternateServerConfig& server) {
  return server.address.ToString();
}
inline std::string NameCap(const Cap& cap) {
  return EscapeText(cap.account) + (cap.label ? ":" + EscapeText(*cap.label) : "") + "/" +
         std::string(CapPeriodName(cap.period)) + "/" + (cap.money ? "money" : "bytes");
}
inline std::string NameApiAccount(const ApiAccountConfig& account) { return account.sid; }
inline std::string NameEdge(const Edge& edge) { return edge.name; }
inline std::string NameUser(const UserConfig& user) { return EscapeText(user.username); }

// A list that is empty by default needs no more than this.
constexpr auto kPrintNothing = [](const auto&) { return std::string(); };

// Advertise is an address or `auto`, and the entry keeps that in two members.
constexpr Key AdvertiseKey(std::string_view name, std::string_view doc, std::string_view note) {
  return {.name = name,
          .kind = KeyKind::kValue,
          .default_note = note,
          .doc = doc,
          .describe = [] { return Address::Describe() + ", or auto"; },
          .read = [](Config& config, std::string_view text) -> std::expected<void, std::string> {
            RelayAddressConfig& entry = config.relay.addresses.back();
            entry.advertise_auto = text == "auto";
            if (entry.advertise_auto) return {};
            const auto address = IpAddress::Parse(text);
            if (!address) return std::unexpected("is not an IP address; use one, or auto");
            entry.advertise = *address;
            return {};
          }};
}

}  // namespace turnpike::config
