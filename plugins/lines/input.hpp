// Where lines come from: a regular file, a FIFO, or standard input. Reading waits, and can be
// woken.
//
// Thread safety: cancel() on any thread; the rest on one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "file.hpp"

namespace sluice::lines {

class Input {
 public:
  enum class Kind { file, fifo, standard };  ///< standard: or a terminal, or another device
  enum class Wait { ready, timeout, cancelled };

  /// Throws Failure: NOT_FOUND if it is not there or cannot be read.
  explicit Input(std::string path);

  Kind kind() const { return kind_; }
  const std::string& path() const { return path_; }  ///< "-" for standard input
  int descriptor() const { return file_.get(); }

  /// Goes on reading at this byte. REQUIRES: a file.
  void seek(std::uint64_t offset);

  /// Waits until read() does not. `timeout_ms` -1: without end.
  Wait wait(int timeout_ms) const;
  /// Waits for nothing but cancel().
  Wait pause(int timeout_ms) const;
  /// Bytes read, 0 at the end (of a FIFO: its last writer has closed it), nothing if there is
  /// nothing for now. Throws Failure IO.
  std::optional<std::size_t> read(std::span<char> into);
  /// Waits for writers anew, once read() gave 0, without losing what a new one has written.
  /// REQUIRES: a FIFO.
  void reopen();

  /// [any] Every wait from now on answers `cancelled`.
  void cancel() const;

 private:
  const std::string path_;
  File file_;
  File wake_;  ///< an eventfd that is written to once
  Kind kind_ = Kind::standard;
  // A writer that came and went before reopen() is known by its bytes alone: poll() tells of no end
  // that was before the opening. So after bytes of the first writer since then a read is tried.
  bool is_reopened_ = false;
  bool has_silent_end_ = false;
};

}  // namespace sluice::lines
