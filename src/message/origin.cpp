#include "message/origin.hpp"

#include <bit>
#include <cassert>
#include <set>
#include <utility>

#include "base/bits.hpp"

namespace sluice::core {

void SharedCookie::drop(std::uint32_t ended_messages, bool was_rejected) {
  if (was_rejected) {
    rejected.store(true, std::memory_order_relaxed);
  }
  messages.fetch_add(ended_messages, std::memory_order_relaxed);
  // Release: our count and verdict; acquire by the last: everybody's.
  if (parts.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    listener->settled(cookie, rejected.load(std::memory_order_relaxed),
                      messages.load(std::memory_order_relaxed));
    delete this;
  }
}

std::uint32_t Origin::run_end(std::uint32_t start) const {
  std::uint64_t later = start + 1 < kMessages ? starts & (~std::uint64_t{0} << (start + 1)) : 0;
  return later != 0 ? lowest_bit(later) : messages;
}

void Origin::settle_run(std::uint32_t start) {
  std::uint32_t end = run_end(start);
  std::uint64_t upto_end = end == kMessages ? ~std::uint64_t{0} : (std::uint64_t{1} << end) - 1;
  std::uint64_t run = upto_end & ~((std::uint64_t{1} << start) - 1);
  bool was_rejected = (rejected.load(std::memory_order_relaxed) & run) != 0;
  // A part that is dropped is the origin's no more. Each end is touched by its own run alone; a run
  // that fills the chunk has both, of the same cookie.
  SharedCookie* shared = end == messages ? std::exchange(carried_out, nullptr) : nullptr;
  if (start == 0 && carried_in != nullptr) {
    shared = std::exchange(carried_in, nullptr);
  }
  if (shared != nullptr) {
    shared->drop(end - start, was_rejected);
  } else {
    listener->settled(cookies[start], was_rejected, end - start);
  }
}

void Origin::chunk_done() {
  // Whoever made the counters held the chunk, so that store happened before this call.
  Copies* counters = copies.load(std::memory_order_acquire);
  if (counters == nullptr) {
    for (std::uint64_t left = starts; left != 0; left &= left - 1) {
      settle_run(lowest_bit(left));
    }
    pool->give_back(this);
    return;
  }
  std::uint32_t runs = 0;
  for (std::uint64_t left = starts; left != 0; left &= left - 1) {
    auto start = lowest_bit(left);
    counters->unfinished[start].store(run_end(start) - start, std::memory_order_relaxed);
    ++runs;
  }
  counters->runs_unfinished.store(runs, std::memory_order_relaxed);
  std::uint32_t count = messages;  // the node may go home within the loop
  for (std::uint32_t message = 0; message < count; ++message) {
    // Release: the counters above; acquire: what the last copy did.
    if (counters->alive[message].fetch_or(Copies::kChunkDone, std::memory_order_acq_rel) == 0) {
      finish_message(*counters, message);
    }
  }
}

Origin::Copies& Origin::make_copies() {
  Copies* counters = copies.load(std::memory_order_acquire);
  if (counters == nullptr) {
    auto* made = new Copies{};
    if (copies.compare_exchange_strong(counters, made, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      return *made;
    }
    delete made;
  }
  return *counters;
}

void Origin::add_copy(std::uint32_t message, std::uint32_t count) {
  make_copies().alive[message].fetch_add(count, std::memory_order_relaxed);
}

void Origin::drop_copy(std::uint32_t message) {
  Copies& counters = *copies.load(std::memory_order_acquire);
  std::uint32_t before = counters.alive[message].fetch_sub(1, std::memory_order_acq_rel);
  assert((before & ~Copies::kChunkDone) != 0);
  if (before == (Copies::kChunkDone | 1)) {
    finish_message(counters, message);
  }
}

void Origin::finish_message(Copies& counters, std::uint32_t message) {
  std::uint64_t upto = message + 1 == kMessages ? ~std::uint64_t{0} : (std::uint64_t{1} << (message + 1)) - 1;
  auto start = static_cast<std::uint32_t>(63 - std::countl_zero(starts & upto));
  if (counters.unfinished[start].fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  settle_run(start);
  if (counters.runs_unfinished.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    copies.store(nullptr, std::memory_order_relaxed);
    delete &counters;
    pool->give_back(this);
  }
}

OriginPool::~OriginPool() {
  std::set<SharedCookie*> unsettled;  // one may stand in several origins
  for (std::unique_ptr<Origin>& origin : all_) {
    delete origin->copies.load(std::memory_order_relaxed);
    unsettled.insert({origin->carried_in, origin->carried_out});
  }
  for (SharedCookie* shared : unsettled) {
    delete shared;
  }
}

Origin* OriginPool::take() {
  if (free_ == nullptr) {
    free_ = returned_.take_all();
  }
  Origin* origin = free_;
  if (origin != nullptr) {
    free_ = origin->next;
  } else {
    all_.push_back(std::make_unique<Origin>());
    origin = all_.back().get();
  }
  origin->listener = listener_;
  origin->pool = this;
  origin->messages = 0;
  origin->starts = 0;
  origin->carried_in = nullptr;
  origin->carried_out = nullptr;
  origin->rejected.store(0, std::memory_order_relaxed);
  return origin;
}

}  // namespace sluice::core
