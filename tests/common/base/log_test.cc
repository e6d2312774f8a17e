#include "common/base/log.h"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace turnpike {
namespace {

// Line is the JSON object that an event's members make.
nlohmann::json Line(std::initializer_list<LogField> fields) {
  return nlohmann::json::parse("{" + RenderEvent(LogFormat::kJson, "tried", fields) + "}");
}

TEST_CASE("escape: plain text and well-formed UTF-8 stay as they are") {
  CHECK(EscapeText("alice:web") == "alice:web");
  CHECK(EscapeText("マトリックス é 😀") == "マトリックス é 😀");
  CHECK(EscapeText("") == "");
}

TEST_CASE("escape: control characters, line separators and bidi controls become \\xNN") {
  CHECK(EscapeText("a\nb\rc\td") == "a\\x0Ab\\x0Dc\\x09d");
  CHECK(EscapeText(std::string_view("\0\x1b[2J\x7f", 6)) == "\\x00\\x1B[2J\\x7F");
  CHECK(EscapeText("\xC2\x9B"
                   "31m") == "\\xC2\\x9B31m");  // CSI as one C1 character
  CHECK(EscapeText("a\xE2\x80\xA8"
                   "b") ==
        "a\\xE2\\x80\\xA8"
        "b");  // U+2028
  CHECK(EscapeText("\xE2\x80\xAE"
                   "x") == "\\xE2\\x80\\xAEx");            // right-to-left override
  CHECK(EscapeText("\xE2\x81\xA9") == "\\xE2\\x81\\xA9");  // pop directional isolate
}

TEST_CASE("escape: bytes that are not UTF-8 become \\xNN one by one") {
  CHECK(EscapeText("\xFF"
                   "a") ==
        "\\xFF"
        "a");
  CHECK(EscapeText("\xC0\xAF") == "\\xC0\\xAF");                    // overlong
  CHECK(EscapeText("\xED\xA0\x80") == "\\xED\\xA0\\x80");           // surrogate
  CHECK(EscapeText("\xF4\x90\x80\x80") == "\\xF4\\x90\\x80\\x80");  // past U+10FFFF
  CHECK(EscapeText("\xE3\x83") == "\\xE3\\x83");                    // cut short
  CHECK(EscapeText("\xE3\x83"
                   "a") ==
        "\\xE3\\x83"
        "a");
}

TEST_CASE("escape: a backslash cannot imitate an escape") {
  CHECK(EscapeText("a\\x0Ab") == "a\\x5Cx0Ab");
  CHECK(EscapeText("a\nb") != EscapeText("a\\x0Ab"));
}

TEST_CASE("json: a hostile username stays inside its field") {
  const std::string_view hostile = "eve\",\"level\":\"error\"}\n{\"event\":\"forged\xFF";
  const std::string line = RenderEvent(LogFormat::kJson, "tried", {{"username", hostile}});
  CHECK(line.find('\n') == std::string::npos);
  const auto parsed = nlohmann::json::parse("{" + line + "}");
  CHECK(parsed.size() == 2);
  CHECK(parsed["username"] == EscapeText(hostile));
}

TEST_CASE("json: numbers keep their type and all their bits") {
  const auto line = Line({{"big", std::numeric_limits<uint64_t>::max()},
                          {"small", std::numeric_limits<int64_t>::min()},
                          {"ratio", 0.5},
                          {"nan", std::numeric_limits<double>::quiet_NaN()},
                          {"yes", true},
                          {"text", "5"}});
  CHECK(line["event"] == "tried");
  CHECK(line["big"].get<uint64_t>() == std::numeric_limits<uint64_t>::max());
  CHECK(line["small"].get<int64_t>() == std::numeric_limits<int64_t>::min());
  CHECK(line["ratio"] == 0.5);
  CHECK(line["nan"].is_null());
  CHECK(line["yes"] == true);
  CHECK(line["text"] == "5");
}

TEST_CASE("json: fields stand in the order they were given") {
  CHECK(RenderEvent(LogFormat::kJson, "e", {{"z", 1}, {"a", 2}}) == R"("event":"e","z":1,"a":2)");
}

TEST_CASE("text: a value that is not one word is quoted") {
  CHECK(RenderEvent(LogFormat::kText, "tried",
                    {{"who", "alice"}, {"why", "no such user"}, {"n", 3}, {"empty", ""}}) ==
        R"(tried who=alice why="no such user" n=3 empty="")");
  CHECK(RenderEvent(LogFormat::kText, "tried", {{"who", "a\nb=\"c\""}}) ==
        R"(tried who="a\\x0Ab=\"c\"")");
}

TEST_CASE("text: the name and keys are escaped too") {
  CHECK(RenderEvent(LogFormat::kText, "a\nb", {{"k\n", true}}) == "a\\x0Ab k\\x0A=true");
}

}  // namespace
}  // namespace turnpike
