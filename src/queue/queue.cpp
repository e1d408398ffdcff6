#include "queue/queue.hpp"

#include <algorithm>

namespace sluice::core {

bool Subscription::may_take() {
  for (Subscription* before = older.load(std::memory_order_acquire); before != nullptr;
       before = older.load(std::memory_order_acquire)) {
    if (!before->log->is_drained(*before)) {
      return false;
    }
    older.store(before->older.load(std::memory_order_acquire), std::memory_order_release);
  }
  return true;
}

Subscription& Queue::subscribe(Log& log, std::uint32_t branch, const SentCounter& sent, Subscription* older) {
  Subscription& subscription = subscriptions_.append(log, branch, sent, older);
  log.attach(subscription, [this](Taken taken, std::int64_t freed) {
    if (taken.mask != 0) {
      put_back(taken, false);
    }
    give_credit(0, freed);
  });
  credits_.deal(options_.capacity, options_.capacity_bytes, ++subscribed_);
  return subscription;
}

void Queue::set_service(ReadySet* ready, std::uint32_t service) {
  ready_ = ready;
  ready_bits_ = {service / 64, std::uint64_t{1} << service % 64};
}

void Queue::open() {
  credits_.init(options_.capacity, options_.capacity_bytes, subscribed_);
}

Taken Queue::take(std::uint32_t count_max, Subscription** turn, std::int64_t* freed, bool whole) {
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
  Subscription* const start = *turn != nullptr ? *turn : subscriptions_.first();
  for (Subscription* at = start; at != nullptr; at = *turn != start ? *turn : nullptr) {
    *turn = subscriptions_.after(*at);
    if (!at->may_take()) {
      continue;
    }
    taken = at->log->take(*at, count_max, freed, whole);
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
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.log->has_news(subscription)) {
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
  if (credits_.give_back(messages, units)) {
    wake_credit_waiters();
  }
}

void Queue::wake_credit_waiters() {
  credits_.ring();
  for (const CreditWaiter& waiter : credit_waiters_) {
    waiter.ready->wake(waiter.service);
  }
}

ConsumerCounters& Queue::lend_counters() {
  std::lock_guard lock(mutex_);
  return consumers_.emplace_back();
}

std::uint64_t Queue::created() const {
  std::uint64_t sum = moved_in.load(std::memory_order_acquire);
  for (const Subscription& subscription : subscriptions_) {
    sum += subscription.sent.load();
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
  for (const Subscription& subscription : subscriptions_) {
    result.sent += subscription.sent.load();
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
