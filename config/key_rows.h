// How rows of THE table are made of a format and a member of Config. Only `keys.cc` includes this.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/formats.h"
#include "config/keys.h"

namespace turnpike::config {

// Section is a row for a map of further rows.
constexpr Key Section(std::string_view name, std::string_view doc) {
  return {.name = name, .kind = KeyKind::kSection, .doc = doc};
}

// Value is a row whose scalar is kept at `kMember` in the way of `Format`.
template <typename Format, auto kMember>
constexpr Key Value(std::string_view name, std::string_view doc, std::string_view note = "",
                    Presence presence = Presence::kOptional) {
  return {.name = name,
          .kind = KeyKind::kValue,
          .presence = presence,
          .secret = std::is_same_v<Format, Secret>,
          .default_note = note,
          .doc = doc,
          .describe = Format::Describe,
          .read = [](Config& config, std::string_view text) -> std::expected<void, std::string> {
            auto value = Format::Read(text);
            if (!value) return std::unexpected(std::move(value.error()));
            kMember(config) = std::move(*value);
            return {};
          },
          .print = [](const Config& config) { return Format::Print(kMember(config)); }};
}

inline void AppendTo(IpSet& set, IpRange range) { set.Add(range); }
template <typename T>
void AppendTo(std::vector<T>& list, T value) {
  list.push_back(std::move(value));
}
inline const std::vector<IpRange>& ItemsOf(const IpSet& set) { return set.ranges(); }
template <typename T>
const std::vector<T>& ItemsOf(const std::vector<T>& list) {
  return list;
}

template <typename Items, typename Print>
std::string PrintList(const Items& items, Print print) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + print(item);
  return "[" + text + "]";
}

// List is a row whose scalars are kept at `kMember`, each in the way of `Format`.
template <typename Format, auto kMember>
constexpr Key List(std::string_view name, std::string_view doc, std::string_view example) {
  return {
      .name = name,
      .kind = KeyKind::kList,
      .secret = std::is_same_v<Format, Secret>,
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
      .clear = [](Config& config) { kMember(config) = {}; }};
}

// Entries is a row for a list of maps at `kMember`; `kPrintEntry` renders one of them.
template <auto kMember, auto kPrintEntry>
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
          .clear = [](Config& config) { kMember(config).clear(); },
          .append = [](Config& config) { kMember(config).emplace_back(); }};
}

inline std::string PrintListener(const Listener& listener) {
  return "{transport: " + std::string(TransportName(listener.transport)) +
         ", address: " + Address::Print(listener.address.ip) +
         ", port: " + Port::Print(listener.address.port) + "}";
}

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
