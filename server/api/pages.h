// The pages that come with the API. A page is a file in `pages/`: NAME.html is served at /NAME,
// index.html at /, every other file under its own name. They are part of the program.
#pragma once

#include <optional>
#include <string_view>

#include "server/http/http_server.h"

namespace turnpike {

// AnswerPage answers GET and HEAD for a page at `path`, or nullopt where there is none. Browsers
// are told to load nothing from elsewhere, and to run no script that stands in the page itself:
// scripts and styles are files beside it.
std::optional<HttpAnswer> AnswerPage(std::string_view path);

}  // namespace turnpike
