// Bytes as they come, cut into lines. Holds one line at most, and what was read after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::lines {

struct Line {
  std::string_view text;     ///< without its line end; empty if it is too long
  std::uint64_t begin = 0;   ///< bytes from the start of the input
  std::uint64_t end = 0;     ///< behind its line end
  std::uint64_t number = 0;  ///< from 1
  bool too_long = false;
  bool unterminated = false;  ///< the input ended before its line end
};

/// A line ends with LF; a CR before it belongs to the line end. One thread at a time.
class Splitter {
 public:
  /// The input begins at byte `offset`, with line `number`.
  Splitter(std::size_t line_bytes_max, std::uint64_t offset, std::uint64_t number);

  /// Where the next bytes go; then added(). Valid until then.
  std::span<char> room();
  void added(std::size_t bytes) { filled_ += bytes; }

  /// The next line; nothing: more bytes are needed. Its text is valid until room().
  std::optional<Line> next();
  /// At the end of the input: what follows the last line end, if anything does.
  std::optional<Line> rest();

 private:
  Line take(std::size_t text_bytes, std::size_t bytes);

  const std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;      ///< in buffer_: of the line
  std::size_t looked_ = 0;     ///< in buffer_: no line end from begin_ to here
  std::size_t filled_ = 0;     ///< in buffer_
  std::uint64_t dropped_ = 0;  ///< bytes of this line that were too many and are gone
  std::uint64_t offset_;       ///< of the line, in the input
  std::uint64_t number_;
};

}  // namespace sluice::lines
