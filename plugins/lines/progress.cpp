#include "progress.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sluice::lines {

Progress::Progress(Position start)
    : read_(start.offset),
      next_number_(start.line),
      before_(start.done.begin(), start.done.end()) {}

bool Progress::was_done(std::uint64_t begin) {
  while (!before_.empty() && before_.front().end <= begin)
    before_.pop_front();
  return !before_.empty() && before_.front().begin <= begin;
}

std::uint64_t Progress::emitted(Range line, std::uint64_t number) {
  append(line, number, false);
  ++in_hand_;
  return first_cookie_ + entries_.size() - 1;
}

void Progress::refused() {
  assert(!entries_.empty() && !entries_.back().done);
  entries_.back().done = true;
  --in_hand_;
  trim();
}

void Progress::passed(Range line, std::uint64_t number) {
  if (entries_.empty()) {
    read_ = line.end;
    next_number_ = number + 1;
    return;
  }
  // It shares the lot of the one before, so that no number of such lines needs memory.
  entries_.back().range.end = read_ = line.end;
  next_number_ = number + 1;
}

void Progress::skipped(Range line, std::uint64_t number) {
  append(line, number, true);
  trim();
}

void Progress::append(Range line, std::uint64_t number, bool done) {
  entries_.push_back({line, number, done});
  read_ = line.end;
  next_number_ = number + 1;
}

void Progress::settled(std::uint64_t cookie) {
  if (cookie < first_cookie_ || cookie - first_cookie_ >= entries_.size())
    return;
  Entry& entry = entries_[cookie - first_cookie_];
  if (std::exchange(entry.done, true))
    return;
  --in_hand_;
  trim();
}

void Progress::trim() {
  while (!entries_.empty() && entries_.front().done) {
    entries_.pop_front();
    ++first_cookie_;
  }
}

Position Progress::position() const {
  if (entries_.empty())
    return {read_, next_number_, {before_.begin(), before_.end()}};
  Position position{entries_.front().range.begin, entries_.front().number, {}};
  std::vector<Range>& done = position.done;
  const auto add = [&](const Range& range) {
    if (!done.empty() && done.back().end == range.begin) {
      done.back().end = range.end;
    } else if (done.size() < kRangesMax) {
      done.push_back(range);
    }
  };
  for (const Entry& entry : entries_) {
    if (entry.done)
      add(entry.range);
  }
  for (const Range& range : before_) {
    if (range.end > read_)
      add({std::max(range.begin, read_), range.end});
  }
  return position;
}

}  // namespace sluice::lines
