// What is wrong with a configuration, and where: collected, sorted, and shown as ninja's lexer does
// (`file:line:column: error: text`, the source line, a caret).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sluice::core {

/// A place in a text that a person can find.
struct Place {
  std::string label;       ///< "icons.json:3:14", or "--set /queues/q/capacity"
  std::string line;        ///< the source line without its end; empty: there is none to show
  std::size_t column = 0;  ///< bytes before the place within `line`
};

struct Diagnostic {
  enum class Severity : std::uint8_t { error, warning };
  Severity severity = Severity::error;
  Errc code = Errc::config;  ///< of an error: what it does to the exit code
  std::uint32_t offset = 0;  ///< order within its document
  Place place;
  std::string text;  ///< lower case, no full stop
};

/// Everything found in one document. One thread.
class Diagnostics {
 public:
  /// More than this are counted, not kept: a hostile file must not cost time without bound.
  static constexpr std::size_t kKeptMax = 1000;

  void add(Diagnostic diagnostic);
  /// In the order of their places; what came from overrides stands last.
  const std::vector<Diagnostic>& all() const { return all_; }
  std::size_t errors() const { return errors_; }
  std::size_t warnings() const { return warnings_; }
  bool full() const { return all_.size() >= kKeptMax; }
  /// The code that decides the exit status: config over missing_input over unavailable.
  /// REQUIRES: errors() > 0.
  Errc worst() const { return worst_; }

 private:
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
  Errc worst_ = Errc::unavailable;
};

/// The diagnostic as it is printed, ended by a newline. A long line is cut to a window around the
/// caret; control characters of the source never reach the terminal. `colour` adds ANSI sequences.
std::string render(const Diagnostic& diagnostic, bool colour);

/// All of them, in order.
std::string render(const Diagnostics& diagnostics, bool colour);

/// `text` in double quotes for a message: control characters as \xNN, at most 80 bytes.
std::string in_quotes(std::string_view text);

}  // namespace sluice::core
