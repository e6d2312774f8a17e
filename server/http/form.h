// Names and values as browsers send them (application/x-www-form-urlencoded): queries and forms.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike {

using Form = std::map<std::string, std::string>;

// DecodePercent decodes `%41` and `+`; what is no escape stays as it is.
std::string DecodePercent(std::string_view text);

// EncodePercent encodes all but letters, digits and `-._~` (RFC 3986 §2.3).
std::string EncodePercent(std::string_view text);

// ValueOf returns the value of `name`, or `unset`.
std::string ValueOf(const Form& form, const std::string& name, std::string_view unset = {});

// WholeOf returns the value of `name` as a whole number, or `unset`; nullopt for what is no such
// number.
std::optional<int64_t> WholeOf(const Form& form, const std::string& name, int64_t unset);

// ReadForm decodes `a=1&b=2`. Of a name that stands there twice the last value counts.
Form ReadForm(std::string_view text);

}  // namespace turnpike
