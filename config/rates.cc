#include "config/rates.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include "common/base/log.h"
#include "config/file.h"
#include "config/findings.h"
#include "config/formats.h"
#include "config/tree.h"

namespace turnpike::config {
namespace {

constexpr size_t kMaxRatesBytes = 16 << 20;  // account overrides may be many
constexpr size_t kMaxNameBytes = 256;

// Member is one key of a map and what reads its value.
struct Member {
  std::string_view name;
  std::string_view required;  // what to write; empty: may be left out
  std::function<void(const Node& value, const std::string& path)> read;
};

// Choice is a word with its value.
template <typename T>
using Choices = std::span<const std::pair<std::string_view, T>>;

constexpr std::array<std::pair<std::string_view, RateUnit>, 2> kUnits = {
    {{"GB", RateUnit::kGb}, {"MB", RateUnit::kMb}}};
constexpr std::array<std::pair<std::string_view, RateBasis>, 2> kBases = {
    {{"payload", RateBasis::kPayload}, {"wire", RateBasis::kWire}}};
constexpr std::array<std::pair<std::string_view, RateDirections>, 3> kDirections = {
    {{"both", RateDirections::kBoth},
     {"client_to_peer", RateDirections::kClientToPeer},
     {"peer_to_client", RateDirections::kPeerToClient}}};
constexpr std::array<std::pair<std::string_view, TierMode>, 2> kModes = {
    {{"graduated", TierMode::kGraduated}, {"volume", TierMode::kVolume}}};

class RatesReader {
 public:
  explicit RatesReader(Findings& findings) : findings_(findings) {}

  RateTable Read(const Node& root) {
    RateTable table;
    ReadMap(root, "",
            {{"currency", "a code such as EUR", Into(table.currency)},
             {"seller", "a section with a name",
              [&](const Node& value, const std::string& path) { ReadSeller(value, path, table); }},
             {"regions", "",
              [&](const Node& value, const std::string& path) {
                ReadList(value, path, [&](const Node& item, const std::string& item_path) {
                  Into(table.regions.emplace_back())(item, item_path);
                });
              }},
             {"cards", "a list of cards", [&](const Node& value, const std::string& path) {
                ReadList(value, path, [&](const Node& item, const std::string& item_path) {
                  ReadCard(item, item_path, table.cards.emplace_back());
                });
              }}});
    if (table.publisher.empty()) table.publisher = table.seller;
    if (table.invoice_issuer.empty()) table.invoice_issuer = table.seller;
    return table;
  }

 private:
  using Reader = std::function<void(const Node&, const std::string&)>;

  static std::string Join(const std::string& parent, std::string_view leaf) {
    return parent.empty() ? std::string(leaf) : parent + "." + std::string(leaf);
  }

  void ReadMap(const Node& map, const std::string& path, std::span<const Member> members) {
    if (map.kind != NodeKind::kMap) {
      findings_.Add(map.line, path, "is a section; write its keys below it, indented");
      return;
    }
    std::map<std::string_view, int> seen;
    for (size_t i = 0; i < map.items.size(); ++i) {
      const Node& name = map.keys[i];
      const auto member = std::ranges::find(members, name.text, &Member::name);
      const auto [first, is_new] = seen.emplace(name.text, name.line);
      if (name.kind != NodeKind::kScalar || member == members.end()) {
        findings_.Add(name.line, path,
                      "unknown key `" + EscapeText(name.text) + "`" + Known(members));
      } else if (!is_new) {
        findings_.Add(name.line, Join(path, name.text),
                      "stands here a second time, after line " + std::to_string(first->second) +
                          "; remove one of the two");
      } else {
        findings_.Saw(Join(path, name.text), name.line);
        member->read(map.items[i], Join(path, name.text));
      }
    }
    for (const Member& member : members) {
      if (member.required.empty() || seen.contains(member.name)) continue;
      findings_.Add(map.line, Join(path, member.name),
                    "is missing; write " + std::string(member.name) + ": and " +
                        std::string(member.required));
    }
  }
  void ReadMap(const Node& map, const std::string& path, std::initializer_list<Member> members) {
    ReadMap(map, path, std::span(members.begin(), members.size()));
  }

  static std::string Known(std::span<const Member> members) {
    std::string known;
    for (const Member& member : members) {
      known += (known.empty() ? "; known here: " : ", ") + std::string(member.name);
    }
    return known;
  }

  void ReadList(const Node& list, const std::string& path, const Reader& read) {
    if (list.kind != NodeKind::kList) {
      findings_.Add(list.line, path, "is not a list; begin each item with a dash");
      return;
    }
    for (size_t i = 0; i < list.items.size(); ++i) {
      const std::string item_path = path + "[" + std::to_string(i) + "]";
      findings_.Saw(item_path, list.items[i].line);
      read(list.items[i], item_path);
    }
  }

  // Scalar hands the text of `value` to `store`, which fails with a predicate.
  void Scalar(const Node& value, const std::string& path,
              const std::function<std::expected<void, std::string>(const std::string&)>& store) {
    if (value.kind != NodeKind::kScalar) {
      findings_.Add(value.line, path, "is not one value; write it behind the colon");
    } else if (const auto stored = store(value.text); !stored) {
      findings_.Add(value.line, path, "`" + EscapeText(value.text) + "` " + stored.error());
    }
  }

  Reader Into(std::string& text) {
    return [this, &text](const Node& value, const std::string& path) {
      Scalar(value, path, [&](const std::string& raw) -> std::expected<void, std::string> {
        auto read = ReadText(raw, 1, kMaxNameBytes);
        if (!read) return std::unexpected(read.error());
        text = *std::move(read);
        return {};
      });
    };
  }
  // A star stands for every name, as does a key that is left out.
  Reader Into(std::optional<std::string>& text) {
    return [this, &text](const Node& value, const std::string& path) {
      if (value.kind == NodeKind::kScalar && value.text == "*") return;
      Into(text.emplace())(value, path);
    };
  }
  Reader Into(WallTime& time) {
    return [this, &time](const Node& value, const std::string& path) {
      Scalar(value, path, [&](const std::string& raw) -> std::expected<void, std::string> {
        const auto read = ParseDate(raw);
        if (!read) {
          return std::unexpected("is not a time; write a date, 2026-11-01, or 2026-11-01T12:15Z");
        }
        time = *read;
        return {};
      });
    };
  }
  template <typename T>
  Reader Into(T& choice, Choices<T> choices) {
    return [this, &choice, choices](const Node& value, const std::string& path) {
      Scalar(value, path, [&](const std::string& raw) -> std::expected<void, std::string> {
        std::string names;
        for (const auto& [name, meaning] : choices) {
          if (name == raw) return choice = meaning, std::expected<void, std::string>();
          names += (names.empty() ? "" : ", ") + std::string(name);
        }
        // 2^30 bytes are no short decimal of a byte, and an invoice would not add up.
        const bool binary = raw == "GiB" || raw == "MiB";
        return std::unexpected("is not one of " + names +
                               (binary ? "; 1 GiB is 1.073741824 GB: convert the price" : ""));
      });
    };
  }
  // Into reads a decimal of `decimals` places, at most `max` in multiples of the last one.
  template <typename T>
  Reader Into(T& number, int decimals, Int128 max) {
    return [this, &number, decimals, max](const Node& value, const std::string& path) {
      Scalar(value, path, [&](const std::string& raw) -> std::expected<void, std::string> {
        const auto read = ParseDecimal(raw, decimals);
        if (!read) return std::unexpected(read.error());
        if (*read > max) {
          return std::unexpected("is too large; at most " + FormatDecimal(max, decimals));
        }
        return Store(*read, number);
      });
    };
  }
  static std::expected<void, std::string> Store(Int128 value, uint64_t& bytes) {
    if (value < 0) return std::unexpected("is negative; write 0 or more");
    bytes = static_cast<uint64_t>(value);
    return {};
  }
  static std::expected<void, std::string> Store(Int128 value, Price& price) {
    if (value < 0) return std::unexpected("is negative; write 0 or more");
    price = Price(static_cast<int64_t>(value));
    return {};
  }
  static std::expected<void, std::string> Store(Int128 value, Amount& amount) {
    amount = Amount(value);
    return {};
  }

  Reader BytesInto(uint64_t& bytes, RateUnit unit) {
    return Into(bytes, RateUnitDecimals(unit), Int128{std::numeric_limits<int64_t>::max()});
  }
  Reader PriceInto(Price& price) {
    return Into(price, kPriceDecimals, Int128{std::numeric_limits<int64_t>::max()});
  }

  void ReadSeller(const Node& value, const std::string& path, RateTable& table) {
    ReadMap(value, path,
            {{"name", "who sends the invoice", Into(table.seller)},
             {"publisher", "", Into(table.publisher)},
             {"invoice_issuer", "", Into(table.invoice_issuer)}});
  }

  void ReadCard(const Node& map, const std::string& path, RateCard& card) {
    ReadUnit(map, card);  // first: bytes are counted in it
    const Int128 most = Int128{1'000'000'000'000'000'000} * 1'000'000'000'000'000'000;
    ReadMap(map, path,
            {{"id", "a name of the card, such as 2026-11", Into(card.id)},
             {"effective_from", "the card's first instant, such as 2026-11-01",
              Into(card.effective_from)},
             {"effective_to", "",
              [&](const Node& value, const std::string& key) {
                Into(card.effective_to.emplace())(value, key);
              }},
             {"unit", "", Into(card.unit, Choices<RateUnit>(kUnits))},
             {"basis", "", Into(card.basis, Choices<RateBasis>(kBases))},
             {"directions", "", Into(card.directions, Choices<RateDirections>(kDirections))},
             {"free", "", BytesInto(card.free_bytes, card.unit)},
             {"minimum", "", Into(card.minimum, kAmountDecimals, most)},
             {"prices", "a list of prices", [&](const Node& value, const std::string& key) {
                ReadList(value, key, [&](const Node& item, const std::string& item_path) {
                  ReadRule(item, item_path, card.unit, card.prices.emplace_back());
                });
              }}});
  }

  static void ReadUnit(const Node& map, RateCard& card) {
    for (size_t i = 0; i < map.keys.size(); ++i) {
      if (map.keys[i].text != "unit") continue;
      const auto* const unit = std::ranges::find(kUnits, map.items[i].text,
                                                 &std::pair<std::string_view, RateUnit>::first);
      if (unit != kUnits.end()) card.unit = unit->second;
    }
  }

  void ReadRule(const Node& map, const std::string& path, RateUnit unit, PriceRule& rule) {
    std::optional<Tier> only;
    bool has_tiers = false;
    ReadMap(map, path,
            {{"account", "", Into(rule.account)},
             {"region", "", Into(rule.region)},
             {"transport", "", Into(rule.transport)},
             {"price", "",
              [&](const Node& value, const std::string& key) {
                PriceInto(only.emplace().price)(value, key);
              }},
             {"tiers", "",
              [&](const Node& value, const std::string& key) {
                has_tiers = true;
                ReadList(value, key, [&](const Node& item, const std::string& item_path) {
                  ReadTier(item, item_path, unit, rule.tiers.emplace_back());
                });
              }},
             {"tier_mode", "", Into(rule.mode, Choices<TierMode>(kModes))}});
    if (only.has_value() == has_tiers && !findings_.HasUnknownKey(path)) {
      findings_.Add(map.line, path,
                    has_tiers ? "has both price and tiers; write one of them"
                              : "has no price; write price: or tiers:");
    }
    if (only) rule.tiers = {*only};
  }

  void ReadTier(const Node& map, const std::string& path, RateUnit unit, Tier& tier) {
    ReadMap(map, path,
            {{"up_to", "",
              [&](const Node& value, const std::string& key) {
                BytesInto(tier.up_to.emplace(), unit)(value, key);
              }},
             {"price", "a decimal such as 0.05", PriceInto(tier.price)}});
  }

  Findings& findings_;
};

// IsKnown says that a problem at `key` only follows from one that reading found there or above.
bool IsKnown(std::string key, const Findings& findings) {
  if (findings.IsBad(key)) return true;
  for (size_t end = key.find_last_of(".["); end != std::string::npos;
       end = key.find_last_of(".[")) {
    key.resize(end);
    if (findings.HasUnknownKey(key)) return true;
  }
  return false;
}

}  // namespace

std::expected<RateTable, std::vector<Problem>> ParseRates(std::string_view text,
                                                          const std::string& file,
                                                          const std::optional<RatedTime>& time) {
  Findings findings(file);
  RateTable table;
  constexpr std::string_view kStart = "the config/rates.yaml that ships is one to start from";
  if (const auto root = ReadYaml(text, kStart, findings)) {
    table = RatesReader(findings).Read(*root);
    std::vector<RateProblem> problems = CheckRates(table);
    if (time && problems.empty()) {
      if (auto gap = CheckCoverage(table, time->from, time->to)) problems.push_back(*gap);
    }
    for (RateProblem& problem : problems) {
      if (IsKnown(problem.key, findings)) continue;
      findings.Add(std::move(problem.key), std::move(problem.what));
    }
  }
  auto problems = findings.Take();
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return table;
}

std::expected<RateTable, std::vector<Problem>> LoadRates(const std::string& path,
                                                         const std::optional<RatedTime>& time) {
  const auto text = ReadSmallFile(path, kMaxRatesBytes);
  if (!text) return std::unexpected(std::vector<Problem>{{path, 0, "", text.error()}});
  return ParseRates(*text, path, time);
}

}  // namespace turnpike::config
