#include "queue/consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace sluice::core {
namespace {

/// One slot per chunk of a full batch, and some for batches out of sparse masks.
std::uint32_t slots_for(std::uint32_t batch_size) {
  return std::min(batch_size, (batch_size + kChunkMessages - 1) / kChunkMessages * 2 + 14);
}

}  // namespace

Consumer::Consumer(Queue& queue, Timers& timers, DeadLetters& dead_letters, ChunkPool& pool,
                   std::string service, std::uint32_t batch_size, std::uint32_t consumers)
    : queue_(queue),
      timers_(timers),
      dead_letters_(dead_letters),
      service_(std::move(service)),
      batch_size_(batch_size),
      counters_(queue.lend_counters()),
      credit_step_messages_(std::max<std::int64_t>(1, queue.options().capacity / (8 * std::int64_t{consumers}))),
      credit_step_units_(std::max<std::int64_t>(1, queue.options().capacity_bytes / kCreditUnit / (8 * std::int64_t{consumers}))),
      evacuator_(pool),
      delayed_(pool) {
  for (std::uint32_t i = 0; i < slots_for(batch_size); ++i) {
    slots_.push_back(std::make_unique<LeaseSlot>());
    slots_.back()->queue = &queue_;
  }
  leases_.reserve(slots_.size());
}

Consumer::~Consumer() {
  assert(leases_.empty());
  flush_credit();
}

/// What an expired batch still emits names its parents' origins, and the copy that the timer put back
/// may have ended by then. So a worker counts in them by itself, from before the lease is open (later
/// is too late: the timer and another worker may be done with the message) until end().
void Consumer::hold_origins(const Taken& taken) {
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    const Lineage& lineage = taken.chunk->lineage[lowest_bit(left)];
    if (lineage.origin != nullptr) {
      lineage.origin->add_copy(lineage.message);
    }
  }
}

void Consumer::let_go_of_origins(const Taken& taken) {
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    const Lineage& lineage = taken.chunk->lineage[lowest_bit(left)];
    if (lineage.origin != nullptr) {
      lineage.origin->drop_copy(lineage.message);
    }
  }
}

void Consumer::open_lease(Taken taken, std::uint32_t count) {
  if (taken.chunk->kind == Chunk::Kind::evacuated) {
    hold_origins(taken);
  }
  LeaseSlot& slot = *slots_[leases_.size()];
  std::uint64_t word = slot.open(taken.chunk, taken.mask, deadline_tick_);
  timers_.watch(slot, deadline_tick_);
  leases_.push_back({&slot, word, taken, count});
}

std::uint32_t Consumer::receive(std::int64_t now_tick) {
  assert(leases_.empty());
  deadline_tick_ = now_tick + queue_.options().visibility_timeout_ms;
  std::uint32_t count = 0;
  while (count < batch_size_ && leases_.size() < slots_.size()) {
    // A batch that may hold a chunk ends where it would split one: else each of the following would as well.
    bool whole = batch_size_ >= kChunkMessages && count != 0;
    Taken taken = queue_.take(batch_size_ - count, &turn_, &credit_units_, whole);
    if (taken.mask == 0) {
      break;
    }
    std::uint32_t messages = bit_count(taken.mask);
    ConsumerCounters::add(counters_.taken, messages);
    if (taken.chunk->kind == Chunk::Kind::evacuated) {
      taken.mask = sort_out_overdue(taken);
      messages = bit_count(taken.mask);
      if (messages == 0) {
        continue;
      }
    }
    open_lease(taken, messages);
    count += messages;
  }
  return count;
}

/// Messages whose receive count has come to its maximum are dead-lettered by this receive, which does
/// not hand them out (SQS developer guide, dead-letter queues). Returns the others.
std::uint64_t Consumer::sort_out_overdue(Taken taken) {
  std::uint32_t count_max = queue_.options().max_receive_count;
  if (count_max == 0) {
    return taken.mask;
  }
  std::uint64_t keep = taken.mask;
  for (std::uint64_t left = taken.mask; left != 0; left &= left - 1) {
    auto bit = lowest_bit(left);
    Lineage& lineage = taken.chunk->lineage[bit];
    if (lineage.receive_count < count_max) {
      continue;
    }
    keep &= ~(std::uint64_t{1} << bit);
    Outcome outcome;
    outcome.reason = fmt::format("received {} times, max_receive_count is {}", lineage.receive_count, count_max);
    if (lineage.last_error != nullptr) {
      outcome.stage = lineage.last_error->stage;
      outcome.detail = lineage.last_error->detail.empty()
                           ? lineage.last_error->reason
                           : fmt::format("{}: {}", lineage.last_error->reason, lineage.last_error->detail);
    } else {
      outcome.detail = "visibility timeout expired";
    }
    queue_.overdue.fetch_add(1, std::memory_order_relaxed);
    dead_letter(taken.chunk, bit, 0, outcome);
    release_chunk(taken.chunk, 1);
  }
  return keep;
}

bool Consumer::extend() {
  deadline_tick_ = timers_.now_tick() + queue_.options().visibility_timeout_ms;
  bool all = true;
  for (Lease& lease : leases_) {
    all &= lease.slot->extend(&lease.word, deadline_tick_);
  }
  return all;
}

Lineage Consumer::lineage_of(const Chunk& chunk, std::uint32_t bit) {
  if (chunk.kind == Chunk::Kind::source) {
    return Lineage{chunk.origin, bit, 0, 0, false, nullptr};
  }
  return Lineage{chunk.lineage[bit].origin, chunk.lineage[bit].message, 0, 0, false, nullptr};
}

void Consumer::dead_letter(Chunk* chunk, std::uint32_t bit, std::uint32_t receives, Outcome& outcome) {
  std::int64_t now_ms = timers_.clock().wall_ms();
  Queue* target = queue_.dead_letter_queue();
  if (target == nullptr) {  // "redrive_policy": null
    queue_.dropped.fetch_add(1, std::memory_order_release);
    Lineage lineage = lineage_of(*chunk, bit);
    if (lineage.origin != nullptr) {
      lineage.origin->reject(lineage.message);
    }
    finish(chunk, std::uint64_t{1} << bit, 1);
    return;
  }
  Evacuator::Copy copy = evacuator_.copy(*chunk, bit, now_ms);
  if (copy.chunk == nullptr) {
    throw std::bad_alloc();
  }
  copy.chunk->lineage[copy.index].receive_count += receives;
  bool moves_on = chunk->kind == Chunk::Kind::evacuated && chunk->lineage[bit].stored;
  dead_letters_.submit(DeadLetter{&queue_, target, {copy.chunk, std::uint64_t{1} << copy.index}, service_,
                                  std::move(outcome.stage), std::move(outcome.reason), std::move(outcome.detail),
                                  now_ms, moves_on});
}

void Consumer::retry(const Lease& lease, std::uint32_t bit, Outcome& outcome) {
  Evacuator& evacuator = outcome.retry_after_ms == 0 ? evacuator_ : delayed_;
  Evacuator::Copy copy = evacuator.copy(*lease.taken.chunk, bit, timers_.clock().wall_ms());
  if (copy.chunk == nullptr) {
    throw std::bad_alloc();
  }
  Lineage& lineage = copy.chunk->lineage[copy.index];
  ++lineage.receive_count;
  if (!outcome.reason.empty()) {
    delete lineage.last_error;
    lineage.last_error = new LastError{std::move(outcome.stage), std::move(outcome.reason), std::move(outcome.detail)};
  }
  Taken returned{copy.chunk, std::uint64_t{1} << copy.index};
  if (outcome.retry_after_ms == 0) {
    queue_.put_back(returned, true);
    return;
  }
  std::int64_t tick = outcome.retry_after_ms < 0 ? LeaseSlot::deadline_of(lease.word)
                                                 : timers_.now_tick() + std::min(outcome.retry_after_ms, kInvisibleMaxMs);
  timers_.return_at(queue_, returned, tick);
}

/// Messages of `mask` are at their end here: credit goes back, and what is counted by itself is dropped.
void Consumer::finish(Chunk* chunk, std::uint64_t mask, std::uint32_t count) {
  give_credit(count, static_cast<std::int64_t>(chunk->charge_of_mask(mask)));
  if (chunk->kind != Chunk::Kind::evacuated) {
    return;
  }
  for (std::uint64_t left = mask; left != 0; left &= left - 1) {
    auto bit = lowest_bit(left);
    Lineage& lineage = chunk->lineage[bit];
    delete lineage.last_error;
    lineage.last_error = nullptr;
    if (lineage.stored) {
      dead_letters_.submit_removal(queue_, chunk->id(bit));
    }
    if (lineage.origin != nullptr) {
      lineage.origin->drop_copy(lineage.message);
    }
  }
}

Settled Consumer::end(std::span<Failure> failures, Releases& releases) {
  Settled settled;
  std::uint32_t number = 0;
  auto failure = failures.begin();
  for (const Lease& lease : leases_) {
    Chunk* chunk = lease.taken.chunk;
    std::uint32_t count = lease.count;
    if (!lease.slot->close(lease.word)) {
      settled.stale += count;
      while (failure != failures.end() && failure->message < number + count) {
        ++failure;
      }
      if (chunk->kind == Chunk::Kind::evacuated) {
        let_go_of_origins(lease.taken);
      }
      release_chunk(chunk, Chunk::kPin);  // the timer's pin (Timers::expire)
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
        retry(lease, bit, failure->outcome);
      } else {
        ++settled.rejected;
        dead_letter(chunk, bit, 1, failure->outcome);
      }
      ++failure;
    }
    if (ok != 0) {
      std::uint32_t ok_count = ok == lease.taken.mask ? count : bit_count(ok);
      settled.ok += ok_count;
      ConsumerCounters::add(counters_.deleted, ok_count);
      finish(chunk, ok, ok_count);
    }
    if (chunk->kind == Chunk::Kind::evacuated) {
      let_go_of_origins(lease.taken);
    }
    releases.add(chunk, count);
    number += count;
  }
  leases_.clear();
  return settled;
}

bool Consumer::reject_part(std::span<const std::uint8_t> body, const MessageParts& parts, const Lineage& parent,
                           std::string stage, std::string reason, std::string detail) {
  Queue* target = queue_.dead_letter_queue();
  if (target == nullptr) {
    // A message that came and went: taken, but never handed out.
    queue_.overdue.fetch_add(1, std::memory_order_relaxed);
    ConsumerCounters::add(counters_.taken, 1);
    queue_.dropped.fetch_add(1, std::memory_order_release);
    queue_.moved_in.fetch_add(1, std::memory_order_release);
    return false;
  }
  std::int64_t now_ms = timers_.clock().wall_ms();
  Lineage lineage = parent;
  lineage.first_received_ms = now_ms;
  lineage.receive_count = 1;
  Evacuator::Copy copy = evacuator_.store(body, parts, now_ms, lineage);
  if (copy.chunk == nullptr) {
    throw std::bad_alloc();
  }
  if (lineage.origin != nullptr) {
    lineage.origin->add_copy(lineage.message);
  }
  dead_letters_.submit(DeadLetter{nullptr, target, {copy.chunk, std::uint64_t{1} << copy.index}, service_,
                                  std::move(stage), std::move(reason), std::move(detail), now_ms, false});
  return true;
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
