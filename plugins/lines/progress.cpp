#include "progress.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sluice::lines {

Progress::Progress(Position start)
    : read_(start.offset),
      next_number_(start.line),
      before_(start.done.begin(), start.done.end()) {}

bool Progress::was_done(Range text) {
  while (!before_.empty() && before_.front().end <= text.begin)
    before_.pop_front();
  return !before_.empty() && before_.front().begin <= text.begin &&
         before_.front().end >= text.end;
}

std::uint64_t Progress::emitted(Range line, std::uint64_t number) {
  entries_.push_back({line, number, next_cookie_, false});
  ++in_hand_;
  skipped(line, number);
  return next_cookie_++;
}

void Progress::refused() {
  assert(!entries_.empty() && !entries_.back().done);
  settled(entries_.back().cookie);
}

void Progress::passed(Range line, std::uint64_t number) {
  // It shares the lot of the one before, so that no number of such lines needs a range.
  if (!entries_.empty() && entries_.back().range.end == line.begin)
    entries_.back().range.end = line.end;
  skipped(line, number);
}

void Progress::skipped(Range line, std::uint64_t number) {
  read_ = line.end;
  next_number_ = number + 1;
}

void Progress::settled(std::uint64_t cookie) {
  const auto entry = std::ranges::lower_bound(entries_, cookie, {}, &Entry::cookie);
  if (entry == entries_.end() || entry->cookie != cookie || std::exchange(entry->done, true))
    return;
  --in_hand_;
  trim();
}

void Progress::trim() {
  while (!entries_.empty() && entries_.front().done)
    entries_.pop_front();
  if (entries_.size() > 2 * in_hand_ + kWaitingMax)
    std::erase_if(entries_, [](const Entry& entry) { return entry.done; });
}

Position Progress::position(std::size_t ranges_max) const {
  Position position{read_, next_number_, {}};
  if (!entries_.empty()) {
    position.offset = entries_.front().range.begin;
    position.line = entries_.front().number;
  }
  std::vector<Range>& done = position.done;
  const auto add = [&](const Range& range) {
    if (range.begin >= range.end)
      return;
    if (!done.empty() && done.back().end == range.begin) {
      done.back().end = range.end;
    } else if (done.size() < ranges_max) {
      done.push_back(range);
    }
  };
  std::uint64_t end = position.offset;  // of the last line in hand
  for (const Entry& entry : entries_) {
    if (entry.done)
      continue;
    add({end, entry.range.begin});
    end = entry.range.end;
  }
  add({end, read_});
  for (const Range& range : before_)
    add({std::max(range.begin, read_), range.end});
  return position;
}

}  // namespace sluice::lines
