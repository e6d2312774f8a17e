#include "config/substitute.h"

#include <algorithm>
#include <filesystem>

#include "common/base/log.h"
#include "config/file.h"

namespace turnpike::config {
namespace {

constexpr std::string_view kForms =
    "use ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for a plain ${";

bool IsVariableName(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (name.empty() || !is_letter(name.front())) return false;
  return std::ranges::all_of(name, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

std::expected<std::string, std::string> FileContent(std::string_view path,
                                                    const std::string& directory) {
  auto content = ReadSecretFile(ResolvePath(std::string(path), directory));
  if (!content) {
    return std::unexpected("the file `" + EscapeText(path) + "` " + content.error());
  }
  return content;
}

// Expand returns what stands for `${expression}`.
std::expected<std::string, std::string> Expand(std::string_view expression,
                                               const std::string& directory,
                                               Environment environment,
                                               std::vector<std::string>* files) {
  constexpr std::string_view kFile = "file:";
  if (expression.starts_with(kFile)) {
    const std::string_view path = expression.substr(kFile.size());
    if (files != nullptr) files->push_back(ResolvePath(std::string(path), directory));
    return FileContent(path, directory);
  }
  const size_t colon = expression.find(":-");
  const std::string_view name = expression.substr(0, colon);
  // The text between the braces is not repeated: it may be a secret written in the wrong place.
  if (!IsVariableName(name)) {
    return std::unexpected("there is a ${...} that cannot be read; " + std::string(kForms));
  }
  const auto value = environment(name);
  if (colon != std::string_view::npos && (!value || value->empty())) {
    return std::string(expression.substr(colon + 2));
  }
  if (!value) {
    return std::unexpected("the environment variable `" + std::string(name) +
                           "` is not set; set it, or write ${" + std::string(name) + ":-default}");
  }
  return *value;
}

}  // namespace

std::expected<std::string, std::string> Substitute(std::string_view text,
                                                   const std::string& directory,
                                                   Environment environment,
                                                   std::vector<std::string>* files) {
  std::string out;
  while (true) {
    const size_t dollar = text.find("${");
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) return out;
    const bool escaped = dollar > 0 && text[dollar - 1] == '$';
    text.remove_prefix(dollar + 2);
    if (escaped) {  // `$${`: the first dollar is already in `out`
      out += '{';
      continue;
    }
    const size_t end = text.find('}');
    if (end == std::string_view::npos) {
      return std::unexpected("there is a ${ without its }; " + std::string(kForms));
    }
    auto value = Expand(text.substr(0, end), directory, environment, files);
    if (!value) return value;
    out += *value;
    text.remove_prefix(end + 1);
  }
}

std::string ResolvePath(const std::string& path, const std::string& directory) {
  if (path.empty() || directory.empty()) return path;
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

}  // namespace turnpike::config
