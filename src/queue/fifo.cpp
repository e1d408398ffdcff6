#include "queue/fifo.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "queue/queue.hpp"

namespace sluice::core {
namespace {

std::uint64_t messages_in(const std::vector<Taken>& parts) {
  std::uint64_t messages = 0;
  for (const Taken& part : parts) {
    messages += bit_count(part.mask);
  }
  return messages;
}

}  // namespace

using Verdict = Deduplication::Verdict;

Fifo::Fifo(Queue& queue)
    : queue_(queue),
      table_(queue.options().deduplication_capacity),
      lanes_(queue.ages()),
      idle_max_(std::min(queue.options().capacity_bytes / kCreditUnit / 4, kIdleMax)),
      compacts_above_(idle_max_) {}

void Fifo::add_to_backlog(Taken taken) {
  backlog_.push_back(taken);
  publish_backlog();
}

void Fifo::arrive(Taken taken, std::uint32_t purges) {
  bool is_purged;
  {
    const std::lock_guard lock(routing_);
    is_purged = purges != queue_.purges();
    if (!is_purged) {
      add_to_backlog(taken);
    }
  }
  if (is_purged) {
    queue_.remove(taken, queue_.purged);
  }
  queue_.notify();
}

void Fifo::append(Taken taken, std::uint32_t purges) {
  bool is_purged;
  {
    const std::lock_guard lock(lanes_mutex_);
    is_purged = purges != queue_.purges();
    for (std::uint64_t left = is_purged ? 0 : taken.mask; left != 0; left &= left - 1) {
      const std::uint32_t bit = lowest_bit(left);
      lanes_.append(key_of(MetaReader(*taken.chunk, bit).group_id()), taken.chunk, bit);
    }
    publish_lanes();
  }
  if (is_purged) {
    queue_.remove(taken, queue_.purged);
  }
  queue_.notify();
}

/// seq_cst pairs with has_news() of a consumer that parks. REQUIRES: routing_.
void Fifo::publish_backlog() {
  backlog_oldest_ms_.store(backlog_.empty() ? AgeWindow::kNone : oldest_of(backlog_.front()), std::memory_order_relaxed);
  backlog_size_.store(backlog_.size(), std::memory_order_seq_cst);
}

/// The same, charges what changed in idle slabs, and gives up what has ended. REQUIRES: lanes_mutex_.
void Fifo::publish_lanes() {
  for (const Taken& ended : lanes_.take_ended()) {
    queue_.give_up(ended);  // under the lock, for it calls nobody back, and before the next of the group can be taken
  }
  open_messages_.store(lanes_.open_messages(), std::memory_order_seq_cst);
  const std::int64_t freed = charged_idle_ - lanes_.idle();
  charged_idle_ = lanes_.idle();
  if (freed > 0) {
    queue_.give_credit(0, freed);
  } else if (freed < 0) {
    queue_.credits().take(0, -freed);
  }
}

/// Where much of slabs lies idle; what was copied is added to `left`. Where what cannot be helped comes to as much, it is
/// tried again once it has grown. REQUIRES: lanes_mutex_.
void Fifo::compact(std::vector<Taken>& left) {
  if (lanes_.idle() <= idle_max_) {
    compacts_above_ = idle_max_;
  }
  if (lanes_.idle() <= compacts_above_) {
    return;
  }
  lanes_.compact(idle_max_ / 4, [this](const LaneMessage& message) {
    const Evacuator::Copy copy = evacuator_.copy(*message.chunk, message.bit, 0);
    return copy.chunk != nullptr ? Taken{copy.chunk, std::uint64_t{1} << copy.index} : Taken{};
  }, left);
  evacuator_.close();
  compacts_above_ = std::max(idle_max_, lanes_.idle() + idle_max_ / 4);
}

void Fifo::wake() {
  if (open_messages_.load(std::memory_order_seq_cst) != 0) {
    queue_.notify();
  }
}

bool Fifo::has_news() const {
  if (open_messages_.load(std::memory_order_seq_cst) != 0) {
    return true;
  }
  if (table_is_full_.load(std::memory_order_seq_cst)) {
    return false;
  }
  if (backlog_size_.load(std::memory_order_seq_cst) != 0) {
    return true;
  }
  for (const Subscription& subscription : queue_.subscriptions_) {
    if (subscription.log->has_news(subscription)) {
      return true;
    }
  }
  return false;
}

void Fifo::take(std::uint32_t count_max, std::int64_t now_ms, std::vector<LaneMessage*>& taken, std::uint32_t* purges) {
  route(std::max<std::uint64_t>(kRoutedAhead, count_max), now_ms);
  std::vector<Taken> left;
  {
    const std::lock_guard lock(lanes_mutex_);
    *purges = queue_.purges();
    lanes_.take(count_max, taken);
    compact(left);
    publish_lanes();
  }
  for (const Taken& each : left) {
    release_chunk(each.chunk, bit_count(each.mask));
  }
}

/// Moves messages into lanes until `open_wanted` are to be had, or there are no more.
void Fifo::route(std::uint64_t open_wanted, std::int64_t now_ms) {
  const auto goes_on = [&] {
    return open_messages_.load(std::memory_order_relaxed) < open_wanted && !table_is_full_.load(std::memory_order_relaxed);
  };
  std::unique_lock lock(routing_, std::defer_lock);
  if (!goes_on() || !lock.try_lock()) {
    return;
  }
  forget(now_ms);
  std::int64_t freed = 0;
  while (goes_on()) {
    const Taken taken = next_unrouted(&freed);
    if (taken.mask == 0) {
      break;
    }
    route_chunk(taken, now_ms);
  }
  const bool tells = !told_full_ && table_is_full_.load(std::memory_order_relaxed);
  told_full_ |= tells;
  const std::vector<Taken> duplicates = std::move(duplicates_);
  duplicates_.clear();
  lock.unlock();
  end_duplicates(duplicates);
  if (freed != 0) {
    queue_.give_credit(0, freed);
  }
  if (tells) {
    log_warning(queue_.name(), "{} deduplication ids within 5 minutes, which is its deduplication_capacity: it takes no more "
                               "new ones until the oldest is 5 minutes old",
                queue_.options().deduplication_capacity);
  }
}

/// The backlog first, then the logs in turn. REQUIRES: routing_.
Taken Fifo::next_unrouted(std::int64_t* freed) {
  if (!backlog_.empty()) {
    const Taken taken = backlog_.front();
    backlog_.pop_front();
    publish_backlog();
    return taken;
  }
  return queue_.take_from_logs(kChunkMessages, &turn_, freed, false);
}

/// What the deduplication table has no room for goes back into the backlog. REQUIRES: routing_.
void Fifo::route_chunk(Taken taken, std::int64_t now_ms) {
  routed_.clear();
  std::uint64_t duplicates = 0;
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    const std::uint32_t bit = lowest_bit(left);
    const Verdict verdict = judge(*taken.chunk, bit, now_ms);
    if (verdict == Verdict::full) {
      wait_for_table({taken.chunk, left});
      break;
    }
    if (verdict == Verdict::duplicate) {
      duplicates |= left & -left;
    } else {
      routed_.push_back({key_of(MetaReader(*taken.chunk, bit).group_id()), bit});
    }
  }
  if (duplicates != 0) {
    duplicates_.push_back({taken.chunk, duplicates});
  }
  const std::lock_guard lock(lanes_mutex_);
  for (const Routed& each : routed_) {
    lanes_.append(each.group, taken.chunk, each.bit);
  }
  publish_lanes();
}

/// An id that was given counts; without one, the body's where the queue says so.
Verdict Fifo::judge(const Chunk& chunk, std::uint32_t bit, std::int64_t now_ms) {
  const std::string_view id = MetaReader(chunk, bit).deduplication_id();
  if (id.empty() && !queue_.options().content_based_deduplication) {
    return Verdict::fresh;
  }
  const std::span<const std::uint8_t> body = chunk.body(bit);
  const TextKey key = !id.empty() ? key_of(id) : content_key({reinterpret_cast<const char*>(body.data()), body.size()});
  const Verdict verdict = table_.judge(key, chunk.sent_ms[bit]);
  if (verdict != Verdict::full) {
    return verdict;
  }
  table_.forget_until(now_ms - queue_.options().delay_ms);
  return table_.judge(key, chunk.sent_ms[bit]);
}

/// An id is kept for longer than its window where what was sent within that is still to be routed. At times: the
/// backlog may be long.
void Fifo::forget(std::int64_t now_ms) {
  std::int64_t until_ms = now_ms - queue_.options().delay_ms;  // what comes next was sent then, or later
  if (table_.size() == 0 || table_.ends_ms() > until_ms || now_ms - forgot_ms_ < kForgetEveryMs) {
    return;
  }
  forgot_ms_ = now_ms;
  for (const Taken& waits : backlog_) {
    until_ms = std::min(until_ms, waits.chunk->sent_ms[lowest_bit(waits.mask)]);
  }
  for (const Subscription& subscription : queue_.subscriptions_) {
    if (subscription.log->has_news(subscription)) {
      until_ms = std::min(until_ms, subscription.log->begun_ms(subscription));
    }
  }
  table_.forget_until(until_ms);
}

void Fifo::wait_for_table(Taken rest) {
  backlog_.push_front(rest);
  publish_backlog();
  table_opens_ms_.store(table_.ends_ms() + queue_.options().delay_ms, std::memory_order_relaxed);
  table_is_full_.store(true, std::memory_order_seq_cst);
}

void Fifo::end_duplicates(const std::vector<Taken>& duplicates) {
  for (const Taken& taken : duplicates) {
    queue_.let_go(*taken.chunk, taken.mask);
    const std::uint32_t count = bit_count(taken.mask);
    queue_.withdrawn.fetch_add(count, std::memory_order_relaxed);
    queue_.deduplicated.fetch_add(count, std::memory_order_release);
    queue_.give_credit(count, static_cast<std::int64_t>(taken.chunk->charge_of_mask(taken.mask)));
    release_chunk(taken.chunk, count);
  }
}

void Fifo::remove_all(const std::vector<Taken>& all, Atomic<std::uint64_t>& counter) {
  for (const Taken& taken : all) {
    queue_.remove(taken, counter);
  }
}

void Fifo::settle(const std::vector<LaneMessage*>& ended, std::vector<Return>& returns) {
  Gone gone;
  {
    const std::lock_guard lock(lanes_mutex_);
    for (LaneMessage* message : ended) {
      if (message != nullptr) {
        lanes_.end(*message);
      }
    }
    for (Return& each : returns) {
      take_back(each, gone);
    }
    publish_lanes();
  }
  end(gone);
  wake();
}

void Fifo::end(const Gone& gone) {
  remove_all(gone.purged, queue_.purged);
  remove_all(gone.expired, queue_.expired);
}

/// REQUIRES: lanes_mutex_.
void Fifo::take_back(Return& returned, Gone& gone) {
  if (returned.purges != queue_.purges()) {
    lanes_.end(*returned.place);
    returned.tick = -1;
    gone.purged.push_back(returned.now);
  } else {
    lanes_.put_back(*returned.place, returned.now, returned.tick >= 0, queue_.overdue_of(returned.now) != 0);
  }
  if (returned.tick >= 0) {
    queue_.invisible.fetch_add(1, std::memory_order_relaxed);
  } else {
    queue_.came_back_.fetch_add(1, std::memory_order_release);
  }
}

void Fifo::expire(LaneMessage* first, Taken was, const std::vector<Taken>* copies, std::uint32_t purges) {
  Gone gone;
  {
    const std::lock_guard lock(lanes_mutex_);
    const std::uint32_t count = bit_count(was.mask);
    LaneMessage *message = first, *next = nullptr;
    for (std::uint32_t number = 0; number < count; message = next) {
      next = message->next;  // the last one of a lane's hand may be recycled
      if (message->state != LaneMessage::State::in_hand || message->chunk != was.chunk || (message->mask() & was.mask) == 0) {
        continue;
      }
      if (copies == nullptr) {
        lanes_.end(*message);
      } else {
        Return returned{message, (*copies)[number], -1, purges};
        take_back(returned, gone);
      }
      ++number;
    }
    publish_lanes();
  }
  end(gone);
  queue_.make_room();
  wake();
}

void Fifo::show(LaneMessage& message, std::int64_t horizon_ms) {
  Gone gone;
  {
    const std::lock_guard lock(lanes_mutex_);
    const bool is_hidden = message.state == LaneMessage::State::hidden;
    const Taken taken{message.chunk, message.mask()};
    const bool is_old = is_hidden && taken.chunk->kept_since_ms(message.bit) < horizon_ms;
    if (is_old) {
      lanes_.end_hidden(message);
      gone.expired.push_back(taken);
    }
    if (is_old || lanes_.show(message)) {
      queue_.came_back_.fetch_add(1, std::memory_order_release);
      queue_.invisible.fetch_sub(1, std::memory_order_relaxed);
    }
    publish_lanes();
  }
  end(gone);
  queue_.make_room();
  wake();
}

Taken Fifo::take_away(std::uint32_t count_max, bool closed_too, std::int64_t* freed) {
  {
    const std::lock_guard lock(lanes_mutex_);
    const Taken taken = lanes_.take_away(count_max, closed_too);
    publish_lanes();
    if (taken.mask != 0) {
      return taken;
    }
  }
  const std::lock_guard lock(routing_);
  Taken taken = next_unrouted(freed);
  const std::uint64_t rest = taken.mask & ~lowest_bits(taken.mask, count_max);
  if (rest != 0) {
    backlog_.push_front({taken.chunk, rest});
    publish_backlog();
    queue_.notify();  // a consumer may have parked while it was in nobody's sight
  }
  taken.mask &= ~rest;
  return taken;
}

std::vector<Taken> Fifo::take_letters() {
  std::vector<Taken> letters;
  const std::lock_guard lock(lanes_mutex_);
  lanes_.take_if([this](const LaneMessage& message) { return queue_.letters_of({message.chunk, message.mask()}) != 0; }, letters);
  publish_lanes();
  return letters;
}

/// The messages of `all` that were sent before `horizon_ms` go to `old`; returns the others.
static Taken part_by_age(Taken all, std::int64_t horizon_ms, std::vector<Taken>& old) {
  std::uint64_t mask = 0;
  for (std::uint64_t left = all.mask; left != 0; left &= left - 1) {
    mask |= all.chunk->kept_since_ms(lowest_bit(left)) < horizon_ms ? left & -left : 0;
  }
  if (mask != 0) {
    old.push_back({all.chunk, mask});
  }
  return {all.chunk, all.mask & ~mask};
}

/// What is young and was taken from a log goes into the backlog: behind what was before it there.
void Fifo::sweep(std::int64_t horizon_ms) {
  std::vector<Taken> old;
  std::int64_t freed = 0;
  {
    const std::lock_guard lock(routing_);
    std::deque<Taken> waiting;
    waiting.swap(backlog_);
    for (Subscription& subscription : queue_.subscriptions_) {
      while (&subscription.front() == &subscription && subscription.log->begun_ms(subscription) < horizon_ms) {
        waiting.push_back(subscription.log->take(subscription, kChunkMessages, &freed));
        if (waiting.back().mask == 0) {
          break;
        }
      }
    }
    for (const Taken& each : waiting) {
      if (const Taken young = part_by_age(each, horizon_ms, old); young.mask != 0) {
        backlog_.push_back(young);
      }
    }
    publish_backlog();
    const std::lock_guard lanes_lock(lanes_mutex_);
    lanes_.take_older(horizon_ms, old);
    publish_lanes();
  }
  remove_all(old, queue_.expired);
  queue_.give_credit(0, freed);
  queue_.notify();  // a consumer may have parked while what is young was in nobody's sight
}

std::uint64_t Fifo::purge() {
  std::vector<Taken> visible, hidden;
  std::int64_t freed = 0;
  {
    const std::lock_guard lock(routing_);
    std::uint64_t left = queue_.counters().visible;  // publishers go on
    {
      const std::lock_guard lanes_lock(lanes_mutex_);
      queue_.purges_.fetch_add(1, std::memory_order_acq_rel);
      lanes_.clear(visible, hidden);
      publish_lanes();
      left -= std::min<std::uint64_t>(left, messages_in(visible));
      queue_.came_back_.fetch_add(hidden.size(), std::memory_order_release);
      queue_.invisible.fetch_sub(hidden.size(), std::memory_order_relaxed);
    }
    for (Taken taken = next_unrouted(&freed); taken.mask != 0; taken = left > 0 ? next_unrouted(&freed) : Taken{}) {
      left -= std::min<std::uint64_t>(left, bit_count(taken.mask));
      visible.push_back(taken);
    }
    table_.clear();
    try_again();
  }
  remove_all(visible, queue_.purged);
  remove_all(hidden, queue_.purged);
  queue_.give_credit(0, freed);
  queue_.notify();  // what came meanwhile may have found the table full
  return hidden.size() + messages_in(visible);
}

void Fifo::leave_rest_behind() {
  std::int64_t freed = 0;
  for (Taken taken = take_away(kChunkMessages, true, &freed); taken.mask != 0; taken = take_away(kChunkMessages, true, &freed)) {
    leave_behind(taken.chunk, taken.mask);
  }
  std::vector<Taken> hidden;
  {
    const std::lock_guard lock(lanes_mutex_);
    lanes_.clear(hidden, hidden);
    publish_lanes();
  }
  for (const Taken& taken : hidden) {
    leave_behind(taken.chunk, taken.mask);
  }
}

void Fifo::peek(std::uint32_t count_max, std::int64_t now_ms,
                const std::function<void(const Chunk&, std::uint64_t mask)>& each) {
  route(count_max, now_ms);
  queue_.notify();  // a consumer that found the messages in nobody's sight may have parked; one tries a full table again
  const std::lock_guard lock(lanes_mutex_);
  lanes_.look([&](const LaneMessage& message) {
    if (count_max == 0) {
      return false;
    }
    each(*message.chunk, message.mask());
    --count_max;
    return true;
  });
}

}  // namespace sluice::core
