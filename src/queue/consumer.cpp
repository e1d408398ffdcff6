#include "queue/consumer.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/memory.hpp"

namespace sluice::core {
namespace {

/// One slot per chunk of a full batch, and some for batches out of sparse masks. Neither groups nor what comes
/// message by message share any for certain.
std::uint32_t slots_for(const ConsumerOptions& options, bool fifo) {
  std::uint32_t chunks = (options.batch_size + kChunkMessages - 1) / kChunkMessages;
  return options.gathers || fifo ? options.batch_size : std::min(options.batch_size, chunks * 2 + 14);
}

/// Credit is given back in steps of this part of what the queue has.
std::int64_t credit_step(std::int64_t capacity, const ConsumerOptions& options) {
  return std::max<std::int64_t>(1, capacity / (8 * std::int64_t{options.consumers}));
}

}  // namespace

Consumer::Consumer(Queue& queue, Timers& timers, DeadLetters& dead_letters, ChunkPool& pool, ConsumerOptions options)
    : queue_(queue),
      timers_(timers),
      dead_letters_(dead_letters),
      options_(std::move(options)),
      holder_{.queue = &queue,
              .dead_letters = &dead_letters,
              .service = options_.service,
              .visibility_timeout_ms = options_.visibility_timeout_ms >= 0 ? options_.visibility_timeout_ms
                                                                           : queue.options().visibility_timeout_ms,
              .ack_deadline_ms = options_.ack_deadline_ms},
      counters_(queue.lend_counters()),
      credit_step_messages_(credit_step(queue.options().capacity, options_)),
      credit_step_units_(credit_step(queue.options().capacity_bytes / kCreditUnit, options_)),
      evacuator_(pool),
      delayed_(pool) {
  for (std::uint32_t i = 0; i < slots_for(options_, queue.fifo() != nullptr); ++i) {
    slots_.push_back(std::make_unique<LeaseSlot>());
    slots_.back()->holder = &holder_;
  }
  leases_.reserve(slots_.size());
  queue.expect_in_hand(options_.batch_size);
  queue.set_consumer(options_.service, dead_letters);
}

Consumer::~Consumer() {
  assert(leases_.empty());
  flush_credit();
}

void Consumer::open_lease(Taken taken, std::uint32_t count, std::uint32_t purges, LaneMessage* place) {
  hold_origins(*taken.chunk, taken.mask);
  std::int64_t oldest_ms = taken.chunk->kind == Chunk::Kind::evacuated ? oldest_of(taken) : taken.chunk->begun_ms;
  if (oldest_ms < counters_.oldest_ms.load(std::memory_order_relaxed)) {
    counters_.oldest_ms.store(oldest_ms, std::memory_order_relaxed);
  }
  LeaseSlot& slot = *slots_[leases_.size()];
  std::uint64_t word = slot.open(taken.chunk, taken.mask, deadline_tick_, purges, place);
  timers_.watch(slot, deadline_tick_);
  leases_.push_back({&slot, word, taken, count, purges});
}

std::uint32_t Consumer::receive(std::int64_t now_tick) {
  assert(leases_.empty());
  in_hand_ = 0;
  set_stage(nullptr);
  holder_.batch.store(++batch_, std::memory_order_release);  // the words of the last one are seen with it
  holder_.received_tick.store(now_tick, std::memory_order_relaxed);
  return receive_more(now_tick);
}

void Consumer::set_deadline(std::int64_t now_tick) {
  deadline_tick_ = std::min(now_tick + holder_.visibility_timeout_ms, holder_.gives_up_tick());
}

std::uint32_t Consumer::receive_more(std::int64_t now_tick) {
  const std::uint32_t count_max = allowed(room(options_.batch_size - in_hand_, now_tick));
  std::uint32_t count = 0;
  if (count_max != 0) {
    count = queue_.fifo() != nullptr ? gather_groups(now_tick, count_max) : gather(now_tick, count_max);
    give_back_allowance(count_max - count);
  }
  in_hand_ += count;
  return count;
}

/// By the service's max_rate. Where it is used up, nobody looks until the next message is due.
std::uint32_t Consumer::allowed(std::uint32_t count_max) {
  if (options_.rate == nullptr || count_max == 0) {
    return count_max;
  }
  const std::int64_t now_ns = timers_.clock().steady_ns();
  std::uint32_t count = options_.rate->take(count_max, now_ns);
  if (count != 0) {
    return count;
  }
  const bool was_paced = queue_.paced.exchange(true, std::memory_order_seq_cst);
  count = options_.rate->take(count_max, now_ns);  // what was given back before anybody could see that it was lacking
  if (count != 0) {
    end_pause();
  } else if (!was_paced) {
    timers_.look_again(queue_, timers_.tick_at(options_.rate->next_ns(now_ns)));
  }
  return count;
}

/// Who found nothing left meanwhile need not wait.
void Consumer::give_back_allowance(std::uint32_t count) {
  if (options_.rate != nullptr && count != 0) {
    options_.rate->give_back(count);
    end_pause();
  }
}

void Consumer::end_pause() {
  if (queue_.paced.load(std::memory_order_seq_cst)) {
    queue_.paced.store(false, std::memory_order_seq_cst);
    queue_.notify();
  }
}

/// Where as much is in flight as the queue allows, nobody looks until some of it has ended. Who finds the limit at that
/// very moment is not heard: so it is looked at again after a while.
std::uint32_t Consumer::room(std::uint32_t count_max, std::int64_t now_tick) {
  constexpr std::int64_t kLookAgainMs = 100;
  std::uint32_t left = queue_.in_flight_room();
  if (left == 0 && !queue_.limited.exchange(true, std::memory_order_seq_cst)) {
    queue_.over_limit.fetch_add(1, std::memory_order_relaxed);
    if (!queue_.look_posted.exchange(true, std::memory_order_seq_cst)) {
      timers_.look_again(queue_, now_tick + kLookAgainMs);
    }
  }
  return std::min(count_max, left);
}

bool Consumer::may_be_old(const Taken& taken, std::int64_t horizon_ms) const {
  return queue_.options().retention_ms != 0 &&
         (taken.chunk->kind == Chunk::Kind::evacuated || taken.chunk->begun_ms < horizon_ms);
}

std::uint32_t Consumer::gather(std::int64_t now_tick, std::uint32_t count_max) {
  set_deadline(now_tick);
  const std::int64_t horizon_ms = timers_.wall_ms_of(now_tick) - queue_.options().retention_ms;
  std::uint32_t count = 0;
  while (count < count_max && leases_.size() < slots_.size()) {
    // A batch that may hold a chunk ends where it would split one: else each of the following would as well.
    bool whole = options_.batch_size >= kChunkMessages && in_hand_ + count != 0;
    Taken taken = queue_.take(count_max - count, &turn_, &credit_units_, whole);
    if (taken.mask == 0) {
      break;
    }
    std::uint32_t purges = queue_.purges();
    if (may_be_old(taken, horizon_ms)) {
      taken = queue_.remove_older(taken, horizon_ms);
    }
    const std::uint32_t messages = bit_count(taken.mask);
    if (messages == 0) {
      continue;
    }
    add_alone(counters_.taken, messages);
    open_lease(taken, messages, purges);
    count += messages;
  }
  return count;
}

std::uint32_t Consumer::gather_groups(std::int64_t now_tick, std::uint32_t count_max) {
  set_deadline(now_tick);
  const std::int64_t now_ms = timers_.wall_ms_of(now_tick);
  const std::int64_t horizon_ms = queue_.options().retention_ms != 0 ? now_ms - queue_.options().retention_ms : INT64_MIN;
  Fifo& fifo = *queue_.fifo();
  std::uint32_t count = 0;
  do {
    std::uint32_t purges = 0;
    taken_.clear();
    ended_.clear();
    fifo.take(count_max - count, now_ms, taken_, &purges);
    count += lease_groups(horizon_ms, purges);
    if (!ended_.empty()) {
      fifo.settle(ended_, returns_);
    }
  } while (count < count_max && !ended_.empty());  // in the place of what was not handed out comes something else
  if (const std::int64_t opens_ms = fifo.table_opens_ms(); opens_ms != 0) {
    timers_.look_again(queue_, now_tick + std::max<std::int64_t>(1, opens_ms - now_ms));
  }
  return count;
}

/// One lease for messages that follow one another in their lane and in their chunk. How many were handed out.
std::uint32_t Consumer::lease_groups(std::int64_t horizon_ms, std::uint32_t purges) {
  const std::size_t before = places_.size();
  Taken run;
  LaneMessage* first = nullptr;
  for (LaneMessage* message : taken_) {
    if (queue_.remove_older({message->chunk, message->mask()}, horizon_ms).mask == 0) {
      ended_.push_back(message);
      continue;
    }
    add_alone(counters_.taken, 1);
    const bool follows = run.mask != 0 && message->lane == first->lane && message->chunk == run.chunk && message->mask() > run.mask;
    if (!follows) {
      if (run.mask != 0) {
        open_lease(run, bit_count(run.mask), purges, first);
      }
      first = message;
      run = {message->chunk, 0};
    }
    run.mask |= message->mask();
    places_.push_back(message);
  }
  if (run.mask != 0) {
    open_lease(run, bit_count(run.mask), purges, first);
  }
  return static_cast<std::uint32_t>(places_.size() - before);
}

bool Consumer::has_lost_all() const {
  return std::ranges::none_of(leases_, [](const Lease& lease) { return lease.slot->word.load(std::memory_order_acquire) == lease.word; });
}

bool Consumer::extend() {
  set_deadline(timers_.now_tick());
  bool all = true;
  for (Lease& lease : leases_) {
    all &= lease.slot->extend(&lease.word, deadline_tick_);
  }
  return all;
}

void Consumer::dead_letter(Chunk* chunk, std::uint32_t bit, Outcome& outcome) {
  Evacuator::Copy copy = evacuator_.copy(*chunk, bit, received_ms());
  require_memory(copy.chunk != nullptr);
  ++copy.chunk->lineage[copy.index].receive_count;
  const LetterPlace* stood_in = chunk->kind == Chunk::Kind::evacuated ? chunk->lineage[bit].stored_in : nullptr;
  dead_letters_.submit(DeadLetter{&queue_, false, {copy.chunk, std::uint64_t{1} << copy.index}, options_.service,
                                  std::move(outcome.stage), std::move(outcome.reason), std::move(outcome.detail),
                                  timers_.now_ms(), stood_in});
}

void Consumer::retry(const Lease& lease, std::uint32_t bit, std::uint32_t number, Outcome& outcome) {
  const std::int64_t now_tick = timers_.now_tick();
  std::int64_t tick = -1;
  if (outcome.retry_after_ms != 0) {
    tick = outcome.retry_after_ms < 0 ? LeaseSlot::deadline_of(lease.word) : now_tick + std::min(outcome.retry_after_ms, kInvisibleMaxMs);
  }
  if (lease.purges != queue_.purges()) {
    tick = -1;  // it is gone, not hidden
  }
  Evacuator& evacuator = tick < 0 ? evacuator_ : delayed_.of(tick - now_tick);
  Evacuator::Copy copy = evacuator.copy(*lease.taken.chunk, bit, received_ms());
  require_memory(copy.chunk != nullptr);
  Lineage& lineage = copy.chunk->lineage[copy.index];
  lineage.receive_count += outcome.counts ? 1 : 0;
  if (outcome.reason.empty() && queue_.is_overdue(lineage.receive_count)) {
    outcome.reason = "retried without a reason";
  }
  if (!outcome.reason.empty()) {
    delete lineage.last_error;
    lineage.last_error = new LastError{std::move(outcome.stage), std::move(outcome.reason), std::move(outcome.detail)};
  }
  Taken returned{copy.chunk, std::uint64_t{1} << copy.index};
  if (queue_.fifo() != nullptr) {
    tick = tick < 0 ? tick : timers_.hidden_until(queue_, returned, tick);
    returns_.push_back({std::exchange(places_[number], nullptr), returned, tick, lease.purges});
  } else if (tick < 0) {
    queue_.put_back(returned, true, lease.purges);
  } else {
    timers_.return_at(queue_, returned, tick, lease.purges);
  }
}

/// The batch is over: its groups open, but where something is to stay hidden.
void Consumer::settle_groups() {
  queue_.fifo()->settle(places_, returns_);
  for (const Fifo::Return& returned : returns_) {
    if (returned.tick >= 0) {
      timers_.show_at(queue_, *returned.place, returned.tick);
    }
  }
  places_.clear();
  returns_.clear();
}

/// Messages of `mask` are at their end here: credit goes back, and what is counted by itself is dropped.
void Consumer::finish(Chunk* chunk, std::uint64_t mask, std::uint32_t count) {
  give_credit(count, static_cast<std::int64_t>(chunk->charge_of_mask(mask)));
  queue_.let_go(*chunk, mask);
}

Settled Consumer::end(std::span<Failure> failures, Releases& releases) noexcept {
  Settled settled;
  std::uint32_t number = 0;
  auto failure = failures.begin();
  for (const Lease& lease : leases_) {
    Chunk* chunk = lease.taken.chunk;
    std::uint32_t count = lease.count;
    if (const LeaseSlot::End ended = lease.slot->close(lease.word); ended != LeaseSlot::End::settled) {
      settled.stale += count;
      while (failure != failures.end() && failure->message < number + count) {
        ++failure;
      }
      if (ended == LeaseSlot::End::given_up) {
        release_reader(chunk);  // which the timer added (Timers::give_up)
      } else {
        let_go_of_origins(*chunk, lease.taken.mask);
        release_chunk(chunk, Chunk::kPin);  // the timer's pin (Timers::expire)
        timers_.returned_late();
      }
      if (queue_.fifo() != nullptr) {
        std::fill_n(places_.begin() + number, count, nullptr);
      }
      number += count;
      continue;
    }
    std::uint64_t ok = lease.taken.mask;
    std::uint64_t left = lease.taken.mask;
    std::uint32_t at = number;
    while (failure != failures.end() && failure->message < number + count) {
      for (; at < failure->message; ++at) {
        left &= left - 1;
      }
      auto bit = lowest_bit(left);
      ok &= ~(std::uint64_t{1} << bit);
      if (failure->outcome.status == Outcome::Status::retry) {
        ++settled.retried;
        retry(lease, bit, failure->message, failure->outcome);
      } else {
        ++settled.rejected;
        dead_letter(chunk, bit, failure->outcome);
      }
      ++failure;
    }
    if (ok != 0) {
      std::uint32_t ok_count = ok == lease.taken.mask ? count : bit_count(ok);
      settled.ok += ok_count;
      add_alone(counters_.deleted, ok_count);
      finish(chunk, ok, ok_count);
    }
    let_go_of_origins(*chunk, lease.taken.mask);
    releases.add(chunk, count);
    number += count;
  }
  leases_.clear();
  counters_.oldest_ms.store(AgeWindow::kNone, std::memory_order_relaxed);
  if (queue_.fifo() != nullptr) {
    settle_groups();
  }
  queue_.make_room();
  return settled;
}

void Consumer::reject_part(std::span<const std::uint8_t> body, const MessageParts& parts, const Lineage& parent,
                           std::string stage, std::string reason, std::string detail) {
  std::int64_t now_ms = timers_.clock().wall_ms();
  Lineage lineage = parent;
  lineage.first_received_ms = now_ms;
  lineage.receive_count = 1;
  Evacuator::Copy copy = evacuator_.store(body, parts, timers_.now_ms(), lineage);
  if (copy.chunk == nullptr) {
    throw std::bad_alloc();
  }
  if (lineage.origin != nullptr) {
    lineage.origin->add_copy(lineage.message);
  }
  dead_letters_.submit(DeadLetter{&queue_, true, {copy.chunk, std::uint64_t{1} << copy.index}, options_.service,
                                  std::move(stage), std::move(reason), std::move(detail), now_ms, nullptr});
}

void Consumer::give_credit(std::int64_t messages, std::int64_t units) {
  credit_messages_ += messages;
  credit_units_ += units;
  // Who waits hears of it sooner, but not for each batch: waking costs as much as hundreds of messages.
  int sooner = queue_.credits().someone_waits() ? 2 : 0;
  if (credit_messages_ >= credit_step_messages_ >> sooner || credit_units_ >= credit_step_units_ >> sooner) {
    flush_credit();
  }
}

void Consumer::flush_credit() {
  if (credit_messages_ != 0 || credit_units_ != 0) {
    queue_.give_credit(credit_messages_, credit_units_);
    credit_messages_ = 0;
    credit_units_ = 0;
  }
}

void Consumer::idle() {
  flush_credit();
  // seq_cst pairs with DeadLetters::load_what_fits: it sees our credit, or we see its letter.
  if (queue_.unloaded.load(std::memory_order_seq_cst) != 0 &&
      !queue_.loading.exchange(true, std::memory_order_relaxed)) {
    dead_letters_.submit_load(queue_);
  }
}

}  // namespace sluice::core
