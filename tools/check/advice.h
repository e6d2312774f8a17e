// The sentences of server/api/pages/checks.json, which the page /nettest reads as well.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace turnpike::check {

// ChecksText is that file as it was built in, Checks what it says.
std::string_view ChecksText();
const nlohmann::json& Checks();

// Advice is the sentence of that name with `{word}` replaced by the words' values.
std::string Advice(std::string_view name, const std::map<std::string, std::string>& words);

}  // namespace turnpike::check
