// Names and values as browsers send them (application/x-www-form-urlencoded): queries and forms.
#pragma once

#include <map>
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

// ReadForm decodes `a=1&b=2`. Of a name that stands there twice the last value counts.
Form ReadForm(std::string_view text);

}  // namespace turnpike
