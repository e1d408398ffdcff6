#include "topic/publisher.hpp"

#include <algorithm>
#include <cassert>

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

void add(Atomic<std::uint64_t>& counter, std::uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_release);
}

}  // namespace

Publisher::Publisher(PublisherOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      log_(static_cast<std::uint32_t>(options_.queues.size())),
      counters_(std::make_unique<BranchCounters[]>(options_.queues.size())),
      pool_(options_.kind == Chunk::Kind::source ? ChunkPool::kRotation : 0),
      origins_(options_.kind == Chunk::Kind::source
                   ? std::make_unique<OriginPool>(options_.listener)
                   : nullptr),
      id_high_(random_.next()),
      id_low_(random_.next()) {
  for (std::uint32_t branch = 0; branch < options_.queues.size(); ++branch) {
    Queue* queue = options_.queues[branch];
    queue->subscribe(log_, branch, {&published_total_, &counters_[branch].matched, &filters_});
    branches_.push_back({queue, {}});
  }
}

Publisher::~Publisher() {
  assert(chunk_ == nullptr && leaving_ == nullptr);
  delete next_filter_.load(std::memory_order_relaxed);
}

void Publisher::change_filter(FilterUse use) {
  delete next_filter_.exchange(new FilterUse(std::move(use)), std::memory_order_acq_rel);
}

/// Between two chunks.
void Publisher::adopt_filter() {
  const std::unique_ptr<FilterUse> use(next_filter_.exchange(nullptr, std::memory_order_acq_rel));
  if (use == nullptr) {
    return;
  }
  if (!filters_.load(std::memory_order_relaxed)) {
    for (std::size_t branch = 0; branch < branches_.size(); ++branch) {
      counters_[branch].matched.store(published_total_.load(std::memory_order_relaxed),
                                      std::memory_order_relaxed);
    }
  }
  use_filter(*use);
}

void Publisher::use_filter(const FilterUse& use) {
  filters_.store(true, std::memory_order_release);  // with the counters
  matcher_ = std::make_unique<ChunkMatcher>(use.filter);
  branch_of_.assign(use.filter->subscriptions(), FilterUse::kUnsubscribed);
  for (std::uint32_t branch = 0; branch < branches_.size(); ++branch) {
    const std::uint32_t subscription = use.subscriptions[branch];
    const bool subscribed = subscription != FilterUse::kUnsubscribed;
    branches_[branch].filtered = !subscribed || use.filter->has_policy(subscription);
    if (subscribed) {
      branch_of_[subscription] = branch;
    }
  }
  sort_branches();
}

void Publisher::sort_branches() {
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

BranchCounts Publisher::counts(std::uint32_t branch) const {
  const BranchCounters& counters = counters_[branch];
  BranchCounts result;
  const bool filters = filters_.load(std::memory_order_acquire);
  result.matched = (filters ? counters.matched : published_total_).load(std::memory_order_acquire);
  result.invalid_attributes = counters.invalid_attributes.load(std::memory_order_acquire);
  result.invalid_body = counters.invalid_body.load(std::memory_order_acquire);
  result.filtered =
      filters ? published() - result.matched : 0;  // `matched` is counted after `published`
  return result;
}

void Publisher::wire_ready() {
  for (Branch& branch : branches_) {
    if (branch.queue->has_service()) {
      ready_ = branch.queue->ready();
      ready_bits_.push_back(branch.queue->ready_bits());
    }
  }
  merge(ready_bits_);
  adopt_filter();
}

void Publisher::notify(std::span<const ReadyBits> ready_bits) {
  for (const ReadyBits& bits : ready_bits) {
    ready_->notify(bits);
  }
}

/// Whoever has something of what was just published; when the chunk is sealed, all that had any of
/// it, so that their cursors pass it and give its remainder back; at a new segment everybody, so
/// that those who never get anything pass the last one.
void Publisher::notify_readers() {
  if (matcher_ == nullptr || passes_segment_) {
    passes_segment_ = false;
    notify(ready_bits_);
    return;
  }
  notify(unfiltered_bits_);
  for (const std::uint32_t branch : sealed_ ? reached_ : fresh_) {
    branches_[branch].queue->notify();
  }
}

bool Publisher::has_credit() const {
  return std::ranges::all_of(branches_, [](const Branch& branch) {
    return (branch.reservation.messages > 0 && branch.reservation.units > 0) ||
           branch.queue->credits().available();
  });
}

bool Publisher::queues_have_credit() const {
  return std::ranges::all_of(
      branches_, [](const Branch& branch) { return branch.queue->credits().available(); });
}

void Publisher::announce_wait(bool waits) {
  for (Branch& branch : branches_) {
    if (waits) {
      branch.queue->credits().announce_wait();
    } else {
      branch.queue->credits().withdraw();
    }
  }
}

bool Publisher::all_admit() {
  return std::ranges::all_of(
      branches_, [](Branch& branch) { return branch.queue->credits().admit(branch.reservation); });
}

/// Makes chunk_ an open, held chunk that has room for one more message with `inline_bytes` of body
/// and meta.
Publisher::Outcome Publisher::prepare(std::uint64_t inline_bytes, WhenFull when_full) {
  if (chunk_ != nullptr && !held_ && !hold_again()) {
    chunk_ = nullptr;
  }
  if (chunk_ != nullptr && !sealed_ &&
      (chunk_->count == chunk_->capacity || chunk_->used + inline_bytes > chunk_->limit ||
       chunk_->body_bytes >= kChunkBytesMax ||
       next_filter_.load(std::memory_order_relaxed) != nullptr)) {
    publish_new(true);
  }
  if (chunk_ != nullptr && sealed_) {
    leave();
  }
  if (chunk_ != nullptr) {
    return Outcome::ok;
  }
  if (when_full == WhenFull::refuse && !all_admit()) {
    give_reservations_back();  // nobody holds one queue's credit while waiting for another's
    return Outcome::would_block;
  }
  std::uint32_t needed = ChunkPool::class_for(inline_bytes);
  if (needed == ChunkPool::kClasses) {
    return Outcome::too_large;
  }
  Chunk* chunk = pool_.take(std::max(needed, size_class_), options_.kind);
  if (chunk == nullptr) {
    return Outcome::no_memory;
  }
  open_chunk(chunk, when_full);
  return Outcome::ok;
}

/// Takes hold of the open chunk again. False: it ended meanwhile; its entry is sealed then. Only
/// this thread takes chunks from the pool, so an ended one is not in use elsewhere yet.
bool Publisher::hold_again() {
  std::int64_t pending = chunk_->pending.load(std::memory_order_relaxed);
  while (pending != 0) {
    if (chunk_->pending.compare_exchange_weak(pending, pending + Chunk::kOpen,
                                              std::memory_order_acq_rel,
                                              std::memory_order_relaxed)) {
      held_ = true;
      return true;
    }
  }
  seal_ended();
  return false;
}

/// The open chunk was settled whole: cursors may pass its entry, and what was charged ahead comes
/// back.
void Publisher::seal_ended() {
  log_.publish(published_, true);
  refund(chunk_charge_, published_, slab_units_);
  size_class_ = published_ < kChunkMessages / 4 ? 0 : size_class_;
}

void Publisher::open_chunk(Chunk* chunk, WhenFull when_full) {
  adopt_filter();
  chunk_ = chunk;
  held_ = true;
  sealed_ = false;
  stamped_ = false;
  published_ = 0;
  unreleased_ = 0;
  chunk_charge_ = 0;
  slab_units_ = chunk->slab_bytes / kCreditUnit;
  chunk->id_base = uuid7(clock_.wall_ms(), id_high_, ++id_low_ << 6);
  chunk->id_base.bytes[15] &= 0xc0;
  if (options_.kind == Chunk::Kind::source) {
    chunk->origin = origins_->take();
  }
  passes_segment_ |= log_.begin(chunk);
  reached_.clear();
  all_precharged_ = true;
  for (std::uint32_t i = 0; i < branches_.size(); ++i) {
    Branch& branch = branches_[i];
    Credits& credits = branch.queue->credits();
    branch.withheld = when_full != WhenFull::overdraw && !credits.admit(branch.reservation);
    branch.precharged = !branch.withheld && !branch.filtered && credits.shares_chunks();
    branch.matched = 0;
    all_precharged_ &= branch.precharged;
    any_withheld_ |= branch.withheld;
    if (branch.withheld || branch.filtered) {
      continue;
    }
    if (branch.precharged) {
      credits.charge(branch.reservation, kChunkMessages, slab_units_);
    }
    log_.add_to_mask(i, ~std::uint64_t{0});  // bits above the published count are not looked at
  }
}

/// Gives back what precharged branches were charged beyond `messages` and `units`.
void Publisher::refund(std::int64_t units, std::int64_t messages, std::int64_t slab) {
  for (Branch& branch : branches_) {
    if (branch.precharged) {
      branch.queue->credits().charge(branch.reservation, messages - kChunkMessages, units - slab);
      branch.precharged = false;
    }
  }
}

void Publisher::appended(const Item& item) {
  if (options_.kind == Chunk::Kind::source) {
    appended_cookie(item.cookie);
    return;
  }
  chunk_->lineage[chunk_->count - 1] = item.lineage;
}

/// Kind source: ties the message to its cookie's run.
void Publisher::appended_cookie(std::uint64_t cookie) {
  std::uint32_t index = chunk_->count - 1;
  bool continues = cookie_open_ && cookie == cookie_;
  if (leaving_ != nullptr) {
    resolve_leaving(continues);
  }
  if (!continues && cookie_open_) {
    close_cookie();
  }
  chunk_->origin->append(cookie, !continues || index == 0);
  if (continues && index == 0) {
    shared_->parts.fetch_add(1, std::memory_order_relaxed);
    chunk_->origin->carried_in = shared_;
  }
  cookie_ = cookie;
  cookie_open_ = true;
}

void Publisher::close_cookie() {
  if (shared_ != nullptr) {
    shared_->drop(0, false);
    shared_ = nullptr;
  }
  cookie_open_ = false;
}

/// The sealed chunk makes room; it stays held until it is known whether its last cookie goes on.
void Publisher::leave() {
  if (chunk_->count == 0) {  // reserved in and not used: no cookie waits for it
    Chunk* empty = chunk_;
    chunk_ = nullptr;
    held_ = false;
    sealed_ = false;
    release_hold(empty, 0);
    return;
  }
  assert(leaving_ == nullptr);
  leaving_ = chunk_;
  leaving_unreleased_ = unreleased_;
  chunk_ = nullptr;
  held_ = false;
  sealed_ = false;
  if (!cookie_open_) {
    resolve_leaving(false);
  }
}

void Publisher::resolve_leaving(bool cookie_continues) {
  if (cookie_continues) {
    if (shared_ == nullptr) {
      shared_ = new SharedCookie{cookie_, options_.listener, 2, 0, false};
    }
    leaving_->origin->carried_out = shared_;
  }
  Chunk* chunk = leaving_;
  leaving_ = nullptr;
  release_hold(chunk, leaving_unreleased_);
}

void Publisher::release_hold(Chunk* chunk, std::uint64_t deliveries) {
  std::int64_t change = static_cast<std::int64_t>(deliveries) - Chunk::kOpen;
  if (chunk->pending.fetch_add(change, std::memory_order_acq_rel) == -change) {
    if (chunk == chunk_) {
      if (!sealed_) {
        seal_ended();
      }
      chunk_ = nullptr;
    }
    end_chunk(chunk);
  }
}

Publisher::Outcome Publisher::append(const Item& item, WhenFull when_full) {
  std::uint64_t bytes = (item.external != nullptr ? sizeof item.external : item.body.size()) +
                        Chunk::meta_bytes(item.parts);
  Outcome outcome =
      bytes > kInlineBodyMax + kMetaMax ? Outcome::too_large : prepare(bytes, when_full);
  if (outcome != Outcome::ok) {
    if (item.external != nullptr) {
      item.external->drop();
    }
    return outcome;
  }
  stamp();
  bool fits = chunk_->append(item.body, item.external, item.parts, now_ms_);
  assert(fits);
  (void)fits;
  appended(item);
  if (chunk_->count == chunk_->capacity) {
    publish_new(true);
  }
  return Outcome::ok;
}

Publisher::Outcome Publisher::commit(std::uint64_t size, const Item& item, WhenFull when_full) {
  stamp();
  if (!chunk_->append_reserved(size, item.parts, now_ms_)) {
    // The body fits, its attributes do not: it moves to the next chunk.
    std::vector<std::uint8_t> body(chunk_->bytes() + chunk_->used,
                                   chunk_->bytes() + chunk_->used + size);
    Item moved = item;
    moved.body = body;
    moved.external = nullptr;
    return append(moved, when_full);
  }
  appended(item);
  if (chunk_->count == chunk_->capacity) {
    publish_new(true);
  }
  return Outcome::ok;
}

/// Makes the appended messages of chunk_ visible; `seal`: it takes no more.
void Publisher::publish_new(bool seal) {
  std::uint32_t fresh = chunk_->count - published_;
  if (fresh == 0 && !seal) {
    return;
  }
  seal |= any_withheld_;
  if (seal && published_ == 0) {
    chunk_->spread_charge();
  }
  published_total_.store(published_total_.load(std::memory_order_relaxed) + fresh,
                         std::memory_order_release);
  std::int64_t units = chunk_->charge - chunk_charge_;
  if (matcher_ == nullptr) {
    share_out(fresh, units);
  } else {
    share_out_filtered(fresh, units);
  }
  chunk_charge_ = chunk_->charge;
  published_ = chunk_->count;
  if (seal) {
    refund(chunk_charge_, published_, slab_units_);
    sealed_ = true;
    choose_class();
  }
  bool with_remainders = seal && matcher_ != nullptr;
  if (with_remainders) {
    set_remainders();
  }
  log_.publish(published_, seal, with_remainders);
  notify_readers();
  if (any_withheld_) {
    publish_withheld();
  }
}

/// The fresh messages go to every branch.
void Publisher::share_out(std::uint32_t fresh, std::int64_t units) {
  unreleased_ += fresh * branches_.size();
  if (all_precharged_) {
    return;
  }
  for (Branch& branch : branches_) {
    if (!branch.precharged && !branch.withheld) {
      branch.queue->credits().charge(branch.reservation, fresh, units);
    }
  }
}

/// The fresh messages go to the branches without a policy, and to whom the matcher gives them.
void Publisher::share_out_filtered(std::uint32_t fresh, std::int64_t units) {
  unreleased_ += fresh * unfiltered_.size();
  for (const std::uint32_t index : unfiltered_) {
    Branch& branch = branches_[index];
    add(counters_[index].matched, fresh);
    if (!branch.precharged && !branch.withheld) {
      branch.queue->credits().charge(branch.reservation, fresh, units);
    }
  }
  matcher_->match(*chunk_, published_, chunk_->count);
  fresh_.clear();
  for (const std::uint32_t subscription : matcher_->takers()) {
    const std::uint32_t index = branch_of_[subscription];
    if (index == FilterUse::kUnsubscribed) {
      continue;
    }
    Branch& branch = branches_[index];
    const std::uint64_t mask = matcher_->mask(subscription);
    const std::uint32_t count = bit_count(mask);
    fresh_.push_back(index);
    if (branch.matched == 0) {
      reached_.push_back(index);
    }
    branch.matched |= mask;
    unreleased_ += count;
    add(counters_[index].matched, count);
    if (!branch.withheld) {
      branch.queue->credits().charge(branch.reservation, count,
                                     static_cast<std::int64_t>(chunk_->charge_of_mask(mask)));
      log_.add_to_mask(index, mask);
    }
  }
  count_invalid();
}

void Publisher::count_invalid() {
  for (const std::uint32_t subscription : matcher_->invalid_attributes()) {
    if (branch_of_[subscription] != FilterUse::kUnsubscribed) {
      add(counters_[branch_of_[subscription]].invalid_attributes, 1);
    }
  }
  for (const std::uint32_t subscription : matcher_->invalid_body()) {
    if (branch_of_[subscription] != FilterUse::kUnsubscribed) {
      add(counters_[branch_of_[subscription]].invalid_body, 1);
    }
  }
  if (matcher_->invalid_bodies() == 0) {
    return;
  }
  for (const std::uint32_t subscription : matcher_->body_readers()) {
    if (branch_of_[subscription] != FilterUse::kUnsubscribed) {
      add(counters_[branch_of_[subscription]].invalid_body, matcher_->invalid_bodies());
    }
  }
}

/// What the slab takes beyond the messages that a filtered branch got of it.
std::uint32_t Publisher::remainder_of(const Branch& branch) const {
  if (!branch.filtered || branch.matched == 0) {
    return 0;
  }
  auto charged = static_cast<std::int64_t>(chunk_->charge_of_mask(branch.matched));
  return static_cast<std::uint32_t>(std::max<std::int64_t>(slab_units_ - charged, 0));
}

/// Of the sealed chunk's entry.
void Publisher::set_remainders() {
  for (std::uint32_t index = 0; index < branches_.size(); ++index) {
    Branch& branch = branches_[index];
    const std::uint32_t remainder = branch.withheld ? 0 : remainder_of(branch);
    branch.queue->credits().charge(branch.reservation, 0, remainder);
    log_.set_remainder(index, remainder);
  }
}

/// The next chunk's class: a chunk that was full of bytes asks for the next larger, a nearly empty
/// one for the next smaller.
void Publisher::choose_class() {
  if (chunk_->count < chunk_->capacity && size_class_ + 1 < ChunkPool::kClasses &&
      chunk_->size_class == size_class_) {
    ++size_class_;
  } else if (size_class_ > 0 && chunk_->used * 4 < chunk_->slab_bytes) {
    --size_class_;
  }
}

/// Further entries for the sealed chunk, for the branches that had no credit. Waits for credit.
void Publisher::publish_withheld() {
  while (any_withheld_) {
    bool waits = options_.keep_waiting == nullptr || options_.keep_waiting();
    Branch* short_of_credit = nullptr;
    late_.clear();
    for (std::uint32_t i = 0; i < branches_.size(); ++i) {
      Branch& branch = branches_[i];
      if (!branch.withheld || (branch.filtered && branch.matched == 0)) {
        branch.withheld = false;
        continue;
      }
      if (waits && !branch.queue->credits().admit(branch.reservation)) {
        short_of_credit = &branch;
        continue;
      }
      branch.withheld = false;
      late_.push_back(i);
    }
    if (!late_.empty()) {
      publish_late();
    }
    any_withheld_ = short_of_credit != nullptr;
    if (any_withheld_) {
      wait_for_credit(*short_of_credit);
    }
  }
}

void Publisher::publish_late() {
  passes_segment_ |= log_.begin(chunk_);
  for (std::uint32_t index = 0; index < branches_.size(); ++index) {
    log_.set_remainder(index, 0);
  }
  for (const std::uint32_t index : late_) {
    Branch& branch = branches_[index];
    const std::uint64_t mask = branch.filtered ? branch.matched : mask_between(0, chunk_->count);
    const std::uint32_t remainder = remainder_of(branch);
    branch.queue->credits().charge(
        branch.reservation, bit_count(mask),
        static_cast<std::int64_t>(chunk_->charge_of_mask(mask)) + remainder);
    log_.add_to_mask(index, mask);
    log_.set_remainder(index, remainder);
  }
  log_.publish(chunk_->count, true, true);
  notify(ready_bits_);
}

/// Some microseconds: what a busy consumer needs to give credit back, and less than a wake-up costs
/// it.
constexpr int kLooksBeforeParking = 256;

/// Both looks come after the announcement: credit that came before it, or the order to stop, rings
/// nobody.
void Publisher::wait_for_credit(Branch& branch) {
  Credits& credits = branch.queue->credits();
  for (int look = 0; look < kLooksBeforeParking; ++look) {
    if (credits.available()) {
      return;
    }
    pause_core();
  }
  std::uint32_t epoch = credits.announce_wait();
  bool stops = options_.keep_waiting != nullptr && !options_.keep_waiting();
  if (!stops && !credits.admit(branch.reservation)) {
    credits.park(epoch, options_.wait_step_ms * 1'000'000);
  }
  credits.withdraw();
}

void Publisher::flush(bool closes_cookie) {
  if (chunk_ != nullptr && held_ && !sealed_) {
    publish_new(next_filter_.load(std::memory_order_relaxed) != nullptr);
  }
  if (closes_cookie && cookie_open_) {
    if (leaving_ != nullptr) {
      resolve_leaving(false);
    }
    close_cookie();
  }
  stamped_ = false;
  // A cookie that stays open holds its chunk: it must not be settled yet.
  if (chunk_ == nullptr || !held_ || cookie_open_) {
    return;
  }
  Chunk* chunk = chunk_;
  std::uint64_t deliveries = unreleased_;
  unreleased_ = 0;
  held_ = false;
  if (sealed_) {
    chunk_ = nullptr;
    sealed_ = false;
  }
  release_hold(chunk, deliveries);
}

void Publisher::close() {
  flush(true);
  if (chunk_ != nullptr && (held_ || hold_again())) {
    publish_new(true);
    flush(true);
  }
  chunk_ = nullptr;
  give_reservations_back();
}

void Publisher::give_reservations_back() {
  for (Branch& branch : branches_) {
    branch.queue->give_credit(branch.reservation.messages, branch.reservation.units);
    branch.reservation = {};
  }
}

}  // namespace sluice::core
