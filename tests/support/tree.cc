#include "tests/support/tree.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>

namespace turnpike {
namespace {

namespace fs = std::filesystem;

bool IsLeftOut(const fs::path& directory) {
  const std::string name = directory.filename().string();
  return name.starts_with('.') || name == "build" || name == "run";
}

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Blank overwrites [begin, end) with spaces, line ends apart.
void Blank(std::string& text, size_t begin, size_t end) {
  for (size_t i = begin; i < std::min(end, text.size()); ++i) {
    if (text[i] != '\n') text[i] = ' ';
  }
}

// EndOfQuoted returns where the literal's closing quote stands that opens at `open`, or the line's
// end.
size_t EndOfQuoted(std::string_view text, size_t open) {
  const char quote = text[open];
  size_t i = open + 1;
  while (i < text.size() && text[i] != quote && text[i] != '\n') i += text[i] == '\\' ? 2 : 1;
  return std::min(i, text.size());
}

// IsRaw says whether the double quote at `open` belongs to R"delimiter(...)delimiter".
bool IsRaw(std::string_view text, size_t open) {
  return open > 0 && text[open - 1] == 'R' && (open < 2 || !IsWordChar(text[open - 2]));
}

size_t EndOfRaw(std::string_view text, size_t open) {
  const size_t parenthesis = text.find('(', open);
  if (parenthesis == std::string_view::npos) return text.size();
  const std::string close = ")" + std::string(text.substr(open + 1, parenthesis - open - 1)) + "\"";
  const size_t end = text.find(close, parenthesis);
  return end == std::string_view::npos ? text.size() : end + close.size() - 1;
}

size_t EndOf(std::string_view text, std::string_view mark, size_t from) {
  const size_t end = text.find(mark, from);
  return end == std::string_view::npos ? text.size() : end;
}

// BlankPreprocessor removes lines that begin with `#`, continuations included: their braces and
// parentheses are not those of functions.
std::string BlankPreprocessor(std::string_view code) {
  std::string out(code);
  size_t begin = 0;
  bool continued = false;
  while (begin < out.size()) {
    const size_t end = EndOf(out, "\n", begin);
    const size_t first = out.find_first_not_of(' ', begin);
    const bool is_preprocessor = continued || (first < end && out[first] == '#');
    continued = is_preprocessor && end > begin && out[end - 1] == '\\';
    if (is_preprocessor) Blank(out, begin, end);
    begin = end + 1;
  }
  return out;
}

// SkipTemplate removes `template <...>` from the front of a head.
std::string_view SkipTemplate(std::string_view head) {
  while (head.starts_with("template")) {
    size_t i = head.find('<');
    if (i == std::string_view::npos) return head;
    int depth = 0;
    for (; i < head.size(); ++i) {
      if (head[i] == '<') ++depth;
      if (head[i] == '>' && --depth == 0) break;
    }
    head.remove_prefix(std::min(i + 1, head.size()));
    head.remove_prefix(std::min(head.find_first_not_of(' '), head.size()));
  }
  return head;
}

bool HasWord(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t after = at + word.size();
    if ((at == 0 || !IsWordChar(text[at - 1])) &&
        (after == text.size() || !IsWordChar(text[after]))) {
      return true;
    }
  }
  return false;
}

enum class Block { kContainer, kFunction, kOther };

Block Classify(std::string_view head) {
  head = SkipTemplate(head);
  const std::string_view before_parenthesis = head.substr(0, head.find('('));
  constexpr std::array<std::string_view, 3> kTypes = {"class", "struct", "union"};
  if (HasWord(before_parenthesis, "namespace") ||
      std::ranges::any_of(kTypes, [&](auto word) { return HasWord(before_parenthesis, word); })) {
    return Block::kContainer;
  }
  const bool has_parenthesis = before_parenthesis.size() < head.size();
  if (!has_parenthesis && HasWord(head, "extern")) return Block::kContainer;  // extern "C" {
  if (!has_parenthesis || before_parenthesis.contains(" = ")) {
    return Block::kOther;
  }
  return Block::kFunction;
}

// Scanner walks over code and collects functions.
class Scanner {
 public:
  std::vector<Function> Run(std::string_view code) {
    for (const char c : code) {
      if (c == '\n') ++line_;
      if (depth_ > containers_) {
        InsideBlock(c);
      } else {
        OutsideBlock(c);
      }
    }
    return std::move(functions_);
  }

 private:
  // OutsideBlock stands between functions: in a file, a namespace or a type.
  void OutsideBlock(char c) {
    if (c == '(' || c == ')') parentheses_ += c == '(' ? 1 : -1;
    // Braces between parentheses are default arguments.
    if (parentheses_ > 0 || (c != '{' && c != '}' && c != ';')) return AddToHead(c);
    if (c == '{') {
      ++depth_;
      block_ = Classify(head_);
      if (block_ != Block::kContainer) return;
      ++containers_;
    } else if (c == '}') {
      --depth_;
      --containers_;
    }
    head_.clear();
  }

  void AddToHead(char c) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      if (head_.empty()) head_line_ = line_;
      head_ += c;
    } else if (!head_.empty() && !head_.ends_with(' ')) {
      head_ += ' ';
    }
  }

  void InsideBlock(char c) {
    if (c == '{') ++depth_;
    if (c != '}' || --depth_ > containers_) return;
    if (block_ == Block::kFunction) {
      // A constructor's `: member_{value}, ... {` goes on after this brace, and so does its head.
      if (IsInitializerList()) return;
      functions_.push_back({head_line_, line_, head_});
    }
    head_.clear();
  }

  // IsInitializerList says whether the block just closed was a member's initializer: then its head
  // ends in a name right after the colon or a comma of the list.
  bool IsInitializerList() const {
    size_t i = head_.size();
    while (i > 0 && IsWordChar(head_[i - 1])) --i;
    const std::string_view before = std::string_view(head_).substr(0, i);
    return i < head_.size() && (before.ends_with(" : ") || before.ends_with(", "));
  }

  size_t line_ = 1;
  int parentheses_ = 0;
  int depth_ = 0;
  int containers_ = 0;  // of `depth_`, how many are namespaces and types
  Block block_ = Block::kOther;
  std::string head_;
  size_t head_line_ = 1;
  std::vector<Function> functions_;
};

}  // namespace

fs::path SourceDir() { return TURNPIKE_SOURCE_DIR; }

std::string Finding::ToString() const {
  return path + (line == 0 ? "" : ":" + std::to_string(line)) + ": " + message;
}

std::vector<SourceFile> ReadTree(const fs::path& root) {
  std::vector<SourceFile> files;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::end(it); ++it) {
    if (it->is_directory() && IsLeftOut(it->path())) it.disable_recursion_pending();
    const fs::path extension = it->path().extension();
    if (!it->is_regular_file() || (extension != ".h" && extension != ".cc")) continue;
    std::ifstream stream(it->path(), std::ios::binary);
    files.push_back({.path = it->path().lexically_relative(root).generic_string(),
                     .text = std::string(std::istreambuf_iterator<char>(stream), {})});
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = EndOf(text, "\n", 0);
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string CodeOnly(std::string_view text) {
  std::string code(text);
  for (size_t i = 0; i < text.size(); ++i) {
    size_t end = i;
    if (text.substr(i).starts_with("//")) {
      end = EndOf(text, "\n", i);
      Blank(code, i, end);
    } else if (text.substr(i).starts_with("/*")) {
      end = EndOf(text, "*/", i + 2) + 1;
      Blank(code, i, end + 1);
    } else if (text[i] == '"') {
      end = IsRaw(text, i) ? EndOfRaw(text, i) : EndOfQuoted(text, i);
      Blank(code, i + 1, end);
    } else if (text[i] == '\'' && (i == 0 || !std::isxdigit(static_cast<uint8_t>(text[i - 1])))) {
      // After a digit it separates thousands.
      end = EndOfQuoted(text, i);
      Blank(code, i + 1, end);
    }
    i = end;
  }
  return code;
}

std::vector<Function> FindFunctions(std::string_view code) {
  return Scanner().Run(BlankPreprocessor(code));
}

}  // namespace turnpike
