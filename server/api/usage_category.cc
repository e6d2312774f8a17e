#include "server/api/usage_category.h"

#include "common/accounts/account.h"

namespace turnpike {
namespace {

struct RegionName {
  std::string_view region;
  std::string_view name;
};

constexpr RegionName kNames[] = {
    {"us1", "useast"},    {"us2", "uswest"},    {"de1", "germany"},
    {"ie1", "ireland"},   {"sg1", "singapore"}, {"jp1", "japan"},
    {"au1", "australia"}, {"in1", "india"},     {"br1", "brasil"},
};

constexpr std::string_view kPrefix = "turnmegabytes-";

}  // namespace

std::string CategoryOf(std::string_view region) {
  std::string_view name = region;
  for (const RegionName& row : kNames) {
    if (row.region == region) name = row.name;
  }
  return std::string(kPrefix) + std::string(name);
}

std::optional<std::string> RegionOf(std::string_view category) {
  if (category == kAllRegions) return std::string();
  if (!category.starts_with(kPrefix) || category.size() == kPrefix.size()) return std::nullopt;
  std::string_view name = category.substr(kPrefix.size());
  if (!CheckLabel(name)) return std::nullopt;  // no region of a ledger is called so
  for (const RegionName& row : kNames) {
    if (row.name == name) return std::string(row.region);
  }
  return std::string(name);
}

}  // namespace turnpike
