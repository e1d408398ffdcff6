// Files given on the command line, "-" being the standard input: whether they can be read, their
// lines, and places in them for errors. [main-thread]
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/diagnostics.hpp"

namespace sluice::core {

/// missing_input if a file cannot be read; all are looked at before the first is worked on.
Result<void> check_files(const std::vector<std::string>& files);

/// A descriptor of `file`, which the caller closes. Error: missing_input.
Result<int> open_file(const std::string& file);

/// The file's text, or the first `bytes_max` + 1 bytes of it. Error: missing_input.
Result<std::string> read_file(const std::string& file, std::size_t bytes_max);

/// Where byte `offset` of `text` stands, `text` being line `first_line` of the file and what
/// follows. The label is NAME:LINE:COLUMN, the column counted in characters.
Place place_in(std::string_view name, std::string_view text, std::size_t offset,
               std::size_t first_line = 1);

/// One line, without its LF or CR LF.
struct InputLine {
  std::string_view text;   ///< empty if it is too long
  std::size_t number = 0;  ///< from 1
  bool too_long = false;
};

/// Reads a file line by line, in bounded memory.
class LineReader {
 public:
  LineReader(int descriptor, std::size_t line_bytes_max);  ///< closes it at the end
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// nullopt at the end of the input; what follows the last line end is a line too. The text is
  /// valid until the next call. `before_waiting` is called whenever what was read is used up: for
  /// answers that must be out before more input comes; where it says false, the input ends there.
  /// Error: io.
  Result<std::optional<InputLine>> next(const std::function<bool()>& before_waiting);

 private:
  InputLine take(std::size_t text_bytes, std::size_t bytes);
  Result<bool> fill();

  const int descriptor_;
  const std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;   ///< of the line, in buffer_
  std::size_t looked_ = 0;  ///< no LF from begin_ to here
  std::size_t number_ = 0;
  bool skipping_ = false;  ///< the begin of this line was too long and is gone
};

}  // namespace sluice::core
