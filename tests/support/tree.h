// The source tree as text, for the tests that read it: tests/architecture_test.cc and
// tests/style_test.cc.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike {

// SourceFile is one file of the tree.
struct SourceFile {
  std::string path;  // from the root, with slashes: `common/base/bytes.h`
  std::string text;
};

// Finding is one broken rule, ready to be shown as `path:line: message`.
struct Finding {
  std::string path;
  size_t line = 0;  // from 1; 0: the whole file
  std::string message;

  std::string ToString() const;
};

// SourceDir returns the root of the tree that the tests were built from.
std::filesystem::path SourceDir();

// ReadTree returns every .h and .cc file below `root`, sorted by path. Directories that are hidden
// or named build or run hold no source and are left out.
std::vector<SourceFile> ReadTree(const std::filesystem::path& root);

// Lines cuts `text` at line ends. The views live as long as what they are cut from.
std::vector<std::string_view> Lines(std::string_view text);

// CodeOnly returns `text` with comments and the insides of string and character literals replaced
// by spaces, so that searching it finds code alone. Every line keeps its number and its length in
// bytes.
std::string CodeOnly(std::string_view text);

// Function is the place of a function's body, a test case's included: from the first line of its
// head to the line of its closing brace.
struct Function {
  size_t first_line = 0;  // from 1
  size_t last_line = 0;
  std::string head;  // the text before the body, on one line

  size_t length() const { return last_line - first_line + 1; }
};

// FindFunctions counts braces in what CodeOnly returned. It is right for code as clang-format
// leaves it, without macros that open braces: a block outside of all functions is a function's body
// when a parenthesis stands in its head, unless it belongs to a namespace, a type or an
// initializer.
std::vector<Function> FindFunctions(std::string_view code);

}  // namespace turnpike
