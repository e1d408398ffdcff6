#include "queue/queue.hpp"

#include <algorithm>

#include "base/memory.hpp"
#include "message/evacuator.hpp"
#include "message/reject.hpp"
#include "queue/dead_letters.hpp"

namespace sluice::core {
namespace {

/// Of one log's publisher: messages that left their slabs when they left the log. Outlives them, as the publisher does.
struct Copies {
  ChunkPool pool;
  Evacuator evacuator{pool};
};

/// Copies each message of `taken` out of its slab; `each` takes the copy. What there is no memory for stays in `taken`.
template <class Each>
void leave_slab(Taken& taken, Evacuator& evacuator, const Each& each) {
  std::uint32_t left = 0;
  for (std::uint64_t bits = taken.mask; bits != 0; bits &= bits - 1) {
    const Evacuator::Copy copy = evacuator.copy(*taken.chunk, lowest_bit(bits), 0);
    if (copy.chunk == nullptr) {
      break;
    }
    each(Taken{copy.chunk, std::uint64_t{1} << copy.index});
    taken.mask &= taken.mask - 1;
    ++left;
  }
  release_chunk(taken.chunk, left);
}

}  // namespace

std::int64_t oldest_of(const Taken& taken) {
  std::int64_t oldest = AgeWindow::kNone;
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    oldest = std::min(oldest, taken.chunk->old_since_ms(lowest_bit(left)));
  }
  return oldest;
}

Subscription& Subscription::front() {
  for (Subscription* before = older.load(std::memory_order_acquire); before != nullptr;
       before = older.load(std::memory_order_acquire)) {
    if (!before->log->is_drained(*before)) {
      return before->front();
    }
    older.store(before->older.load(std::memory_order_acquire), std::memory_order_release);
  }
  return *this;
}

Taken Subscription::take(std::uint32_t count_max, std::int64_t* freed, bool whole) {
  for (;;) {
    Subscription& at = front();
    const Taken taken = at.log->take(at, count_max, freed, whole);
    if (taken.mask != 0 || &at == this || !at.log->is_drained(at)) {
      return taken;
    }
  }
}

Subscription& Queue::subscribe(Log& log, std::uint32_t branch, const SentCounter& sent, Subscription* older) {
  Subscription& subscription = subscriptions_.append(log, branch, sent, older);
  log.attach(subscription, [this, &subscription, copies = std::make_shared<Copies>()](Taken taken, std::int64_t freed) {
    // What is read before this log, and was not yet, comes before what is handed over of it.
    while (&subscription.front() != &subscription) {
      std::int64_t freed_before = 0;
      const Taken before = subscription.take(kChunkMessages, &freed_before);
      hand_over(before, freed_before, copies->evacuator);
      if (before.mask == 0) {
        pause_core();  // somebody looks
      }
    }
    hand_over(taken, freed, copies->evacuator);
  }, fifo_ != nullptr ? &fifo_->routing() : nullptr);
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

/// What was there before the last purge is removed. REQUIRES: count_max > 0.
Queue::Returned Queue::take_returned(std::uint32_t count_max) {
  Returned item;
  while (returned_items_.load(std::memory_order_relaxed) > 0 && returned_.try_dequeue(item)) {
    returned_items_.fetch_sub(1, std::memory_order_relaxed);
    ages_.leave(item.age);
    if (item.purges != purges()) {
      stale_removed_.fetch_add(bit_count(item.taken.mask), std::memory_order_relaxed);
      remove(item.taken, purged);
      continue;
    }
    std::uint64_t rest = item.taken.mask & ~lowest_bits(item.taken.mask, count_max);
    if (rest != 0) {
      Taken left{item.taken.chunk, rest};
      require_memory(returned_.enqueue({left, item.purges, ages_.come(oldest_of(left))}));
      returned_items_.fetch_add(1, std::memory_order_seq_cst);
      notify();  // who looked meanwhile found nothing
      item.taken.mask &= ~rest;
    }
    return item;
  }
  return {};
}

/// A log's publisher needs the room of what was published there. What is freed paid for the rest of a slab that others
/// have done with: who does not pay for it must not hold it.
void Queue::hand_over(Taken taken, std::int64_t freed, Evacuator& evacuator) {
  if (taken.mask != 0 && freed != 0) {
    leave_slab(taken, evacuator, [this](Taken copy) { evacuated(copy); });
  }
  if (taken.mask != 0) {
    evacuated(taken);
  }
  give_credit(0, freed);
}

void Queue::evacuated(Taken taken) {
  if (fifo_ == nullptr) {
    put_back(taken, false);
    return;
  }
  fifo_->add_to_backlog(taken);
  notify();
}

Taken Queue::take(std::uint32_t count_max, Subscription** turn, std::int64_t* freed, bool whole) {
  if (fifo_ != nullptr) {
    return fifo_->take_away(count_max, false, freed);
  }
  Taken taken = take_returned(count_max).taken;
  return taken.mask != 0 ? taken : take_from_logs(count_max, turn, freed, whole);
}

Taken Queue::take_from_logs(std::uint32_t count_max, Subscription** turn, std::int64_t* freed, bool whole) {
  Subscription* const start = *turn != nullptr ? *turn : subscriptions_.first();
  for (Subscription* at = start; at != nullptr; at = *turn != start ? *turn : nullptr) {
    *turn = subscriptions_.after(*at);
    Taken taken = at->take(count_max, freed, whole);
    if (taken.mask != 0) {
      return taken;
    }
  }
  return {};
}

bool Queue::has_news() const {
  if (limited.load(std::memory_order_seq_cst) || paced.load(std::memory_order_seq_cst)) {
    return false;
  }
  if (fifo_ != nullptr) {
    return fifo_->has_news();
  }
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

void Queue::put_back(Taken taken, bool was_in_flight, std::uint32_t purges, std::int64_t horizon_ms) {
  if (was_in_flight) {
    came_back_.fetch_add(bit_count(taken.mask), std::memory_order_release);
    make_room();
  }
  if (purges != this->purges()) {
    remove(taken, purged);
    return;
  }
  taken = remove_older(taken, horizon_ms);
  if (taken.mask == 0) {
    return;  // the chunk may be gone
  }
  if (const std::uint64_t overdue = overdue_of(taken); overdue != 0) {
    give_up({taken.chunk, overdue});
    taken.mask &= ~overdue;
  }
  if (taken.mask == 0) {
    return;
  }
  if (fifo_ != nullptr) {
    fifo_->append(taken, purges);
    return;
  }
  require_memory(returned_.enqueue({taken, purges, ages_.come(oldest_of(taken))}));
  // seq_cst pairs with has_news() of a consumer that parks.
  returned_items_.fetch_add(1, std::memory_order_seq_cst);
  notify();
}

std::uint64_t Queue::overdue_of(const Taken& taken) const {
  if (options_.max_receive_count == 0 || dead_letters_ == nullptr || dead_letter_queue_ == nullptr || taken.chunk->kind != Chunk::Kind::evacuated) {
    return 0;
  }
  std::uint64_t overdue = 0;
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    overdue |= is_overdue(taken.chunk->lineage[lowest_bit(left)].receive_count) ? left & -left : 0;
  }
  return overdue;
}

/// Messages that would be visible, of an evacuated chunk, go to the dead letters as they are.
void Queue::give_up(Taken overdue) {
  diverted.fetch_add(bit_count(overdue.mask), std::memory_order_release);
  dead_letters_->submit_overdue(*this, service_, overdue);
}

void Queue::make_room() {
  if (limited.load(std::memory_order_relaxed)) {
    limited.store(false, std::memory_order_seq_cst);
    notify();
  }
}

void Queue::give_credit(std::int64_t messages, std::int64_t units) {
  if (credits_.give_back(messages, units)) {
    credits_.ring();
  }
}

void Queue::let_go(Chunk& chunk, std::uint64_t mask) {
  if (chunk.kind != Chunk::Kind::evacuated) {
    return;
  }
  for (std::uint64_t left = mask; left != 0; left &= left - 1) {
    auto bit = lowest_bit(left);
    Lineage& lineage = chunk.lineage[bit];
    delete lineage.last_error;
    lineage.last_error = nullptr;
    if (lineage.stored_in != nullptr) {
      lineage.stored_in->queue->letters_->submit_removal(*lineage.stored_in, chunk.id(bit));
    }
    if (lineage.origin != nullptr) {
      lineage.origin->drop_copy(lineage.message);
    }
  }
}

void Queue::remove(Taken taken, Atomic<std::uint64_t>& counter) {
  reject(*taken.chunk, taken.mask);
  let_go(*taken.chunk, taken.mask);
  std::uint32_t count = bit_count(taken.mask);
  withdrawn.fetch_add(count, std::memory_order_release);  // with what take_returned() counted
  counter.fetch_add(count, std::memory_order_release);
  give_credit(count, static_cast<std::int64_t>(taken.chunk->charge_of_mask(taken.mask)));
  release_chunk(taken.chunk, count);
}

Taken Queue::remove_older(Taken taken, std::int64_t horizon_ms) {
  if (horizon_ms == INT64_MIN) {
    return taken;
  }
  std::uint64_t old = 0;
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    if (taken.chunk->kept_since_ms(lowest_bit(left)) < horizon_ms) {
      old |= left & -left;
    }
  }
  if (old != 0) {
    remove({taken.chunk, old}, expired);
  }
  return {taken.chunk, taken.mask & ~old};
}

/// What is young and was taken goes back; it may be met again by nobody but consumers.
void Queue::sweep(std::int64_t now_ms) {
  if (options_.retention_ms == 0) {
    return;
  }
  std::int64_t horizon_ms = now_ms - options_.retention_ms, freed = 0;
  if (fifo_ != nullptr) {
    fifo_->sweep(horizon_ms);
    return;
  }
  // A purge is not to miss what is in nobody's sight here: the next round will do.
  const std::unique_lock lock(operated_, std::try_to_lock);
  if (!lock) {
    return;
  }
  for (Subscription& subscription : subscriptions_) {
    while (subscription.log->begun_ms(subscription) < horizon_ms) {
      const Taken taken = subscription.log->take(subscription, kChunkMessages, &freed);
      if (taken.mask == 0) {
        break;
      }
      if (Taken young = remove_older(taken, horizon_ms); young.mask != 0) {
        put_back(young, false);
      }
    }
  }
  for (std::int64_t items = returned_items_.load(std::memory_order_relaxed); items > 0; --items) {
    const Taken taken = take_returned(kChunkMessages).taken;
    if (taken.mask == 0) {
      break;
    }
    if (Taken young = remove_older(taken, horizon_ms); young.mask != 0) {
      put_back(young, false);
    }
  }
  give_credit(0, freed);
}

void Queue::recall_letters(const std::function<void(const Uuid&, const LetterPlace&, std::int64_t since_ms)>& each) {
  const auto recall = [&](Taken letters) {
    for (std::uint64_t left = letters.mask; left != 0; left &= left - 1) {
      Lineage& lineage = letters.chunk->lineage[lowest_bit(left)];
      delete lineage.last_error;  // of a retry here; the file has the letter's own
      lineage.last_error = nullptr;
      each(letters.chunk->id(lowest_bit(left)), *lineage.stored_in, letters.chunk->old_since_ms(lowest_bit(left)));
    }
    give_credit(bit_count(letters.mask), static_cast<std::int64_t>(letters.chunk->charge_of_mask(letters.mask)));
    release_chunk(letters.chunk, bit_count(letters.mask));
  };
  if (fifo_ != nullptr) {
    std::ranges::for_each(fifo_->take_letters(), recall);
    return;
  }
  // What is no letter goes back to the end, so the number of looks must be bounded.
  for (std::int64_t items = returned_items_.load(std::memory_order_relaxed); items > 0; --items) {
    const auto [taken, seen, age] = take_returned(kChunkMessages);
    if (taken.mask == 0) {
      break;
    }
    const std::uint64_t letters = letters_of(taken);
    if (const std::uint64_t others = taken.mask & ~letters; others != 0) {
      put_back({taken.chunk, others}, false, seen);
    }
    if (letters != 0) {
      recall({taken.chunk, letters});
    }
  }
}

std::uint64_t Queue::letters_of(const Taken& taken) const {
  std::uint64_t letters = 0;
  for (std::uint64_t left = taken.chunk->kind == Chunk::Kind::evacuated ? taken.mask : 0; left != 0; left &= left - 1) {
    const LetterPlace* stored_in = taken.chunk->lineage[lowest_bit(left)].stored_in;
    letters |= stored_in != nullptr && stored_in->queue == this ? left & -left : 0;
  }
  return letters;
}

void Queue::peek(std::uint32_t count_max, std::int64_t now_ms, const std::function<void(const Chunk&, std::uint64_t mask)>& each) {
  if (fifo_ != nullptr) {
    fifo_->peek(count_max, now_ms, each);
    return;
  }
  const std::lock_guard lock(operated_);
  const std::uint32_t seen = purges();
  std::vector<Taken> returned;
  std::uint32_t count = 0;
  while (count < count_max) {
    const Taken taken = take_returned(count_max - count).taken;
    if (taken.mask == 0) {
      break;
    }
    each(*taken.chunk, taken.mask);
    count += bit_count(taken.mask);
    returned.push_back(taken);
  }
  for (Subscription& subscription : subscriptions_) {
    if (count < count_max) {  // older logs stand before those that follow them
      count += subscription.log->look(subscription, count_max - count, each);
    }
  }
  for (const Taken& back : returned) {
    put_back(back, false, seen);
  }
  notify();  // who looked meanwhile found nothing
}

std::uint32_t Queue::drop_oldest(std::uint32_t count_max, Subscription** turn) {
  std::int64_t freed = 0;
  Taken taken = fifo_ != nullptr ? fifo_->take_away(count_max, true, &freed) : take(count_max, turn, &freed);
  if (taken.mask != 0) {
    remove(taken, dropped);
  }
  if (freed != 0) {
    give_credit(0, freed);
  }
  return bit_count(taken.mask);
}

void Queue::leave_rest_behind() {
  if (fifo_ != nullptr) {
    fifo_->leave_rest_behind();
    return;
  }
  std::int64_t freed = 0;
  Subscription* turn = nullptr;
  for (Taken taken = take(kChunkMessages, &turn, &freed); taken.mask != 0; taken = take(kChunkMessages, &turn, &freed)) {
    leave_behind(taken.chunk, taken.mask);
  }
}

/// Whoever takes from the queue meanwhile removes what is stale, too. It is counted before it ceases to be visible, and
/// looked at in the reverse order: so nothing is taken for gone twice, and stays in another's place.
std::uint64_t Queue::purge() {
  if (fifo_ != nullptr) {
    return fifo_->purge();
  }
  const std::lock_guard lock(operated_);
  const std::uint64_t visible = counters().visible;
  const std::uint64_t stale_before = stale_removed_.load(std::memory_order_acquire);
  purges_.fetch_add(1, std::memory_order_acq_rel);
  std::uint64_t removed = 0;
  const auto gone = [&] { return removed + stale_removed_.load(std::memory_order_acquire) - stale_before; };
  const auto wanted = [&] {  // publishers go on
    const std::uint64_t now = gone();
    return static_cast<std::uint32_t>(now < visible ? std::min<std::uint64_t>(visible - now, kChunkMessages) : 0);
  };
  Subscription* turn = nullptr;
  std::int64_t freed = 0;
  for (std::uint32_t count = wanted(); count != 0; count = wanted()) {
    Taken taken = take_returned(count).taken;
    if (taken.mask == 0 && (count = wanted()) != 0) {
      taken = take_from_logs(count, &turn, &freed, false);
    }
    if (taken.mask == 0) {
      break;
    }
    removed += bit_count(taken.mask);
    remove(taken, purged);
  }
  give_credit(0, freed);
  return gone();
}

std::uint64_t Queue::created() const {
  std::uint64_t sum = moved_in.load(std::memory_order_acquire);
  for (const Subscription& subscription : subscriptions_) {
    sum += subscription.sent.load();
  }
  return sum;
}

std::uint64_t Queue::ended() const {
  std::uint64_t sum = moved_to_dead_letter.load(std::memory_order_acquire);
  for (const Atomic<std::uint64_t>* counter : {&dropped, &expired, &purged, &redriven, &deduplicated}) {
    sum += counter->load(std::memory_order_acquire);
  }
  for (const ConsumerCounters& consumer : consumers_) {
    sum += consumer.deleted.load(std::memory_order_acquire);
  }
  return sum;
}

/// Read in this order a moving queue never shows less than nothing; at rest the sums are exact.
QueueCounters Queue::counters() const {
  QueueCounters result;
  result.delayed = delayed.load(std::memory_order_acquire);
  result.moved_to_dead_letter = moved_to_dead_letter.load(std::memory_order_acquire);
  result.dropped = dropped.load(std::memory_order_acquire);
  result.expired = expired.load(std::memory_order_acquire);
  result.purged = purged.load(std::memory_order_acquire);
  result.ack_deadline_exceeded = ack_deadline_exceeded.load(std::memory_order_acquire);
  result.deduplicated = deduplicated.load(std::memory_order_acquire);
  result.deleted = result.deduplicated + redriven.load(std::memory_order_acquire);
  std::uint64_t taken_by_nobody = withdrawn.load(std::memory_order_acquire);
  std::uint64_t came_back = came_back_.load(std::memory_order_acquire);
  taken_by_nobody += diverted.load(std::memory_order_acquire);
  for (const ConsumerCounters& consumer : consumers_) {
    result.deleted += consumer.deleted.load(std::memory_order_acquire);
    result.received += consumer.taken.load(std::memory_order_acquire);
  }
  result.moved_in = moved_in.load(std::memory_order_acquire);
  for (const Subscription& subscription : subscriptions_) {
    result.sent += subscription.sent.load();
  }
  std::uint64_t ended = result.deleted + result.moved_to_dead_letter + result.dropped + result.expired + result.purged +
                        came_back;
  const std::uint64_t taken = result.received + taken_by_nobody;
  result.in_flight = taken > ended ? taken - ended : 0;
  std::uint64_t in = result.sent + result.moved_in + came_back;
  std::uint64_t left = taken + result.delayed;
  result.visible = in > left ? in - left : 0;
  return result;
}

std::int64_t Queue::oldest_ms() const {
  std::int64_t oldest = ages_.oldest_ms();
  const bool may_be_in_logs = counters().visible != 0;  // a log looks at so many entries that are not for this queue
  for (const Subscription& subscription : subscriptions_) {
    oldest = may_be_in_logs ? std::min(oldest, subscription.log->oldest_ms(subscription)) : oldest;
  }
  if (unloaded.load(std::memory_order_acquire) != 0) {
    oldest = std::min(oldest, recalled_since_ms.load(std::memory_order_relaxed));
  }
  if (fifo_ != nullptr) {
    oldest = std::min(oldest, fifo_->backlog_oldest_ms());
  }
  for (const ConsumerCounters& consumer : consumers_) {
    oldest = std::min(oldest, consumer.oldest_ms.load(std::memory_order_relaxed));
  }
  return oldest;
}

std::uint32_t Queue::in_flight_room() const {
  // Whatever consumers have in hand is bounded; only what waits to become visible again is counted as it goes.
  if (in_hand_max_ + invisible.load(std::memory_order_relaxed) <= options_.in_flight_max) {
    return in_hand_max_;
  }
  std::uint64_t in_flight = counters().in_flight;
  return in_flight < options_.in_flight_max ? static_cast<std::uint32_t>(options_.in_flight_max - in_flight) : 0;
}

}  // namespace sluice::core
