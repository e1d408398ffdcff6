// The file that lines are appended to: whole lines only, whoever writes.
//
// All sinks of this process that name the same file share one Appender, so that a write which the
// system does only in part is continued, or taken back, before another begins. Another process may
// append to the same file, too: O_APPEND keeps its writes apart, and what was written meanwhile is
// never cut.
//
// Thread safety: all from any thread, except open().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "file.hpp"

namespace sluice::lines {

class Appender {
 public:
  /// [control] The one of the file at this path; "-" is standard output. A torn line that a killed
  /// process left at the end is cut off; any other end without a line end gets one. Throws Failure
  /// UNAVAILABLE.
  static std::shared_ptr<Appender> open(const std::string& path);

  /// REQUIRES: open() calls it. `file` is open for appending.
  Appender(std::string path, File file, bool is_regular);

  /// Appends `lines`, each with its line end: all of them or, where the system does only a part and
  /// that cannot be taken back, at least whole ones: the next append begins with what is missing.
  /// Ends early when `stopped` is set while it waits for a FIFO's reader. Throws Failure
  /// UNAVAILABLE, CANCELLED.
  void append(std::string_view lines, const std::atomic<bool>& stopped);
  /// What was appended is on the disk. Nothing to do for a pipe or a terminal. Throws Failure
  /// UNAVAILABLE.
  void sync();

 private:
  void mend_end();
  void write(std::string_view text, const std::atomic<bool>& stopped, std::size_t& done) const;
  void undo(std::string_view text, std::size_t done, std::uint64_t begin);
  std::uint64_t size() const;
  const std::string& shown() const;

  const std::string path_;  ///< "-": standard output
  const File file_;
  const bool is_regular_;
  std::mutex mutex_;  ///< held while lines are written
  std::string rest_;  ///< guarded by mutex_: the missing end of the last line in the file
};

}  // namespace sluice::lines
