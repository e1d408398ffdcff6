#include "queue/log.hpp"

#include <limits>
#include <cassert>
#include <cstdlib>
#include <new>

namespace sluice::core {
namespace {

std::size_t stride_of(std::size_t masks_offset, std::uint32_t branches) {
  std::size_t bytes = masks_offset + branches * (sizeof(Atomic<std::uint64_t>) + sizeof(Atomic<std::uint32_t>));
  std::size_t unit = branches > 1 ? kCacheLine : alignof(Atomic<std::uint64_t>);
  return (bytes + unit - 1) / unit * unit;
}

std::size_t segment_bytes(std::size_t stride) {
  const std::size_t bytes = kCacheLine + Log::kSegmentEntries * stride;
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}

}  // namespace

std::int64_t Log::bytes_max(std::uint32_t branches) {
  return std::int64_t{kDirectory} * static_cast<std::int64_t>(segment_bytes(stride_of(masks_offset_of(branches), branches)));
}

Log::Log(std::uint32_t branches)
    : cursors_(branches),
      masks_offset_(masks_offset_of(branches)),
      stride_(stride_of(masks_offset_, branches)),
      directory_(std::make_unique<Atomic<Segment*>[]>(kDirectory)) {}

Log::~Log() {
  for (void* segment : all_segments_) {
    std::free(segment);
  }
}

void Log::attach(Cursor& cursor, std::function<void(Taken, std::int64_t)> returned, std::mutex* order) {
  cursors_[cursor.branch] = {&cursor, std::move(returned), order};
}

Log::Segment* Log::make_segment() {
  if (free_ == nullptr) {
    free_ = returned_segments_.take_all();
  }
  if (free_ != nullptr) {
    Segment* segment = free_;
    free_ = segment->next;
    segment->passed.store(0, std::memory_order_relaxed);
    return segment;
  }
  void* memory = std::aligned_alloc(kCacheLine, segment_bytes(stride_));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  all_segments_.push_back(memory);
  auto* segment = new (memory) Segment;
  for (std::uint32_t i = 0; i < kSegmentEntries; ++i) {
    Entry* fresh = new (entry(segment, i)) Entry;
    for (std::uint32_t branch = 0; branch < cursors_.size(); ++branch) {
      new (masks(fresh) + branch) Atomic<std::uint64_t>(0);
      new (remainders(fresh) + branch) Atomic<std::uint32_t>(0);
    }
  }
  return segment;
}

void Log::open_segment(std::uint64_t index) {
  if (cursors_.empty() && segment_ != nullptr) {
    return;  // nobody reads: one segment is enough
  }
  Atomic<Segment*>& slot = directory_[index % kDirectory];
  if (index >= kDirectory && slot.load(std::memory_order_relaxed) != nullptr) {
    evacuate((index - kDirectory + 1) * kSegmentEntries);
  }
  segment_ = make_segment();
  slot.store(segment_, std::memory_order_release);
}

void Log::evacuate(std::uint64_t before) {
  for (Branch& branch : cursors_) {
    while ((branch.cursor->position.load(std::memory_order_relaxed) & ~Cursor::kLooked) >> 7 < before) {
      std::unique_lock<std::mutex> lock = branch.order != nullptr ? std::unique_lock(*branch.order) : std::unique_lock<std::mutex>();
      std::int64_t freed = 0;
      Taken taken = take(*branch.cursor, kChunkMessages, &freed);
      if (taken.mask != 0 || freed != 0) {
        branch.returned(taken, freed);
      } else {
        pause_core();  // somebody looks
      }
    }
  }
}

bool Log::begin(Chunk* chunk, std::int64_t now_ms) {
  if (started_) {
    ++number_;
  }
  bool new_segment = !started_ || number_ % kSegmentEntries == 0;
  if (new_segment) {
    open_segment(number_ / kSegmentEntries);
  }
  started_ = true;
  current_ = entry(segment_, number_);
  current_->chunk.store(chunk, std::memory_order_relaxed);
  current_->begun_ms.store(now_ms, std::memory_order_relaxed);
  for (std::uint32_t branch = 0; branch < cursors_.size(); ++branch) {
    masks(current_)[branch].store(0, std::memory_order_relaxed);
  }
  return new_segment;
}

void Log::pass(Segment* segment) {
  // Release: our reads of the segment are over; the last one's acquire hands it to the publisher.
  if (segment->passed.fetch_add(1, std::memory_order_acq_rel) + 1 == cursors_.size()) {
    returned_segments_.push(segment);
  }
}

Taken Log::take(Cursor& cursor, std::uint32_t count_max, std::int64_t* freed, bool whole) {
  std::uint64_t position = cursor.position.load(std::memory_order_relaxed);
  for (;;) {
    std::uint64_t number = position >> 7;
    auto bit = static_cast<std::uint32_t>(position & 127);
    // What another branch's receiver saw may do: it spares the publisher the line that it writes. Read before the
    // directory: where it shows the entry, its segment stands there by then, and not that of the round before.
    std::uint64_t pub = seen_.load(std::memory_order_acquire);
    // Acquire pairs with open_segment's release: the entry is constructed.
    Segment* segment = directory_[number / kSegmentEntries % kDirectory].load(std::memory_order_acquire);
    if (segment == nullptr) {
      return {};
    }
    Entry* at = entry(segment, number);
    std::uint64_t mask = pub >> 16 == number ? shown(at, cursor.branch, bit, pub) : 0;
    if (mask == 0) {
      // Acquire pairs with publish: chunk, masks and messages below the count.
      pub = at->pub.load(std::memory_order_acquire);
      if (pub >> 16 != number) {
        std::uint64_t now = cursor.position.load(std::memory_order_relaxed);
        if (now == position) {
          return {};
        }
        position = now;  // recycled under us: the cursor has moved on
        continue;
      }
      if (cursors_.size() > 1) {
        seen_.store(pub, std::memory_order_release);
      }
      mask = shown(at, cursor.branch, bit, pub);
    }
    bool sealed = (pub & kSealed) != 0;
    if (mask == 0 && !sealed) {
      return {};
    }
    std::uint64_t taken = lowest_bits(mask, count_max);
    if (whole && taken != mask) {
      return {};
    }
    Chunk* chunk = at->chunk.load(std::memory_order_relaxed);
    std::uint64_t next = (number + 1) << 7;
    if (taken != mask || !sealed) {
      next = number << 7 | static_cast<std::uint64_t>(64 - __builtin_clzll(taken));
    }
    std::uint32_t remainder =
        next >> 7 != number && (pub & kRemainders) != 0 ? remainders(at)[cursor.branch].load(std::memory_order_relaxed) : 0;
    // Success proves that entry, pub and mask were current; release orders our reads before `passed`.
    if (!cursor.position.compare_exchange_weak(position, next, std::memory_order_acq_rel,
                                               std::memory_order_relaxed)) {
      continue;
    }
    *freed += remainder;
    if (next >> 7 != number && (number + 1) % kSegmentEntries == 0) {
      pass(segment);
    }
    if (taken != 0) {
      return {chunk, taken};
    }
    position = next;
  }
}

/// The mark makes a number that no entry has, so that take() finds nothing published there, and its CAS fails.
std::uint32_t Log::look(Cursor& cursor, std::uint32_t count_max,
                        const std::function<void(const Chunk&, std::uint64_t mask)>& each) {
  std::uint64_t position = cursor.position.load(std::memory_order_relaxed);
  while (!cursor.position.compare_exchange_weak(position, position | Cursor::kLooked, std::memory_order_acq_rel,
                                                std::memory_order_relaxed)) {
  }
  std::uint32_t count = 0;
  for (std::uint64_t at_position = position; count < count_max; at_position = ((at_position >> 7) + 1) << 7) {
    const std::uint64_t number = at_position >> 7;
    Segment* segment = directory_[number / kSegmentEntries % kDirectory].load(std::memory_order_acquire);
    if (segment == nullptr) {
      break;
    }
    Entry* at = entry(segment, number);
    const std::uint64_t pub = at->pub.load(std::memory_order_acquire);
    if (pub >> 16 != number) {
      break;
    }
    const std::uint64_t mask =
        lowest_bits(shown(at, cursor.branch, static_cast<std::uint32_t>(at_position & 127), pub), count_max - count);
    if (mask != 0) {
      each(*at->chunk.load(std::memory_order_relaxed), mask);
      count += bit_count(mask);
    }
    if ((pub & kSealed) == 0) {
      break;
    }
  }
  cursor.position.store(position, std::memory_order_seq_cst);
  return count;
}

bool Log::has_news(const Cursor& cursor) const {
  std::uint64_t position = cursor.position.load(std::memory_order_seq_cst);
  std::uint64_t number = position >> 7;
  Segment* segment = directory_[number / kSegmentEntries % kDirectory].load(std::memory_order_seq_cst);
  if (segment == nullptr) {
    return false;
  }
  Entry* at = entry(segment, number);
  std::uint64_t pub = at->pub.load(std::memory_order_seq_cst);
  if (pub >> 16 != number) {
    return cursor.position.load(std::memory_order_seq_cst) != position;
  }
  std::uint64_t mask = masks(at)[cursor.branch].load(std::memory_order_relaxed);
  auto bit = static_cast<std::uint32_t>(position & 127);
  return (mask & mask_between(bit, static_cast<std::uint32_t>(pub & 0xff))) != 0 || (pub & kSealed) != 0;
}

/// A sealed entry of which nothing is left waits only for being passed.
std::int64_t Log::oldest_ms(const Cursor& cursor) const {
  const std::uint64_t position = cursor.position.load(std::memory_order_relaxed);
  auto bit = static_cast<std::uint32_t>(position & 127);
  for (std::uint64_t number = position >> 7, last = number + kSegmentEntries;; ++number, bit = 0) {
    Segment* segment = directory_[number / kSegmentEntries % kDirectory].load(std::memory_order_acquire);
    if (segment == nullptr) {
      return INT64_MAX;
    }
    Entry* at = entry(segment, number);
    const std::uint64_t pub = at->pub.load(std::memory_order_acquire);
    if (pub >> 16 != number) {
      return INT64_MAX;
    }
    const std::uint64_t mask = masks(at)[cursor.branch].load(std::memory_order_relaxed);
    if ((mask & mask_between(bit, static_cast<std::uint32_t>(pub & 0xff))) != 0 || number == last) {
      return at->begun_ms.load(std::memory_order_relaxed);
    }
    if ((pub & kSealed) == 0) {
      return INT64_MAX;
    }
  }
}

std::int64_t Log::begun_ms(const Cursor& cursor) const {
  std::uint64_t number = cursor.position.load(std::memory_order_relaxed) >> 7;
  Segment* segment = directory_[number / kSegmentEntries % kDirectory].load(std::memory_order_acquire);
  if (segment == nullptr) {
    return INT64_MAX;
  }
  Entry* at = entry(segment, number);
  return at->pub.load(std::memory_order_acquire) >> 16 == number ? at->begun_ms.load(std::memory_order_relaxed) : INT64_MAX;
}

}  // namespace sluice::core
