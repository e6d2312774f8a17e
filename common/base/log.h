// Structured events. One event is one JSON line (or one readable line on a terminal): RFC 3339 UTC
// time, level, event name, fields. spdlog carries the lines; nothing else in the tree includes it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace turnpike {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : uint8_t { kJson, kText };

// LogField is one named value of an event. Text may hold any bytes: what is not valid UTF-8 or
// would break a line is escaped, so that a username can never forge a line.
struct LogField {
  std::string_view key;
  std::variant<std::string_view, int64_t, uint64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, int v) : key(k), value(int64_t{v}) {}
  LogField(std::string_view k, int64_t v) : key(k), value(v) {}
  LogField(std::string_view k, uint32_t v) : key(k), value(uint64_t{v}) {}
  LogField(std::string_view k, uint64_t v) : key(k), value(v) {}
};

// ConfigureLog sets the threshold and the shape of what follows; the default is info, JSON. Lines
// go to standard output. Any thread may call it.
void ConfigureLog(LogLevel threshold, LogFormat format);

// Log writes the event `name` (lower snake case, stable: operators search for it) with `fields`.
// Any thread may call it; it is never called per packet.
void Log(LogLevel level, std::string_view name, std::initializer_list<LogField> fields = {});

// RenderEvent returns what Log writes of an event after time and level, without the line's end: in
// JSON the members `"event":...,"key":...`, in text `event key=value ...`.
std::string RenderEvent(LogFormat format, std::string_view name,
                        std::initializer_list<LogField> fields);

// EscapeText returns `text` as printable UTF-8: control characters (U+2028, U+2029 and the
// bidirectional controls among them), the backslash, and bytes that are not valid UTF-8 become
// `\xNN`, byte by byte. Two different texts never look the same. For every place that shows bytes
// from outside to a person.
std::string EscapeText(std::string_view text);

}  // namespace turnpike
