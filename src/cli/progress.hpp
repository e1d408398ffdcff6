// How a run goes: a few lines that are drawn over again on a terminal, else a log line when
// something has changed.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/summary.hpp"

namespace sluice::core {

/// Services and the queue of each, in the pipeline's order.
using ServiceQueues = std::vector<std::pair<std::string, std::string>>;

/// The lines of the display: one per source and service, one for the dead letters; none is wider
/// than `width` characters, and there are at most `height`. Rates are taken over `seconds` between
/// the two snapshots.
std::vector<std::string> progress_lines(const ServiceQueues& services, const Snapshot& before,
                                        const Snapshot& now, double seconds, std::size_t width,
                                        std::size_t height);

/// One line with the totals, for a log; equal texts mean that nothing has changed. The backlog is
/// what waits for a service: stored dead letters are none.
std::string progress_text(const ServiceQueues& services, const Snapshot& now);

/// Lines at the bottom of a terminal. [thread-safe]. Draws with one write each, never hides the
/// cursor, and leaves nothing behind.
class LiveDisplay {
 public:
  explicit LiveDisplay(int terminal) : terminal_(terminal) {}
  ~LiveDisplay() { clear(); }
  LiveDisplay(const LiveDisplay&) = delete;
  LiveDisplay& operator=(const LiveDisplay&) = delete;

  /// Columns and rows; 80 x 24 where the terminal does not say.
  std::pair<std::size_t, std::size_t> size() const;
  void draw(std::vector<std::string> lines);
  /// A log line: it goes above the display.
  void write_above(std::string_view line);
  void clear();

 private:
  void put(std::string_view above);

  const int terminal_;
  std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_
  std::size_t drawn_ = 0;           // guarded by mutex_: lines on the terminal
};

}  // namespace sluice::core
