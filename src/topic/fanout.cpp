#include "topic/fanout.hpp"

#include <algorithm>

#include "base/memory.hpp"

namespace sluice::core {
namespace {

/// One entry for each word.
void merge(std::vector<ReadyBits>& all) {
  std::vector<ReadyBits> words;
  for (const ReadyBits& bits : all) {
    auto same_word = std::ranges::find(words, bits.word, &ReadyBits::word);
    if (same_word == words.end()) {
      words.push_back(bits);
    } else {
      same_word->bits |= bits.bits;
    }
  }
  all = std::move(words);
}

}  // namespace

BranchCounts& BranchCounts::operator+=(const BranchCounts& other) {
  matched += other.matched;
  filtered += other.filtered;
  invalid_attributes += other.invalid_attributes;
  invalid_body += other.invalid_body;
  return *this;
}

Fanout::Fanout(std::vector<Queue*> queues, const CreditWait& wait, const Aside& aside,
               const Fanout* older)
    : queues_(std::move(queues)),
      wait_(wait),
      aside_(aside),
      log_(static_cast<std::uint32_t>(queues_.size())),
      counters_(std::make_unique<BranchCounters[]>(queues_.size())),
      unwanted_(std::make_unique<Atomic<bool>[]>(queues_.size())) {
  for (std::uint32_t branch = 0; branch < queues_.size(); ++branch) {
    const BranchCounters& counters = counters_[branch];
    Subscription* before = nullptr;
    if (older != nullptr && branch < older->subscriptions_.size()) {  // the older one's come first
      before = older->subscriptions_[branch];
    }
    subscriptions_.push_back(&queues_[branch]->subscribe(
        log_, branch, {&published_total_, &counters.matched, &filters_, &counters.forgone},
        before));
    branches_.push_back({queues_[branch], queues_[branch]->options().delay_ms});
  }
}

void Fanout::want(const Queue& queue, bool wanted) {
  const auto branch =
      static_cast<std::size_t>(std::ranges::find(queues_, &queue) - queues_.begin());
  if (branch < queues_.size()) {
    unwanted_[branch].store(!wanted, std::memory_order_seq_cst);
  }
}

void Fanout::retire() {
  give_reservations_back();
  log_.retire();
}

void Fanout::wire_ready() {
  for (Queue* queue : queues_) {
    if (queue->has_service()) {
      ready_ = queue->ready();
      ready_bits_.push_back(queue->ready_bits());
    }
  }
  merge(ready_bits_);
}

void Fanout::use_filter(std::shared_ptr<const TopicFilter> filter,
                        std::span<const std::uint32_t> subscriptions) {
  if (!filters_.load(std::memory_order_relaxed)) {
    for (std::size_t branch = 0; branch < branches_.size(); ++branch) {
      counters_[branch].matched.store(published_total_.load(std::memory_order_relaxed),
                                      std::memory_order_relaxed);
    }
    filters_.store(true, std::memory_order_release);  // with the counters
  }
  branch_of_.assign(filter->subscriptions(), kUnsubscribed);
  for (std::uint32_t branch = 0; branch < branches_.size(); ++branch) {
    const std::uint32_t subscription = subscriptions[branch];
    const bool subscribed = subscription != kUnsubscribed;
    note_subscribed(counters_[branch], subscribed);
    branches_[branch].filtered = !subscribed || filter->has_policy(subscription);
    if (subscribed) {
      branch_of_[subscription] = branch;
    }
  }
  matcher_ = std::make_unique<ChunkMatcher>(std::move(filter));
  sort_branches();
}

/// What is published while it is unsubscribed is not told as filtered.
void Fanout::note_subscribed(BranchCounters& counters, bool subscribed) {
  const std::uint64_t left_at = counters.left_at.load(std::memory_order_relaxed);
  if (subscribed == (left_at == kSubscribed)) {
    return;
  }
  const std::uint64_t published = published_total_.load(std::memory_order_relaxed);
  if (subscribed) {
    add_alone(counters.unseen, published - left_at);
  }
  counters.left_at.store(subscribed ? kSubscribed : published, std::memory_order_release);
}

void Fanout::sort_branches() {
  unfiltered_.clear();
  unfiltered_bits_.clear();
  for (std::uint32_t branch = 0; branch < branches_.size(); ++branch) {
    if (!branches_[branch].filtered) {
      unfiltered_.push_back(branch);
      if (branches_[branch].queue->has_service()) {
        unfiltered_bits_.push_back(branches_[branch].queue->ready_bits());
      }
    }
  }
  merge(unfiltered_bits_);
}

BranchCounts Fanout::counts(std::uint32_t branch) const {
  const BranchCounters& counters = counters_[branch];
  BranchCounts result;
  const bool filters = filters_.load(std::memory_order_acquire);
  // What came later is read first, so that no difference is negative.
  const std::uint64_t forgone = counters.forgone.load(std::memory_order_acquire);
  const std::uint64_t unseen = counters.unseen.load(std::memory_order_acquire);
  const std::uint64_t matched =
      (filters ? counters.matched : published_total_).load(std::memory_order_acquire);
  const std::uint64_t left_at = counters.left_at.load(std::memory_order_acquire);
  const std::uint64_t seen = (left_at == kSubscribed ? published() : left_at) - unseen;
  result.matched = matched - forgone;
  result.filtered = filters && seen > matched ? seen - matched : 0;
  result.invalid_attributes = counters.invalid_attributes.load(std::memory_order_acquire);
  result.invalid_body = counters.invalid_body.load(std::memory_order_acquire);
  return result;
}

void Fanout::notify(std::span<const ReadyBits> ready_bits) {
  for (const ReadyBits& bits : ready_bits) {
    ready_->notify(bits);
  }
}

/// Whoever has something of what was just published; when the chunk is sealed, all that had any of
/// it, so that their cursors pass it and give its remainder back; at a new segment everybody, so
/// that those who never get anything pass the last one.
void Fanout::notify_readers(bool sealed) {
  if (matcher_ == nullptr || passes_segment_) {
    passes_segment_ = false;
    notify(ready_bits_);
    return;
  }
  notify(unfiltered_bits_);
  for (const std::uint32_t branch : sealed ? reached_ : fresh_) {
    branches_[branch].queue->notify();
  }
}

void Fanout::begin(Chunk* chunk, Admission admission) noexcept {
  chunk_ = chunk;
  published_ = 0;
  charge_ = 0;
  slab_units_ = chunk->slab_bytes / kCreditUnit;
  own_delays_ = 0;
  passes_segment_ |= log_.begin(chunk, chunk->begun_ms);
  reached_.clear();
  any_late_ = false;
  all_the_same_ = true;
  for (std::uint32_t i = 0; i < branches_.size(); ++i) {
    Branch& branch = branches_[i];
    Credits& credits = branch.queue->credits();
    branch.fate = admit(i, admission);
    branch.matched = 0;
    branch.came_late = false;
    any_withheld_ |= branch.fate == Fate::withheld;
    const bool gets_all = branch.fate == Fate::published && !branch.filtered;
    branch.precharged = gets_all && credits.shares_chunks();
    if (branch.precharged) {
      credits.charge(branch.reservation, kChunkMessages, slab_units_);
    }
    if (gets_all && branch.delay_ms == 0) {
      log_.add_to_mask(i, ~std::uint64_t{0});  // bits above the published count are not looked at
    }
    all_the_same_ &= branch.precharged && branch.delay_ms == 0;
  }
}

void Fanout::delay(std::uint32_t index, std::int64_t delay_ms) {
  own_delays_ |= std::uint64_t{1} << index;
  own_delay_ms_[index] = std::max<std::int64_t>(delay_ms, 0);
}

std::uint64_t Fanout::publish(bool seal) noexcept {
  const std::uint32_t fresh = chunk_->count - published_;
  if (seal && published_ == 0) {
    chunk_->spread_charge();
  }
  published_total_.store(published_total_.load(std::memory_order_relaxed) + fresh,
                         std::memory_order_release);
  const std::int64_t units = chunk_->charge - charge_;
  deliveries_ = 0;
  if (matcher_ == nullptr) {
    share_out(fresh, units);
  } else {
    share_out_filtered(fresh, units);
  }
  charge_ = chunk_->charge;
  published_ = chunk_->count;
  const bool with_remainders = seal && (matcher_ != nullptr || any_late_);
  if (seal) {
    refund();
  }
  if (with_remainders) {
    set_remainders();
  }
  log_.publish(published_, seal, with_remainders);
  notify_readers(seal);
  if (any_withheld_) {
    publish_withheld();
  }
  return deliveries_;
}

void Fanout::end() {
  log_.publish(published_, true);
  refund();
}

/// Gives back what precharged branches were charged beyond the published messages.
void Fanout::refund() {
  for (Branch& branch : branches_) {
    if (branch.precharged) {
      branch.queue->credits().charge(branch.reservation, published_ - std::int64_t{kChunkMessages},
                                     charge_ - slab_units_);
      branch.precharged = false;
    }
  }
}

/// The fresh messages go to every branch.
void Fanout::share_out(std::uint32_t fresh, std::int64_t units) {
  if (all_the_same_ && own_delays_ == 0) {
    deliveries_ += fresh * branches_.size();
    return;
  }
  const std::uint64_t mask = mask_between(published_, published_ + fresh);
  for (std::uint32_t index = 0; index < branches_.size(); ++index) {
    deliver(index, mask, units);
  }
}

/// A branch's part of the fresh messages; `units` is what they are charged.
void Fanout::deliver(std::uint32_t index, std::uint64_t mask, std::int64_t units) {
  Branch& branch = branches_[index];
  admit_again(index, mask);
  switch (branch.fate) {
    case Fate::published:
      if (!branch.precharged) {
        branch.queue->credits().charge(branch.reservation, bit_count(mask), units);
      }
      hand_over(index, mask);
      break;
    case Fate::withheld:
      deliveries_ += bit_count(mask);
      break;
    case Fate::dropped:
      drop(branch, mask);
      break;
    case Fate::dead_lettered:
      dead_letter(branch, mask);
      break;
  }
}

/// To the log or, what is delayed, to the timers. In a FIFO queue no message has a delay of its own: it would be
/// overtaken by those behind it.
void Fanout::hand_over(std::uint32_t index, std::uint64_t mask) {
  Branch& branch = branches_[index];
  const std::uint64_t own = branch.queue->options().fifo ? 0 : mask & own_delays_;
  std::uint64_t apart = own;  // copied one by one
  if (branch.delay_ms == 0) {
    log_.add_to_mask(index, mask);
    log_.remove_from_mask(index, own);
  } else if (branch.is_sparse()) {
    apart = mask;
  } else if (mask != own) {
    aside_.timers.delay(*branch.queue, {chunk_, mask & ~own},
                        aside_.timers.now_tick() + branch.delay_ms);
  }
  for (std::uint64_t left = apart; left != 0; left &= left - 1) {
    const std::uint32_t bit = lowest_bit(left);
    const bool has_own = (own >> bit & 1) != 0;
    const std::int64_t delay_ms = has_own ? own_delay_ms_[bit] : branch.delay_ms;
    aside_.timers.delay(*branch.queue, copy(branch, bit, delay_ms), aside_.timers.now_tick() + delay_ms);
  }
  deliveries_ += bit_count(mask & ~apart);
}

Taken Fanout::copy(Branch& branch, std::uint32_t bit, std::int64_t delay_ms) {
  if (branch.copies == nullptr) {
    branch.copies = std::make_unique<DelayEvacuator>(pool_);
  }
  const Evacuator::Copy copy = branch.copies->of(delay_ms).copy(*chunk_, bit, 0);
  require_memory(copy.chunk != nullptr);
  return {copy.chunk, std::uint64_t{1} << copy.index};
}

/// The fresh messages go to the branches without a policy, and to whom the matcher gives them.
void Fanout::share_out_filtered(std::uint32_t fresh, std::int64_t units) {
  const std::uint64_t all = mask_between(published_, published_ + fresh);
  for (const std::uint32_t index : unfiltered_) {
    add_alone(counters_[index].matched, fresh);
    deliver(index, all, units);
  }
  matcher_->match(*chunk_, published_, chunk_->count);
  fresh_.clear();
  for (const std::uint32_t subscription : matcher_->takers()) {
    const std::uint32_t index = branch_of_[subscription];
    if (index == kUnsubscribed) {
      continue;
    }
    Branch& branch = branches_[index];
    const std::uint64_t mask = matcher_->mask(subscription);
    fresh_.push_back(index);
    if (branch.matched == 0) {
      reached_.push_back(index);
    }
    branch.matched |= mask;
    add_alone(counters_[index].matched, bit_count(mask));
    deliver(index, mask, static_cast<std::int64_t>(chunk_->charge_of_mask(mask)));
  }
  count_invalid();
}

void Fanout::count_invalid() {
  for (const std::uint32_t subscription : matcher_->invalid_attributes()) {
    if (branch_of_[subscription] != kUnsubscribed) {
      add_alone(counters_[branch_of_[subscription]].invalid_attributes, 1);
    }
  }
  for (const std::uint32_t subscription : matcher_->invalid_body()) {
    if (branch_of_[subscription] != kUnsubscribed) {
      add_alone(counters_[branch_of_[subscription]].invalid_body, 1);
    }
  }
  if (matcher_->invalid_bodies() == 0) {
    return;
  }
  for (const std::uint32_t subscription : matcher_->body_readers()) {
    if (branch_of_[subscription] != kUnsubscribed) {
      add_alone(counters_[branch_of_[subscription]].invalid_body, matcher_->invalid_bodies());
    }
  }
}

/// What the slab takes beyond the messages that a branch got of it, where it did not get all.
std::uint32_t Fanout::remainder_of(const Branch& branch) const {
  if (!branch.is_sparse() || branch.matched == 0 || branch.delay_ms != 0) {
    return 0;
  }
  auto charged = static_cast<std::int64_t>(chunk_->charge_of_mask(branch.matched));
  return static_cast<std::uint32_t>(std::max<std::int64_t>(slab_units_ - charged, 0));
}

/// Of the sealed chunk's entry.
void Fanout::set_remainders() {
  for (std::uint32_t index = 0; index < branches_.size(); ++index) {
    Branch& branch = branches_[index];
    const std::uint32_t remainder = branch.fate == Fate::published ? remainder_of(branch) : 0;
    branch.queue->credits().charge(branch.reservation, 0, remainder);
    log_.set_remainder(index, remainder);
  }
}

}  // namespace sluice::core
