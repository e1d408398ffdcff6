#include "queue/queue.hpp"

#include <algorithm>

namespace sluice::core {

void Queue::subscribe(Log& log, std::uint32_t branch, const SentCounter& sent) {
  cursors_.emplace_back();
  log.attach(branch, &cursors_.back(), [this](Taken taken, std::int64_t freed) {
    if (taken.mask != 0) {
      put_back(taken, false);
    }
    give_credit(0, freed);
  });
  sent_.push_back(sent);
}

void Queue::set_service(ReadySet* ready, std::uint32_t service) {
  ready_ = ready;
  ready_bits_ = {service / 64, std::uint64_t{1} << service % 64};
}

void Queue::open() {
  credits_.init(options_.capacity, options_.capacity_bytes, static_cast<std::uint32_t>(cursors_.size()));
}

Taken Queue::take(std::uint32_t count_max, std::uint32_t* turn, std::int64_t* freed, bool whole) {
  Taken taken;
  if (returned_items_.load(std::memory_order_relaxed) > 0 && returned_.try_dequeue(taken)) {
    returned_items_.fetch_sub(1, std::memory_order_relaxed);
    std::uint64_t rest = taken.mask & ~lowest_bits(taken.mask, count_max);
    if (rest != 0) {
      returned_.enqueue({taken.chunk, rest});
      returned_items_.fetch_add(1, std::memory_order_seq_cst);
      taken.mask &= ~rest;
    }
    return taken;
  }
  auto logs = static_cast<std::uint32_t>(cursors_.size());
  for (std::uint32_t i = 0; i < logs; ++i) {
    Cursor& cursor = cursors_[*turn];
    *turn = *turn + 1 == logs ? 0 : *turn + 1;
    taken = cursor.log->take(cursor, count_max, freed, whole);
    if (taken.mask != 0) {
      return taken;
    }
  }
  return {};
}

bool Queue::has_news() const {
  if (returned_items_.load(std::memory_order_seq_cst) > 0) {
    return true;
  }
  for (const Cursor& cursor : cursors_) {
    if (cursor.log->has_news(cursor)) {
      return true;
    }
  }
  return false;
}

void Queue::put_back(Taken taken, bool was_in_flight) {
  returned_.enqueue(taken);
  if (was_in_flight) {
    came_back_.fetch_add(bit_count(taken.mask), std::memory_order_release);
  }
  // seq_cst pairs with has_news() of a consumer that parks.
  returned_items_.fetch_add(1, std::memory_order_seq_cst);
  notify();
}

void Queue::give_credit(std::int64_t messages, std::int64_t units) {
  if (!credits_.give_back(messages, units)) {
    return;
  }
  credits_.ring();
  for (auto [ready, service] : credit_waiters_) {
    ready->wake(service);
  }
}

ConsumerCounters& Queue::lend_counters() {
  std::lock_guard lock(mutex_);
  return consumers_.emplace_back();
}

std::uint64_t Queue::created() const {
  std::uint64_t sum = moved_in.load(std::memory_order_acquire);
  for (const SentCounter& sent : sent_) {
    sum += sent.load();
  }
  return sum;
}

std::uint64_t Queue::ended() const {
  std::uint64_t sum = moved_to_dead_letter.load(std::memory_order_acquire) + dropped.load(std::memory_order_acquire);
  std::lock_guard lock(mutex_);
  for (const ConsumerCounters& consumer : consumers_) {
    sum += consumer.deleted.load(std::memory_order_acquire);
  }
  return sum;
}

QueueCounters Queue::counters() const {
  QueueCounters result;
  result.moved_to_dead_letter = moved_to_dead_letter.load(std::memory_order_acquire);
  result.dropped = dropped.load(std::memory_order_acquire);
  std::uint64_t came_back = came_back_.load(std::memory_order_acquire);
  {
    std::lock_guard lock(mutex_);
    for (const ConsumerCounters& consumer : consumers_) {
      result.deleted += consumer.deleted.load(std::memory_order_acquire);
      result.received += consumer.taken.load(std::memory_order_acquire);
    }
  }
  result.moved_in = moved_in.load(std::memory_order_acquire);
  for (const SentCounter& sent : sent_) {
    result.sent += sent.load();
  }
  // Read in this order a moving queue never shows less than nothing; at rest the sums are exact.
  std::uint64_t ended = result.deleted + result.moved_to_dead_letter + result.dropped + came_back;
  result.in_flight = result.received > ended ? result.received - ended : 0;
  std::uint64_t in = result.sent + result.moved_in + came_back;
  result.visible = in > result.received ? in - result.received : 0;
  result.received -= std::min(result.received, overdue.load(std::memory_order_acquire));
  return result;
}

}  // namespace sluice::core
