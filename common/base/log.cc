#include "common/base/log.h"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

namespace turnpike {
namespace {

// The line around an event; %v is what RenderEvent returns. spdlog stamps the time.
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";

// StdoutSink writes whole lines to standard output, and stops no thread for a pipe that nobody
// reads: what does not fit in is lost, and a line says how many were once the pipe is read again.
class StdoutSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit StdoutSink(const std::atomic<LogFormat>& format) : format_(format) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (Finish() && TellLost(line) && Write(Format(line))) return;
    ++lost_;
  }
  void flush_() override {}

 private:
  // A reader that only lags is waited for, once; then nobody is until it has caught up.
  static constexpr int kPatienceMs = 50;

  std::string Format(const spdlog::details::log_msg& line) {
    spdlog::memory_buf_t text;
    formatter_->format(line, text);
    return {text.data(), text.size()};
  }

  // Finish writes the rest of a line that was begun; false when there still is one.
  bool Finish() {
    if (rest_.empty()) return true;
    const std::string rest = std::exchange(rest_, {});
    if (!Write(rest)) rest_ = rest;
    return rest_.empty();
  }

  bool TellLost(const spdlog::details::log_msg& line) {
    if (lost_ == 0) return true;
    const std::string event = RenderEvent(format_, "log_lines_lost", {{"lines", lost_}});
    if (!Write(Format({line.time, {}, line.logger_name, spdlog::level::warn, event}))) return false;
    lost_ = 0;
    return true;
  }

  // Write is false when nothing of `text` could be written. What could not of a line that was begun
  // becomes rest_.
  bool Write(const std::string& text) {
    size_t written = 0;
    while (written < text.size()) {
      pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      const bool stuck = lost_ > 0 || !rest_.empty();
      if (poll(&output, 1, stuck ? 0 : kPatienceMs) == 0) break;
      // A pipe that is ready takes so much without waiting.
      const size_t piece = std::min<size_t>(text.size() - written, PIPE_BUF);
      const ssize_t taken = write(STDOUT_FILENO, text.data() + written, piece);
      if (taken > 0) {
        written += static_cast<size_t>(taken);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        return true;  // nobody will ever read it, or the disk is full: there is no better place
      }
    }
    if (written > 0) rest_ = text.substr(written);
    return written > 0;
  }

  const std::atomic<LogFormat>& format_;
  std::string rest_;
  uint64_t lost_ = 0;
};

struct Logger {
  std::atomic<LogFormat> format = LogFormat::kJson;
  spdlog::logger spdlog{"turnpike", std::make_shared<StdoutSink>(format)};

  Logger() { Configure(LogLevel::kInfo, LogFormat::kJson); }

  void Configure(LogLevel threshold, LogFormat new_format);
};

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

void Logger::Configure(LogLevel threshold, LogFormat new_format) {
  format = new_format;
  spdlog.set_level(SpdlogLevel(threshold));
  // A relay logs rarely, and the last line before a crash is the one that matters.
  spdlog.flush_on(spdlog::level::trace);
  spdlog.set_formatter(std::make_unique<spdlog::pattern_formatter>(
      new_format == LogFormat::kJson ? kJsonPattern : kTextPattern,
      spdlog::pattern_time_type::utc));
}

Logger& TheLogger() {
  static Logger logger;
  return logger;
}

// SequenceLength returns the length of the well-formed UTF-8 sequence at the front of `text`
// (Unicode 15 table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF), or 0.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  size_t length = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

// IsPrintable says whether the well-formed `sequence` may stand in a line as it is. The
// bidirectional controls U+202A–202E and U+2066–2069 would let a name reorder what stands around
// it.
bool IsPrintable(std::string_view sequence) {
  if (sequence.size() == 1) {
    return sequence[0] >= 0x20 && sequence[0] != 0x7F && sequence[0] != '\\';
  }
  if (sequence.size() == 2) return sequence < "\xC2\x80" || sequence > "\xC2\x9F";
  if (sequence.size() != 3) return true;
  return (sequence < "\xE2\x80\xA8" || sequence > "\xE2\x80\xAE") &&
         (sequence < "\xE2\x81\xA6" || sequence > "\xE2\x81\xA9");
}

nlohmann::json ToJson(const LogField& field) {
  return std::visit(
      [](const auto& value) -> nlohmann::json {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string_view>) {
          return EscapeText(value);
        } else {
          return value;
        }
      },
      field.value);
}

// IsBareWord says whether text needs no quotes between `key=` and the next field.
bool IsBareWord(std::string_view text) {
  return !text.empty() && text.find_first_of(" \"=") == std::string_view::npos;
}

}  // namespace

void ConfigureLog(LogLevel threshold, LogFormat format) {
  TheLogger().Configure(threshold, format);
}

void Log(LogLevel level, std::string_view name, std::initializer_list<LogField> fields) {
  Logger& logger = TheLogger();
  const auto spdlog_level = SpdlogLevel(level);
  if (!logger.spdlog.should_log(spdlog_level)) return;
  const std::string event = RenderEvent(logger.format, name, fields);
  logger.spdlog.log(spdlog_level, spdlog::string_view_t(event.data(), event.size()));
}

std::string RenderEvent(LogFormat format, std::string_view name,
                        std::initializer_list<LogField> fields) {
  std::string out;
  if (format == LogFormat::kJson) {
    out = fmt::format(R"("event":{})", nlohmann::json(EscapeText(name)).dump());
    for (const LogField& field : fields) {
      out +=
          fmt::format(",{}:{}", nlohmann::json(EscapeText(field.key)).dump(), ToJson(field).dump());
    }
    return out;
  }
  out = EscapeText(name);
  for (const LogField& field : fields) {
    const nlohmann::json value = ToJson(field);
    const auto* text = value.get_ptr<const std::string*>();
    const bool bare = text != nullptr && IsBareWord(*text);
    out += fmt::format(" {}={}", EscapeText(field.key), bare ? *text : value.dump());
  }
  return out;
}

std::string EscapeText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const std::string_view piece = text.substr(0, length == 0 ? 1 : length);
    if (length != 0 && IsPrintable(piece)) {
      out += piece;
    } else {
      for (const char c : piece) out += fmt::format("\\x{:02X}", static_cast<uint8_t>(c));
    }
    text.remove_prefix(piece.size());
  }
  return out;
}

}  // namespace turnpike
