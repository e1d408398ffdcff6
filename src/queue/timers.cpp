#include "queue/timers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/units.hpp"
#include "queue/dead_letters.hpp"

namespace sluice::core {

Timers::Timers(Clock& clock)
    : clock_(clock),
      start_ns_(clock.steady_ns()),
      start_wall_ms_(clock.wall_ms()),
      wheel_(0) {}

void Timers::watch(LeaseSlot& slot, std::int64_t deadline_tick) {
  if (!slot.watched) {
    slot.watched = true;
    post(deadline_tick, {Item::Kind::lease, 0, 0, slot.holder->queue, {&slot}, {}});
  }
}

std::int64_t Timers::hidden_until(const Queue& queue, const Taken& taken, std::int64_t tick) const {
  if (queue.options().retention_ms == 0) {
    return tick;
  }
  std::int64_t youngest_ms = 0;  // wall clock
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    youngest_ms = std::max(youngest_ms, taken.chunk->kept_since_ms(lowest_bit(left)));
  }
  const std::int64_t expires = youngest_ms + queue.options().retention_ms + 1 - start_wall_ms_;
  return std::min(tick, std::max(expires, now_tick() + 1));
}

void Timers::return_at(Queue& queue, Taken taken, std::int64_t tick, std::uint32_t purges) {
  queue.invisible.fetch_add(bit_count(taken.mask), std::memory_order_relaxed);
  post(hidden_until(queue, taken, tick), {Item::Kind::returned, queue.ages().come(oldest_of(taken)), purges, &queue, {}, taken});
}

void Timers::delay(Queue& queue, Taken taken, std::int64_t tick) {
  queue.delayed.fetch_add(bit_count(taken.mask), std::memory_order_release);
  Item item{Item::Kind::delayed, queue.ages().come(oldest_of(taken)), queue.purges(), &queue, {}, taken};
  item.number = queue.fifo() != nullptr ? delays_.fetch_add(1, std::memory_order_relaxed) : 0;
  post(hidden_until(queue, taken, tick), item);
}

void Timers::show_at(Queue& queue, LaneMessage& message, std::int64_t tick) {
  Item item{Item::Kind::hidden, 0, 0, &queue, {}, {}};
  item.message = &message;
  post(tick, item);
}

void Timers::look_again(Queue& queue, std::int64_t tick) { post(tick, {Item::Kind::look, 0, 0, &queue, {}, {}}); }

std::future<std::uint64_t> Timers::end_purged(Queue& queue) {
  Item item{Item::Kind::purged, 0, 0, &queue, {}, {}};
  item.ended = new std::promise<std::uint64_t>();  // which the ticker deletes
  std::future<std::uint64_t> ended = item.ended->get_future();
  post(now_tick(), item);
  return ended;
}

void Timers::every(std::int64_t period_ms, std::function<void()> task) {
  tasks_.push_back({period_ms, std::move(task)});
  run_at(now_tick() + period_ms, static_cast<std::uint32_t>(tasks_.size() - 1));
}

std::uint32_t Timers::on_demand(std::function<void()> task) {
  tasks_.push_back({0, std::move(task)});
  return static_cast<std::uint32_t>(tasks_.size() - 1);
}

void Timers::run_at(std::int64_t tick, std::uint32_t task) { post(tick, {Item::Kind::task, 0, task, nullptr, {}, {}}); }

void Timers::post(std::int64_t tick, const Item& item) {
  require_memory(inbox_.enqueue({tick, item}));
  // seq_cst pairs with sleep_until: either the ticker sees the count, or we see when it wakes. (The
  // inbox itself promises no such order.)
  posted_.fetch_add(1, std::memory_order_seq_cst);
  std::int64_t wakes_at = wakes_at_.load(std::memory_order_seq_cst);
  if (wakes_at != 0 && tick < wakes_at) {
    interrupt();
  }
}

void Timers::stop() {
  stopped_.store(true, std::memory_order_seq_cst);
  interrupt();
}

void Timers::interrupt() {
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(epoch_, 1);
}

void Timers::leave_rest_behind() {
  take_in();
  wheel_.take_if([](const Item& item) { return item.kind == Item::Kind::returned || item.kind == Item::Kind::delayed; },
                 [](const Item& item) { leave_behind(item.taken.chunk, item.taken.mask); });
}

void Timers::take_in() {
  Entry entry;
  while (inbox_.try_dequeue(entry)) {
    ++received_;
    wheel_.add(entry.tick, entry.item);
  }
}

std::int64_t Timers::advance() {
  take_in();
  now_ = now_tick();
  wheel_.advance(
      now_, [this](Item& item, std::int64_t tick) { handle(item, tick); },
      [](const Item& item) {
        if (item.kind == Item::Kind::lease) {
          __builtin_prefetch(item.slot);
        }
      });
  hand_over_arrived();
  for (const auto& [ended, count] : std::exchange(ended_purges_, {})) {
    ended->set_value(count);
  }
  if (has_untold_) {
    tell_expired();
  }
  return wheel_.next_tick();
}

void Timers::sleep_until(std::int64_t next_tick) {
  std::uint32_t epoch = epoch_.load(std::memory_order_seq_cst);
  wakes_at_.exchange(next_tick < 0 ? INT64_MAX : next_tick, std::memory_order_seq_cst);
  if (posted_.load(std::memory_order_seq_cst) == received_ && !stopped_.load(std::memory_order_seq_cst)) {
    std::int64_t wait_ns = next_tick < 0 ? -1 : (next_tick - now_tick()) * 1'000'000;
    if (next_tick < 0 || wait_ns > 0) {
      futex_wait(epoch_, epoch, wait_ns);
    }
  }
  wakes_at_.store(0, std::memory_order_seq_cst);
}

void Timers::handle(Item& item, std::int64_t tick) {
  switch (item.kind) {
    case Item::Kind::lease: look_at_lease(item); break;
    case Item::Kind::returned:
      item.queue->invisible.fetch_sub(bit_count(item.taken.mask), std::memory_order_relaxed);
      item.queue->put_back(item.taken, true, item.purges, horizon_ms(*item.queue));
      item.queue->ages().leave(item.age);
      break;
    case Item::Kind::delayed: {
      if (item.queue->fifo() != nullptr) {
        arrived_.push_back({tick, item});
        break;
      }
      std::uint32_t count = bit_count(item.taken.mask);  // once it is back, it may end
      item.queue->put_back(item.taken, false, item.purges, horizon_ms(*item.queue));
      item.queue->delayed.fetch_sub(count, std::memory_order_release);
      item.queue->ages().leave(item.age);
      break;
    }
    case Item::Kind::hidden: item.queue->fifo()->show(*item.message, horizon_ms(*item.queue)); break;
    case Item::Kind::look:
      item.queue->look_posted.store(false, std::memory_order_seq_cst);  // before: who is limited after it posts a look
      item.queue->limited.store(false, std::memory_order_seq_cst);
      item.queue->paced.store(false, std::memory_order_seq_cst);
      if (item.queue->fifo() != nullptr) {
        item.queue->fifo()->try_again();
      }
      item.queue->notify();
      break;
    case Item::Kind::purged: end_purged(item); break;
    case Item::Kind::task: {
      const Task& task = tasks_[item.purges];
      task.run();
      if (task.period_ms != 0) {
        wheel_.add(now_tick() + task.period_ms, item);
      }
      break;
    }
  }
}

/// What is kept since before then is at its end.
std::int64_t Timers::horizon_ms(const Queue& queue) const {
  return queue.options().retention_ms != 0 ? wall_ms_of(now_) - queue.options().retention_ms : INT64_MIN;
}

/// What is delayed of a FIFO queue ends with all else that is due now: parts of it would come out of order.
void Timers::end_purged(Item& item) {
  std::uint64_t count = 0;
  wheel_.take_if(
      [&item](const Item& other) {
        return (other.kind == Item::Kind::returned || other.kind == Item::Kind::delayed) && other.queue == item.queue &&
               other.purges != item.queue->purges();
      },
      [this, &count](Item purged) {
        count += bit_count(purged.taken.mask);
        handle(purged, now_);
      });
  ended_purges_.emplace_back(item.ended, count);
}

/// The wheel keeps no order within a tick.
void Timers::hand_over_arrived() {
  std::ranges::sort(arrived_, [](const Entry& a, const Entry& b) { return std::tie(a.tick, a.item.number) < std::tie(b.tick, b.item.number); });
  for (const auto& [tick, item] : arrived_) {
    std::uint32_t count = bit_count(item.taken.mask);  // once it is back, it may end
    item.queue->fifo()->arrive(item.taken, item.purges);
    item.queue->delayed.fetch_sub(count, std::memory_order_release);
    item.queue->ages().leave(item.age);
  }
  arrived_.clear();
}

void Timers::look_at_lease(Item& item) {
  LeaseSlot& slot = *item.slot;
  for (;;) {
    std::uint64_t word = slot.word.load(std::memory_order_acquire);
    std::int64_t next = next_look(slot, word);
    if (next <= now_) {
      if ((word & LeaseSlot::kExpired) == 0) {
        expire(slot, word);
        continue;
      }
      if (give_up(slot, word)) {
        continue;
      }
      next = now_ + kIdleLookMs;
    }
    wheel_.add(next, item);
    return;
  }
}

std::int64_t Timers::next_look(const LeaseSlot& slot, std::uint64_t word) const {
  if (word != 0 && (word & LeaseSlot::kExpired) == 0) {
    return LeaseSlot::deadline_of(word);
  }
  // A lease that is opened after this look ends no earlier than that.
  const std::int64_t shortest_ms = std::min(slot.holder->visibility_timeout_ms, slot.holder->ack_deadline_ms);
  const std::int64_t idle = now_ + std::max(shortest_ms, kIdleLookMs);
  const bool is_held = (word & LeaseSlot::kExpired) != 0 && (word & LeaseSlot::kGivenUp) == 0;
  return is_held ? std::min(idle, slot.holder->gives_up_tick()) : idle;
}

void Timers::expire(LeaseSlot& slot, std::uint64_t word) {
  Chunk* chunk = slot.chunk.load(std::memory_order_relaxed);
  std::uint64_t mask = slot.mask.load(std::memory_order_relaxed);
  std::uint32_t purges = slot.purges.load(std::memory_order_relaxed);
  LaneMessage* place = slot.place.load(std::memory_order_relaxed);
  const LeaseHolder& holder = *slot.holder;
  const bool is_rejected = LeaseSlot::deadline_of(word) >= holder.gives_up_tick();
  const std::int64_t received_ms = wall_ms_of(holder.received_tick.load(std::memory_order_relaxed));
  const char* at_stage = holder.stage.load(std::memory_order_relaxed);
  if (!slot.word.compare_exchange_strong(word, word | LeaseSlot::kExpired, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
    return;  // settled or extended meanwhile; the caller looks again
  }
  Queue& queue = *holder.queue;
  std::uint32_t count = bit_count(mask);
  expirations_.fetch_add(count, std::memory_order_relaxed);
  expired_leases_.fetch_add(1, std::memory_order_release);  // before its messages end
  const std::string stage = at_stage != nullptr ? at_stage : "";
  Expirations& expirations = expirations_of(queue);
  std::uint64_t received_again = 0;
  std::vector<Taken> copies;
  for (std::uint64_t left = mask; left != 0; left &= left - 1) {
    Evacuator::Copy copy = expirations.evacuator.copy(*chunk, lowest_bit(left), received_ms);
    require_memory(copy.chunk != nullptr);
    Lineage& lineage = copy.chunk->lineage[copy.index];
    if (queue.is_overdue(++lineage.receive_count)) {
      delete lineage.last_error;
      lineage.last_error = new LastError{stage, "visibility timeout expired", {}};
    } else {
      ++received_again;
    }
    copies.push_back({copy.chunk, std::uint64_t{1} << copy.index});
  }
  if (is_rejected) {
    reject(holder, stage, copies);  // before their group opens
  }
  if (queue.fifo() != nullptr) {
    queue.fifo()->expire(place, {chunk, mask}, is_rejected ? nullptr : &copies, purges);
  }
  if (!is_rejected && received_again != 0) {
    expirations.untold += received_again;
    expirations.holder = &holder;
    expirations.stage = stage;
    has_untold_ = true;
  }
  if (!is_rejected && queue.fifo() == nullptr) {
    for (std::size_t first = 0, next = 0; first < copies.size(); first = next) {
      Taken together = copies[first];
      for (next = first + 1; next < copies.size() && copies[next].chunk == together.chunk; ++next) {
        together.mask |= copies[next].mask;
      }
      queue.put_back(together, true, purges);
    }
  }
  // The stuck worker still reads the chunk: a pin stands until it comes back (Consumer::end), or is given up.
  release_chunk(chunk, std::int64_t{count} - Chunk::kPin);
}

/// Its worker is past the ack deadline with a lease that has expired: what it may still emit is in vain, and no origin
/// waits for it. It keeps the memory that it reads. False: it names an origin right now; look again in a moment.
bool Timers::give_up(LeaseSlot& slot, std::uint64_t word) {
  LeaseHolder& holder = *slot.holder;
  const std::uint64_t batch = holder.batch.load(std::memory_order_acquire);
  Chunk* chunk = slot.chunk.load(std::memory_order_relaxed);
  const std::uint64_t mask = slot.mask.load(std::memory_order_relaxed);
  // Unchanged, so the worker has not come back, and the batch is this one. Its flag says nothing of later ones.
  if (slot.word.load(std::memory_order_acquire) != word) {
    return true;
  }
  holder.given_up.store(batch, std::memory_order_seq_cst);
  if (holder.emitting.load(std::memory_order_seq_cst)) {
    return false;
  }
  if (!slot.word.compare_exchange_strong(word, word | LeaseSlot::kGivenUp, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
    return true;
  }
  let_go_of_origins(*chunk, mask);
  release_chunk(chunk, Chunk::kPin - Chunk::kReader);
  returned_late();
  return true;
}

/// Their worker swallows them: they are rejected in its place.
void Timers::reject(const LeaseHolder& holder, const std::string& stage, const std::vector<Taken>& copies) {
  Queue& queue = *holder.queue;
  const std::int64_t last_ms = now_ms();
  const std::string reason = fmt::format("stage '{}' did not settle it within the ack_deadline of {}", stage,
                                         format_duration(holder.ack_deadline_ms));
  queue.ack_deadline_exceeded.fetch_add(copies.size(), std::memory_order_release);
  for (const Taken& copy : copies) {
    holder.dead_letters->submit(DeadLetter{&queue, false, copy, holder.service, stage, reason, {}, last_ms,
                                           copy.chunk->lineage[lowest_bit(copy.mask)].stored_in});
  }
}

/// Whoever looks on sees why messages are received again. What comes within the second is told of with the next line.
void Timers::tell_expired() {
  has_untold_ = false;
  if (!log_enabled(LogLevel::warning)) {
    return;
  }
  for (auto& [queue, expired] : expired_) {
    if (expired.untold == 0 || now_tick() < expired.tells_again_tick) {
      continue;
    }
    log_warning(queue->name(),
                "{} of service '{}' {} not settled within the visibility timeout of {}{}: received again from now on; "
                "where the work may take longer, raise the queue's visibility_timeout",
                count_text(expired.untold, "message"), expired.holder->service, expired.untold == 1 ? "was" : "were",
                format_duration(expired.holder->visibility_timeout_ms),
                expired.stage.empty() ? "" : fmt::format(", at stage '{}'", expired.stage));
    expired.untold = 0;
    expired.tells_again_tick = now_tick() + kTellMs;
  }
}

Timers::Expirations& Timers::expirations_of(Queue& queue) {
  return expired_.try_emplace(&queue, pool_).first->second;
}

}  // namespace sluice::core
