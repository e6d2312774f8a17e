// THE table of usage categories: how regions are called where usage is told by category.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace turnpike {

// kAllRegions is the category of all usage of an account.
inline constexpr std::string_view kAllRegions = "turnmegabytes";

// CategoryOf names the usage of `region`: `turnmegabytes-useast` for us1, as the hosted services
// do, and `turnmegabytes-REGION` for regions that they do not have.
std::string CategoryOf(std::string_view region);

// RegionOf is its inverse: empty for kAllRegions, nullopt for what is no such category.
std::optional<std::string> RegionOf(std::string_view category);

}  // namespace turnpike
