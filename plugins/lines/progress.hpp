// How far a file has been read and acknowledged.
//
//   0 ──── acknowledged ────▶ mark ── in hand, some of it acknowledged ──▶ read ──── to come ────▶
//
// A line in hand is an entry, in order; what lies between entries is acknowledged. The mark is
// where the first one begins. What is acknowledged behind it is kept as ranges, so that a restart
// does not repeat it. Entries whose line is acknowledged go in heaps, so that the memory is that of
// the lines in hand, however far the mark lies back.
//
// One thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

namespace sluice::lines {

/// Bytes of a file, from `begin` up to `end`.
struct Range {
  std::uint64_t begin = 0, end = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// Where a restart goes on.
struct Position {
  std::uint64_t offset = 0;  ///< all before it is acknowledged
  std::uint64_t line = 1;    ///< the number of the line there
  std::vector<Range> done;   ///< acknowledged, in order, behind `offset`

  /// Nothing behind it is acknowledged.
  std::uint64_t end() const { return std::max(offset, done.empty() ? 0 : done.back().end); }
  friend bool operator==(const Position&, const Position&) = default;
};

class Progress {
 public:
  /// Acknowledged entries that may wait, beside as many as lines are in hand.
  static constexpr std::size_t kWaitingMax = 64;

  explicit Progress(Position start);

  /// Whether the line with this text was acknowledged before the restart. The last one of then may
  /// have got its line end since; one whose text is longer now was not.
  bool was_done(Range text);

  /// A line was emitted; the cookie for it.
  std::uint64_t emitted(Range line, std::uint64_t number);
  /// The line that was last emitted was refused: it is as one that was passed over.
  void refused();
  /// A line was passed over: it holds up nothing.
  void passed(Range line, std::uint64_t number);
  /// A line was acknowledged before.
  void skipped(Range line, std::uint64_t number);

  void settled(std::uint64_t cookie);

  std::size_t in_hand() const { return in_hand_; }
  /// At most 2 * in_hand() + kWaitingMax.
  std::size_t entries() const { return entries_.size(); }
  /// The end of the last line that was read.
  std::uint64_t read() const { return read_; }
  /// With so many ranges at most; what is acknowledged behind them comes again. There is one for
  /// each line in hand at most.
  Position position(std::size_t ranges_max = SIZE_MAX) const;

 private:
  struct Entry {
    Range range;
    std::uint64_t number;
    std::uint64_t cookie;
    bool done;
  };
  void trim();

  std::deque<Entry> entries_;
  std::uint64_t next_cookie_ = 1;
  std::size_t in_hand_ = 0;    ///< entries that are not done
  std::uint64_t read_;         ///< the end of the last line
  std::uint64_t next_number_;  ///< of the line there
  std::deque<Range> before_;   ///< done before the restart, and not met yet
};

}  // namespace sluice::lines
