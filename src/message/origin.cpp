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

std::uint64_t Origin::run_mask(std::uint32_t start) const { return mask_between(start, run_end(start)); }

void Origin::settle_run(std::uint32_t start, std::uint64_t cookie) {
  std::uint32_t end = run_end(start);
  bool was_rejected = (rejected.load(std::memory_order_relaxed) & run_mask(start)) != 0;
  // A part that is dropped is the origin's no more. Each end is touched by its own run alone; a run
  // that fills the chunk has both, of the same cookie.
  SharedCookie* shared = end == messages ? std::exchange(carried_out, nullptr) : nullptr;
  if (start == 0 && carried_in != nullptr) {
    shared = std::exchange(carried_in, nullptr);
  }
  if (shared != nullptr) {
    shared->drop(end - start, was_rejected);
  } else {
    listener->settled(cookie, was_rejected, end - start);
  }
}

void Origin::chunk_done() {
  // Whoever made the counters held the chunk, so that store happened before this call.
  if (Copies* counters = copies.load(std::memory_order_acquire)) {
    end_with_copies(*counters);
    return;
  }
  for (std::uint64_t left = starts; left != 0; left &= left - 1) {
    settle_run(lowest_bit(left), cookies->of[lowest_bit(left)]);
  }
  pool->give_back(this);
}

/// A message without a copy now will never have one: its run waits for the others'.
void Origin::end_with_copies(Copies& counters) {
  std::uint64_t alive = 0, runs = 0;
  for (std::uint32_t message = 0; message < messages; ++message) {
    // Acquire: what the last copy did.
    bool has_copies = counters.alive[message].load(std::memory_order_acquire) != 0;
    alive |= std::uint64_t{has_copies} << message;
  }
  for (std::uint64_t left = starts; left != 0; left &= left - 1) {
    auto start = lowest_bit(left);
    if (std::uint64_t waiting = alive & run_mask(start); waiting != 0) {
      counters.unfinished[start].store(static_cast<std::uint8_t>(bit_count(waiting)), std::memory_order_relaxed);
      runs |= std::uint64_t{1} << start;
    } else {
      settle_run(start, cookies->of[start]);
    }
  }
  // One more, so that the node cannot go home within the loop.
  counters.runs_unfinished.store(bit_count(runs) + 1, std::memory_order_relaxed);
  keep_cookies(counters, runs);
  for (std::uint64_t left = alive; left != 0; left &= left - 1) {
    // Release: all of the above; acquire: what the last copy did.
    if (counters.alive[lowest_bit(left)].fetch_or(Copies::kChunkDone, std::memory_order_acq_rel) == 0) {
      finish_message(counters, lowest_bit(left));
    }
  }
  finish_run(counters);
}

/// Where few runs outlive the chunk, as stragglers do, the cookies of all are not kept for them.
void Origin::keep_cookies(Copies& counters, std::uint64_t runs) {
  if (bit_count(runs) > Copies::kCookies) {
    return;
  }
  for (std::uint64_t left = runs; left != 0; left &= left - 1) {
    counters.cookies[bit_count(runs) - bit_count(left)] = cookies->of[lowest_bit(left)];
  }
  counters.kept = runs;
  pool->give_back(std::exchange(cookies, nullptr));
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
  auto start = static_cast<std::uint32_t>(63 - std::countl_zero(starts & mask_between(0, message + 1)));
  if (counters.unfinished[start].fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  settle_run(start, cookies != nullptr ? cookies->of[start]
                                       : counters.cookies[bit_count(counters.kept & mask_between(0, start))]);
  finish_run(counters);
}

void Origin::finish_run(Copies& counters) {
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
  if (origin->cookies == nullptr) {
    origin->cookies = take_cookies();
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

Cookies* OriginPool::take_cookies() {
  if (free_cookies_ == nullptr) {
    free_cookies_ = returned_cookies_.take_all();
  }
  Cookies* cookies = free_cookies_;
  if (cookies != nullptr) {
    free_cookies_ = cookies->next;
    return cookies;
  }
  // Written before they are read.
  return all_cookies_.emplace_back(std::make_unique_for_overwrite<Cookies>()).get();
}

}  // namespace sluice::core
