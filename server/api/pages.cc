#include "server/api/pages.h"

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace turnpike {
namespace {

struct EmbeddedFile {
  std::string_view name;
  const unsigned char* data;
  size_t size;
};

#include <page_files.inc>  // made by cmake/embed.cmake

struct ContentType {
  std::string_view ending;
  std::string_view type;
};

constexpr ContentType kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
};

constexpr std::string_view kSecurity =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n";

std::string_view TypeOf(std::string_view name) {
  for (const ContentType& each : kTypes) {
    if (name.ends_with(each.ending)) return each.type;
  }
  return "application/octet-stream";
}

// PathOf says where a file is served.
std::string PathOf(std::string_view name) {
  if (name == "index.html") return "/";
  if (name.ends_with(".html")) name.remove_suffix(5);
  return "/" + std::string(name);
}

}  // namespace

std::optional<HttpAnswer> AnswerPage(std::string_view path) {
  for (const EmbeddedFile& file : kFiles) {
    if (PathOf(file.name) != path) continue;
    return HttpAnswer{.content_type = TypeOf(file.name),
                      .body = std::string(reinterpret_cast<const char*>(file.data), file.size),
                      .headers = std::string(kSecurity)};
  }
  return std::nullopt;
}

}  // namespace turnpike
