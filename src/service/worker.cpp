#include "service/worker.hpp"

#include <bit>

namespace sluice::core {
namespace {

void add(Atomic<std::uint64_t>& counter, std::uint64_t amount) {
  if (amount != 0) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
}

}  // namespace

Worker::Worker(Queue& queue, Timers& timers, DeadLetters& dead_letters, WorkerOptions options)
    : options_(std::move(options)),
      timers_(timers),
      consumer_(queue, timers, dead_letters, pool_,
                {options_.service, options_.batch_size, options_.workers, options_.visibility_timeout_ms,
                 options_.ack_deadline_ms, options_.batch_window_ms != 0, options_.rate}),
      publisher_(options_.has_target
                     ? std::make_unique<Publisher>(
                           PublisherOptions{
                               .queues = options_.publish_to, .kind = Chunk::Kind::derived,
                               .wait = {.keep_on =
                                            [this] {
                                              consumer_.extend();
                                              return !consumer_.is_given_up() && !options_.stopping->load(std::memory_order_relaxed);
                                            },
                                        .step_ms = consumer_.extends_every_ms(),
                                        .parks = [this] { wait_begins(); },
                                        .goes_on = [this] { wait_ends(); }}},
                           timers, dead_letters)
                     : nullptr),
      part_credits_(dead_letters.part_credits()) {}

Worker::~Worker() = default;

void Worker::open(std::vector<Instance> stages) {
  chain_.emplace(std::move(stages), consumer_, publisher_.get(),
                 ChainOptions{options_.service, options_.max_body_bytes, options_.permits, options_.share, &timers_.clock(),
                              options_.aborting, options_.may_wait});
}

void Worker::retire() { chain_.reset(); }

void Worker::wait_begins() {
  waits_with_.store(in_hand_, std::memory_order_release);
  if (chain_) {
    chain_->wait_begins();
  }
}

void Worker::wait_ends() {
  waits_with_.store(0, std::memory_order_release);
  if (chain_) {
    chain_->wait_ends();
  }
}

std::uint32_t Worker::receive(std::int64_t now_tick) {
  if (options_.stopping->load(std::memory_order_relaxed)) {
    return 0;
  }
  if (!receives_now()) {
    return 0;
  }
  in_hand_ = consumer_.receive(now_tick);
  return in_hand_;
}

/// What is there and does not come would have to be split off its chunk: the batch is as full as it gets. It is looked at
/// twice, for it may have come between.
bool Worker::receive_more(std::int64_t now_tick) {
  for (int look = 0; look < 2; ++look) {
    const std::uint32_t came = consumer_.is_full() ? 0 : consumer_.receive_more(now_tick);
    in_hand_ += came;
    if (consumer_.is_full()) {
      return true;
    }
    if (consumer_.queue().limited.load(std::memory_order_relaxed)) {
      return true;  // nothing more is received until something ends
    }
    if (came != 0 || !consumer_.queue().has_news()) {
      return false;
    }
  }
  return true;
}

/// A pool worker's emit never waits, so it receives only while there is credit (DESIGN §2.7). Without
/// it, it announces that it waits and looks again; who gives credit back then sets the ready bit.
bool Worker::receives_now() {
  if (options_.may_wait) {
    return true;
  }
  bool credit = has_credit();
  announce_wait(!credit);
  return credit || has_credit();
}

void Worker::announce_wait(bool waits) {
  if (waits_for_credit_.load(std::memory_order_relaxed) == waits) {
    return;
  }
  if (publisher_ != nullptr) {
    publisher_->announce_wait(waits);
  }
  if (waits) {
    part_credits_.announce_wait();
  } else {
    part_credits_.withdraw();
  }
  waits_for_credit_.store(waits, std::memory_order_seq_cst);
}

/// The batch as an array of pointers: a part of the views' own where the messages follow one another.
const sluice_message* const* Worker::show(ViewCache& views, std::uint32_t count) {
  views.begin_batch();
  std::span<const Lease> leases = consumer_.leases();
  if (leases.size() == 1) {
    std::uint64_t mask = leases[0].taken.mask;
    const sluice_message* const* shown = views.show(*leases[0].taken.chunk, mask);
    auto first = lowest_bit(mask);
    if (mask == mask_between(first, first + count)) {
      return shown + first;
    }
  }
  messages_.clear();
  for (const Lease& lease : leases) {
    const sluice_message* const* shown = views.show(*lease.taken.chunk, lease.taken.mask);
    for (std::uint64_t left = lease.taken.mask; left != 0; left &= left - 1) {
      messages_.push_back(shown[lowest_bit(left)]);
    }
  }
  return messages_.data();
}

bool Worker::work(WorkThread& thread) {
  const sluice_message* const* messages = show(thread.views, in_hand_);
  thread.enter_stages();
  const int32_t status = chain_->run(messages, in_hand_);
  thread.leave_stages();
  if (status == SLUICE_OK) {
    count(consumer_.end(chain_->failures(), thread.releases));
  } else {
    // All become visible again: what the engine stops in the middle of is not to be their last receive.
    std::vector<Failure> all;
    for (std::uint32_t i = 0; i < in_hand_; ++i) {
      all.push_back({i, {.status = Outcome::Status::retry, .retry_after_ms = 0, .counts = false}});
    }
    if (publisher_ != nullptr) {
      publisher_->flush(false);
    }
    consumer_.end(all, thread.releases);
  }
  if (chain_->rejects_parts()) {
    rejects_parts_.store(true, std::memory_order_relaxed);
  }
  chain_->finish();
  in_hand_ = 0;
  return status != SLUICE_FATAL;
}

void Worker::count(const Settled& settled) {
  add(counters_.processed, settled.ok);
  add(counters_.retried, settled.retried);
  add(counters_.rejected, settled.rejected);
  add(counters_.stale, settled.stale);
  add(counters_.ignored, chain_->ignored());
}

void Worker::close() {
  rest();
  consumer_.idle();
  announce_wait(false);
  if (publisher_ != nullptr) {
    publisher_->close();
  }
}

}  // namespace sluice::core
