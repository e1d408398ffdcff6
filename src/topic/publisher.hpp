// A publisher: one thread's way into a topic (or a directly addressed queue). Fills chunks, hands
// them to its fan-out, and ties each message to its origin.
//
// Life of a chunk here: open (held: kOpen in `pending`) -> appended to, published message by
// message or at once -> sealed (64 messages, or no room) -> leaving (its last cookie may go on in
// the next chunk) -> released. flush() lets go of the hold, so that what it published can be
// acknowledged; the next append takes hold again, or finds the chunk ended and takes a new one.
//
// Changed subscriptions are taken over between two chunks, whole; nobody waits for it. Where
// branches are added, a new fan-out takes the old one's place; the queues read the old one's log to
// its end.
//
// Thread safety: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/append_list.hpp"
#include "base/random.hpp"
#include "message/chunk.hpp"
#include "topic/fanout.hpp"

namespace sluice::core {

/// A filter, and which of its subscriptions each branch is.
struct FilterUse {
  std::shared_ptr<const TopicFilter> filter;  ///< nullptr: every branch gets all
  std::vector<std::uint32_t> subscriptions;   ///< by branch, the added ones last
  std::vector<Queue*> added;                  ///< become branches
};

struct PublisherOptions {
  std::vector<Queue*> queues;  ///< the branches
  Chunk::Kind kind = Chunk::Kind::source;
  SettleListener* listener = nullptr;  ///< kind source
  CreditWait wait;
};

class Publisher {
 public:
  enum class Outcome { ok, would_block, too_large, no_memory };

  /// [control] Subscribes the queues to its log.
  Publisher(PublisherOptions options, Timers& timers, DeadLetters& dead_letters);
  ~Publisher();  ///< REQUIRES: close() was called; outlives every message that it published
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  /// [control] Once the queues' services are known, and the first filter, if there is one.
  void wire_ready();

  /// A message to append. `external` is taken over, on failure as well.
  struct Item {
    std::span<const std::uint8_t> body;
    ExternalBody* external = nullptr;
    MessageParts parts;
    std::int64_t delay_ms = 0;  ///< 0: each queue's own; < 0: none
    std::uint64_t cookie = 0;   ///< kind source
    Lineage lineage{};  ///< kind derived; a copy that the caller added to the origin is taken over
  };
  Outcome append(const Item& item, Admission admission);

  /// Room for a body of at most kInlineBodyMax bytes, until the next call; nullptr with *outcome
  /// set.
  std::uint8_t* reserve(std::uint64_t size, Admission admission, Outcome* outcome) {
    if (held_ && !sealed_ && chunk_->body_bytes < kChunkBytesMax) {
      if (std::uint8_t* place = chunk_->reserve(size)) {
        return place;
      }
    }
    *outcome = prepare(size, admission);
    return *outcome == Outcome::ok ? chunk_->reserve(size) : nullptr;
  }
  /// Appends the reserved body, without meta; the hot path of sources.
  void commit_plain(std::uint64_t size, std::uint64_t cookie) {
    stamp();
    chunk_->append_plain(size, now_ms_);
    if (cookie_open_ && cookie == cookie_ && chunk_->count > 1) {
      ++chunk_->origin->messages;  // the open run goes on
    } else {
      appended_cookie(cookie);
    }
    if (chunk_->count == chunk_->capacity) {
      publish_new(true);
    }
  }
  /// Appends the reserved body. `item.body` and `item.external` are not looked at. REQUIRES: `size`
  /// is at most what reserve() gave, and reserve() was the last call.
  Outcome commit(std::uint64_t size, const Item& item, Admission admission);

  /// Publishes what was appended. `closes_cookie`: a flush by the source itself.
  void flush(bool closes_cookie);
  /// Publishes, seals and lets go of everything.
  void close();

  /// From the next flush or chunk on, this decides; who unsubscribes is not waited for from now on.
  /// Never waits. [control]
  void change_filter(FilterUse use);

  /// It was given a filter; that may not be in force yet. [control]
  bool was_given_filter() const { return was_given_filter_; }
  /// It has or had a filter, so that counts() tell something. [any]
  bool filters() const;
  /// Of the branches to `queue`. [any]
  BranchCounts counts(const Queue& queue) const;
  /// Messages published. [any]
  std::uint64_t published() const;
  /// Every branch has credit, or a reservation of it.
  bool has_credit() const { return fanout().has_credit(); }
  /// Every queue has credit of its own. [any]
  bool queues_have_credit() const {
    return fanout_.load(std::memory_order_acquire)->queues_have_credit();
  }
  /// Announces to (or withdraws from) every queue that somebody waits for its credit. Nothing is
  /// appended in between.
  void announce_wait(bool waits) { fanout().announce_wait(waits); }

 private:
  /// A filter to be taken over, with the fan-out that it is for.
  struct Change {
    FilterUse use;
    Fanout* fanout;
  };

  Fanout& fanout() { return *fanout_.load(std::memory_order_relaxed); }
  const Fanout& fanout() const { return *fanout_.load(std::memory_order_relaxed); }
  Outcome prepare(std::uint64_t inline_bytes, Admission admission);
  bool hold_again();
  void open_chunk(Chunk* chunk, Admission admission);
  void appended(const Item& item);
  void appended_cookie(std::uint64_t cookie);
  void publish_new(bool seal);
  void adopt_change();
  void want(Queue& queue, bool wanted);
  void seal_ended();
  void stamp() {
    if (!stamped_) {
      now_ms_ = aside_.timers.stamp_ms();
      stamped_ = true;
    }
  }
  void leave();
  void resolve_leaving(bool cookie_continues);
  void release_hold(Chunk* chunk, std::uint64_t deliveries);
  void close_cookie();

  // Constant after construction.
  const PublisherOptions options_;
  const Aside aside_;
  // Control appends, anybody reads: the last one is in use, or will be.
  AppendList<Fanout> fanouts_;
  Fanout* newest_;                        ///< control's
  bool was_given_filter_ = false;         ///< control's
  Atomic<Change*> next_change_{nullptr};  ///< owned; to be taken over
  // The publisher's.
  alignas(kCacheLine) Atomic<Fanout*> fanout_;
  Chunk* chunk_ = nullptr;
  bool held_ = false;     ///< kOpen is ours
  bool sealed_ = false;   ///< chunk_ takes no more; it is published whole
  bool stamped_ = false;  ///< now_ms_ is of this flush
  bool cookie_open_ = false;
  std::uint64_t unreleased_ =
      0;  ///< messages x branches of chunk_, published, that `pending` does not count yet
  std::uint32_t size_class_ = 0;  ///< for the next chunk
  std::int64_t now_ms_ = 0;
  std::uint64_t cookie_ = 0;
  Chunk* leaving_ = nullptr;  ///< sealed, still held
  std::uint64_t leaving_unreleased_ = 0;
  SharedCookie* shared_ = nullptr;  ///< of the open cookie, if it lies in several chunks
  ChunkPool pool_;                  ///< kind source: the slabs rotate
  std::unique_ptr<OriginPool> origins_;
  Random random_;
  std::uint64_t id_high_, id_low_;
};

}  // namespace sluice::core
