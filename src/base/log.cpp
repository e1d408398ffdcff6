#include "base/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <string>

#include "base/json.hpp"
#include "base/utf8.hpp"

namespace sluice::core {

namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"debug", "info", "warning", "error",
                                                         "off"};
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

spdlog::level::level_enum spdlog_level(LogLevel level) {
  constexpr std::array kLevels = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                  spdlog::level::err, spdlog::level::off};
  return kLevels[static_cast<std::size_t>(level)];
}

/// One write(2) per line, so that lines of several processes do not mix either.
void write_line(std::string line) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) {
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
}

class Lines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void redirect(LogSink sink) {
    const std::lock_guard lock(mutex_);
    redirected_ = std::move(sink);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    const std::string_view line(formatted.data(), formatted.size());
    if (redirected_) {
      redirected_(line);
    } else {
      write_line(std::string(line));
    }
  }
  void flush_() override {}

  LogSink redirected_;  // guarded by base_sink's mutex_
};

std::unique_ptr<spdlog::formatter> formatter_of(LogFormat format) {
  return std::make_unique<spdlog::pattern_formatter>(
      format == LogFormat::json ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc, "");
}

struct Log {
  std::shared_ptr<Lines> lines = std::make_shared<Lines>();
  spdlog::logger logger{"sluice", lines};
  std::atomic<LogFormat> format{LogFormat::text};
  std::atomic<LogLevel> least{LogLevel::info};

  Log() {
    logger.set_level(spdlog::level::trace);  // the level is judged here, before any formatting
    logger.set_formatter(formatter_of(LogFormat::text));
    logger.set_error_handler([](const std::string&) {});  // a line that cannot be written is lost
  }
};

/// Never destroyed: threads may still log while the process ends.
Log& the_log() {
  static Log& log = *new Log;
  return log;
}

/// `text` on one line: control characters escaped, broken UTF-8 replaced.
std::string one_line(std::string_view text) {
  const bool clean = utf8_fault(text) == text.size() && std::ranges::none_of(text, [](char c) {
                       return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
                     });
  if (clean) {
    return std::string(text);
  }
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0) {
      line += "\xEF\xBF\xBD";
    } else if (byte == '\n' || byte == '\t' || byte == '\r') {
      line += byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : "\\r";
    } else if (byte < 0x20 || byte == 0x7F) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += text.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return line;
}

}  // namespace

std::optional<LogLevel> log_level_from(std::string_view name) {
  const auto* found = std::ranges::find(kLevelNames, name);
  return found == kLevelNames.end()
             ? std::nullopt
             : std::optional(static_cast<LogLevel>(found - kLevelNames.begin()));
}

std::optional<LogFormat> log_format_from(std::string_view name) {
  return name == "text"   ? std::optional(LogFormat::text)
         : name == "json" ? std::optional(LogFormat::json)
                          : std::nullopt;
}

void configure_log(LogLevel least, LogFormat format) {
  Log& log = the_log();
  log.logger.set_formatter(formatter_of(format));
  log.format.store(format, std::memory_order_relaxed);  // a setting: nothing is published by it
  log.least.store(least, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) {
  return level != LogLevel::off && level >= the_log().least.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view component, std::string_view text) {
  if (!log_enabled(level)) {
    return;
  }
  Log& log = the_log();
  std::string payload;
  if (log.format.load(std::memory_order_relaxed) == LogFormat::json) {
    payload = component.empty() ? std::string() : "\"component\":" + json_quote(component) + ",";
    payload += "\"message\":" + json_quote(text);
  } else {
    payload = component.empty() ? std::string() : one_line(component) + ": ";
    payload += one_line(text);
  }
  log.logger.log(spdlog::source_loc{}, spdlog_level(level), spdlog::string_view_t(payload));
}

void set_log_sink(LogSink sink) {
  the_log().lines->redirect(std::move(sink));
}

}  // namespace sluice::core
