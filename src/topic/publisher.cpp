#include "topic/publisher.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::core {

Publisher::Publisher(PublisherOptions options, Timers& timers, DeadLetters& dead_letters)
    : options_(std::move(options)),
      aside_{timers, dead_letters},
      newest_(&fanouts_.append(options_.queues, options_.wait, aside_)),
      fanout_(newest_),
      pool_(options_.kind == Chunk::Kind::source ? ChunkPool::kRotation : 0),
      origins_(options_.kind == Chunk::Kind::source
                   ? std::make_unique<OriginPool>(options_.listener)
                   : nullptr),
      id_high_(random_.next()),
      id_low_(random_.next()) {}

Publisher::~Publisher() {
  assert(chunk_ == nullptr && leaving_ == nullptr);
  delete next_change_.load(std::memory_order_relaxed);
}

void Publisher::wire_ready() {
  fanout().wire_ready();
  adopt_change();
}

void Publisher::change_filter(FilterUse use) {
  if (!use.added.empty()) {
    std::vector<Queue*> queues = newest_->queues();
    queues.insert(queues.end(), use.added.begin(), use.added.end());
    newest_ = &fanouts_.append(std::move(queues), options_.wait, aside_, newest_);
    newest_->wire_ready();
  }
  was_given_filter_ |= use.filter != nullptr;
  for (std::size_t branch = 0; branch < use.subscriptions.size(); ++branch) {
    want(*newest_->queues()[branch], use.subscriptions[branch] != Fanout::kUnsubscribed);
  }
  delete next_change_.exchange(new Change{std::move(use), newest_}, std::memory_order_acq_rel);
}

/// Who waits for the queue's credit and need not any more is woken, whatever fan-out is in use.
void Publisher::want(Queue& queue, bool wanted) {
  for (Fanout& fanout : fanouts_) {
    fanout.want(queue, wanted);
  }
  if (!wanted) {
    queue.credits().ring();
  }
}

/// Between two chunks.
void Publisher::adopt_change() {
  const std::unique_ptr<Change> change(next_change_.exchange(nullptr, std::memory_order_acq_rel));
  if (change == nullptr) {
    return;
  }
  if (change->fanout != &fanout()) {
    for (Fanout* old = &fanout(); old != change->fanout;
         old = old->next.load(std::memory_order_acquire)) {
      old->retire();
    }
    fanout_.store(change->fanout, std::memory_order_release);
  }
  if (change->use.filter != nullptr) {
    fanout().use_filter(std::move(change->use.filter), change->use.subscriptions);
  }
}

bool Publisher::filters() const {
  for (const Fanout& fanout : fanouts_) {
    if (fanout.filters()) {
      return true;
    }
  }
  return false;
}

std::uint64_t Publisher::published() const {
  std::uint64_t sum = 0;
  for (const Fanout& fanout : fanouts_) {
    sum += fanout.published();
  }
  return sum;
}

BranchCounts Publisher::counts(const Queue& queue) const {
  BranchCounts sum;
  for (const Fanout& fanout : fanouts_) {
    const auto branch = std::ranges::find(fanout.queues(), &queue) - fanout.queues().begin();
    if (static_cast<std::size_t>(branch) < fanout.queues().size()) {
      sum += fanout.counts(static_cast<std::uint32_t>(branch));
    }
  }
  return sum;
}

/// Makes chunk_ an open, held chunk that has room for one more message with `inline_bytes` of body
/// and meta.
Publisher::Outcome Publisher::prepare(std::uint64_t inline_bytes, Admission admission) {
  if (chunk_ != nullptr && !held_ && !hold_again()) {
    chunk_ = nullptr;
  }
  if (chunk_ != nullptr && !sealed_ &&
      (chunk_->count == chunk_->capacity || chunk_->used + inline_bytes > chunk_->limit ||
       chunk_->body_bytes >= kChunkBytesMax ||
       next_change_.load(std::memory_order_relaxed) != nullptr)) {
    publish_new(true);
  }
  if (chunk_ != nullptr && sealed_) {
    leave();
  }
  if (chunk_ != nullptr) {
    return Outcome::ok;
  }
  adopt_change();
  if (admission == Admission::refuse && !fanout().admits()) {
    fanout()
        .give_reservations_back();  // nobody holds one queue's credit while waiting for another's
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
  // Who was admitted does not wait, whoever takes the last credit in between.
  open_chunk(chunk, admission == Admission::refuse ? Admission::overdraw : admission);
  return Outcome::ok;
}

/// Takes hold of the open chunk again. False: it ended meanwhile; its entry is sealed then. Only
/// this thread takes chunks from the pool, so an ended one is not in use elsewhere yet.
bool Publisher::hold_again() {
  std::int64_t pending = chunk_->pending.load(std::memory_order_relaxed);
  while (Chunk::is_in_use(pending)) {
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
  fanout().end();
  size_class_ = fanout().published_of_chunk() < kChunkMessages / 4 ? 0 : size_class_;
}

void Publisher::open_chunk(Chunk* chunk, Admission admission) {
  chunk_ = chunk;
  held_ = true;
  sealed_ = false;
  stamped_ = false;
  unreleased_ = 0;
  chunk->begun_ms = aside_.timers.stamp_ms();
  chunk->id_base = uuid7(chunk->begun_ms, id_high_, ++id_low_ << 6);
  chunk->id_base.bytes[15] &= 0xc0;
  if (options_.kind == Chunk::Kind::source) {
    chunk->origin = origins_->take();
  }
  fanout().begin(chunk, admission);
}

/// Makes the appended messages of chunk_ visible; `seal`: it takes no more.
void Publisher::publish_new(bool seal) {
  if (chunk_->count == fanout().published_of_chunk() && !seal) {
    return;
  }
  seal |= fanout().withholds();
  unreleased_ += fanout().publish(seal);
  if (seal) {
    sealed_ = true;
    size_class_ = ChunkPool::class_like(*chunk_);
  }
}

void Publisher::appended(const Item& item) {
  if (item.delay_ms != 0) {
    fanout().delay(chunk_->count - 1, item.delay_ms);
  }
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
  const std::int64_t left = chunk->pending.fetch_add(change, std::memory_order_acq_rel) + change;
  if (!Chunk::is_in_use(left)) {
    if (chunk == chunk_) {
      if (!sealed_) {
        seal_ended();
      }
      chunk_ = nullptr;
    }
    end_chunk(chunk, left);
  }
}

Publisher::Outcome Publisher::append(const Item& item, Admission admission) {
  std::uint64_t bytes = (item.external != nullptr ? sizeof item.external : item.body.size()) +
                        Chunk::meta_bytes(item.parts);
  Outcome outcome =
      bytes > kInlineBodyMax + kMetaMax ? Outcome::too_large : prepare(bytes, admission);
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

Publisher::Outcome Publisher::commit(std::uint64_t size, const Item& item, Admission admission) {
  stamp();
  if (!chunk_->append_reserved(size, item.parts, now_ms_)) {
    // The body fits, its attributes do not: it moves to the next chunk.
    std::vector<std::uint8_t> body(chunk_->bytes() + chunk_->used,
                                   chunk_->bytes() + chunk_->used + size);
    Item moved = item;
    moved.body = body;
    moved.external = nullptr;
    return append(moved, admission);
  }
  appended(item);
  if (chunk_->count == chunk_->capacity) {
    publish_new(true);
  }
  return Outcome::ok;
}

void Publisher::flush(bool closes_cookie) {
  if (chunk_ != nullptr && held_ && !sealed_) {
    publish_new(next_change_.load(std::memory_order_relaxed) != nullptr);
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
  fanout().give_reservations_back();
}

}  // namespace sluice::core
