#include "config/diagnostics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::core {
namespace {

// What of a source line is shown: at most this many bytes, the caret within.
constexpr std::size_t kWindowBytes = 100;
constexpr std::size_t kBeforeCaret = 60;

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

bool is_control(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value < 0x20 || value == 0x7F;
}

/// The source line and, below it, the caret. Tabs stay tabs in both, so that they line up.
std::string excerpt(const Place& place, bool colour) {
  const std::string& line = place.line;
  const std::size_t column = std::min(place.column, line.size());
  std::size_t begin =
      column > kBeforeCaret && line.size() > kWindowBytes ? column - kBeforeCaret : 0;
  while (begin > 0 && continues_character(line[begin]))
    --begin;
  std::size_t end = std::min(line.size(), begin + kWindowBytes);
  while (end < line.size() && continues_character(line[end]))
    ++end;

  std::string shown = begin > 0 ? "..." : "";
  std::string pad(shown.size(), ' ');
  for (std::size_t i = begin; i < end; ++i) {
    const char byte = line[i] == '\t' || !is_control(line[i]) ? line[i] : '?';
    shown += byte;
    if (i < column && !continues_character(byte))
      pad += byte == '\t' ? '\t' : ' ';
  }
  if (end < line.size())
    shown += "...";
  return fmt::format("  {}\n  {}{}^{}\n", shown, pad, colour ? "\033[1;32m" : "",
                     colour ? "\033[0m" : "");
}

int severity_of(Errc code) {
  switch (code) {
    case Errc::config:
      return 3;
    case Errc::missing_input:
      return 2;
    case Errc::unavailable:
      return 1;
    default:
      return 4;
  }
}

}  // namespace

void Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Diagnostic::Severity::error) {
    ++errors_;
    if (severity_of(diagnostic.code) > severity_of(worst_))
      worst_ = diagnostic.code;
  } else {
    ++warnings_;
  }
  if (full())
    return;
  const auto after = std::upper_bound(
      all_.begin(), all_.end(), diagnostic.offset,
      [](std::uint32_t offset, const Diagnostic& other) { return offset < other.offset; });
  all_.insert(after, std::move(diagnostic));
}

std::string render(const Diagnostic& diagnostic, bool colour) {
  const bool error = diagnostic.severity == Diagnostic::Severity::error;
  const char* paint = !colour ? "" : error ? "\033[1;31m" : "\033[1;35m";
  std::string text =
      fmt::format("{}: {}{}:{} {}\n", diagnostic.place.label, paint, error ? "error" : "warning",
                  colour ? "\033[0m" : "", diagnostic.text);
  if (!diagnostic.place.line.empty())
    text += excerpt(diagnostic.place, colour);
  return text;
}

std::string render(const Diagnostics& diagnostics, bool colour) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics.all())
    text += render(diagnostic, colour);
  const std::size_t more = diagnostics.errors() + diagnostics.warnings() - diagnostics.all().size();
  if (more > 0)
    text += fmt::format("and {} more\n", more);
  return text;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMax = 80;
  std::string result = "\"";
  for (const char byte : text.substr(0, kMax)) {
    if (is_control(byte)) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
      result += byte;
    }
  }
  if (text.size() > kMax) {
    while (continues_character(result.back()))
      result.pop_back();  // no half characters
    if (static_cast<unsigned char>(result.back()) >= 0xC0)
      result.pop_back();
    result += "...";
  }
  return result + "\"";
}

}  // namespace sluice::core
