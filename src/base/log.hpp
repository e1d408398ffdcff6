// Logging: lines for people or for machines, on stderr. Control plane and rare events only: never
// per message (DESIGN §2.10). spdlog is behind it, in log.cpp alone.
//
//   2026-01-01T00:00:00.000Z warning resize-16: 3 messages went to "resize-16-dead"
//   {"time":"2026-01-01T00:00:00.000Z","level":"warning","component":"resize-16","message":"..."}
//
// Thread safety: everything is [thread-safe]. A line is written whole, by one write; control
// characters in it are escaped, so a line is always one line.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace sluice::core {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };
enum class LogFormat : std::uint8_t { text, json };

/// "debug" "info" "warning" "error" "off".
std::optional<LogLevel> log_level_from(std::string_view name);
/// "text" "json".
std::optional<LogFormat> log_format_from(std::string_view name);

/// Before it is called: info and text.
void configure_log(LogLevel least, LogFormat format);

bool log_enabled(LogLevel level);

/// Writes one line. `component` names what speaks (a source, a service; empty: the engine itself).
/// What cannot be written (stderr closed or full) is lost, without an error.
void log(LogLevel level, std::string_view component, std::string_view text);

/// Takes lines (each without its newline) in the place of stderr, one call at a time; empty: stderr
/// again. For tests and for the progress display.
using LogSink = std::function<void(std::string_view line)>;
void set_log_sink(LogSink sink);

template <class... Args>
void log_debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::debug)) {
    log(LogLevel::debug, component, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void log_info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::info)) {
    log(LogLevel::info, component, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void log_warning(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::warning)) {
    log(LogLevel::warning, component, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void log_error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::error)) {
    log(LogLevel::error, component, fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace sluice::core
