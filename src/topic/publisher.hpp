// A publisher: one thread's way into a topic (or a directly addressed queue). Fills chunks, charges
// credits, publishes into its log, and ties each message to its origin.
//
// Life of a chunk here: open (held: kOpen in `pending`) -> appended to, published message by
// message or at once -> sealed (64 messages, or no room) -> leaving (its last cookie may go on in
// the next chunk) -> released. flush() lets go of the hold, so that what it published can be
// acknowledged; the next append takes hold again, or finds the chunk ended and takes a new one.
//
// Filters: a branch whose subscription has a policy gets a mask per publish, of what it takes; any
// other gets all. A changed filter is taken over between two chunks, whole; nobody waits for it.
//
// Credit (DESIGN §2.7): a branch without credit when a chunk is opened is withheld: its mask stays
// 0. After publishing, the chunk is sealed and a further entry for the same chunk follows as soon
// as the branch has credit; nothing newer is published before.
//
// Thread safety: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "message/chunk.hpp"
#include "queue/log.hpp"
#include "queue/queue.hpp"
#include "topic/topic_filter.hpp"

namespace sluice::core {

/// What happens at a queue without credit.
enum class WhenFull {
  wait,      ///< the publisher's thread may wait
  overdraw,  ///< a pool worker: admitted all the same (it received only while there was credit)
  refuse     ///< try_emit: would_block
};

/// A filter, and which of its subscriptions each branch is.
struct FilterUse {
  static constexpr std::uint32_t kUnsubscribed = ~std::uint32_t{0};  ///< the branch gets nothing

  std::shared_ptr<const TopicFilter> filter;
  std::vector<std::uint32_t> subscriptions;  ///< by branch
};

/// What became of the messages published so far, at one branch.
struct BranchCounts {
  std::uint64_t matched = 0, filtered = 0;
  /// Of the filtered ones: an attribute that the policy names was damaged; the body was no JSON
  /// object.
  std::uint64_t invalid_attributes = 0, invalid_body = 0;
};

struct PublisherOptions {
  std::vector<Queue*> queues;  ///< the branches
  Chunk::Kind kind = Chunk::Kind::source;
  SettleListener* listener = nullptr;  ///< kind source
  /// Called while it waits for credit, at least every `wait_step_ms`; false: stop waiting,
  /// overdraw.
  std::function<bool()> keep_waiting;
  std::int64_t wait_step_ms = 1000;
};

class Publisher {
 public:
  enum class Outcome { ok, would_block, too_large, no_memory };

  /// [control] Subscribes the queues to its log.
  Publisher(PublisherOptions options, Clock& clock);
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
    std::uint64_t cookie = 0;  ///< kind source
    Lineage lineage{};  ///< kind derived; a copy that the caller added to the origin is taken over
  };
  Outcome append(const Item& item, WhenFull when_full);

  /// Room for a body of at most kInlineBodyMax bytes, until the next call; nullptr with *outcome
  /// set.
  std::uint8_t* reserve(std::uint64_t size, WhenFull when_full, Outcome* outcome) {
    if (held_ && !sealed_ && chunk_->body_bytes < kChunkBytesMax) {
      if (std::uint8_t* place = chunk_->reserve(size)) {
        return place;
      }
    }
    *outcome = prepare(size, when_full);
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
  Outcome commit(std::uint64_t size, const Item& item, WhenFull when_full);

  /// Publishes what was appended. `closes_cookie`: a flush by the source itself.
  void flush(bool closes_cookie);
  /// Publishes, seals and lets go of everything.
  void close();

  /// From the next flush or chunk on, this decides. Never waits. [any, one at a time]
  void change_filter(FilterUse use);

  /// It has or had a filter, so that counts() tell something. [any]
  bool filters() const { return filters_.load(std::memory_order_acquire); }
  /// Of branch number `branch`. [any]
  BranchCounts counts(std::uint32_t branch) const;
  /// Messages published. [any]
  std::uint64_t published() const { return published_total_.load(std::memory_order_acquire); }
  /// Every branch has credit, or a reservation of it.
  bool has_credit() const;
  /// Every queue has credit of its own. [any]
  bool queues_have_credit() const;
  /// Announces to (or withdraws from) every queue that somebody waits for its credit.
  void announce_wait(bool waits);

 private:
  struct Branch {
    Queue* queue;
    Reservation reservation;
    bool precharged = false;  ///< the whole chunk was charged when it was opened
    bool withheld = false;
    bool filtered = false;      ///< a policy says what it gets
    std::uint64_t matched = 0;  ///< filtered: of chunk_
  };
  /// One writer, read by anybody.
  struct BranchCounters {
    Atomic<std::uint64_t> matched{0}, invalid_attributes{0}, invalid_body{0};
  };

  Outcome prepare(std::uint64_t inline_bytes, WhenFull when_full);
  bool hold_again();
  void open_chunk(Chunk* chunk, WhenFull when_full);
  bool all_admit();
  void appended(const Item& item);
  void appended_cookie(std::uint64_t cookie);
  void publish_new(bool seal);
  void share_out(std::uint32_t fresh, std::int64_t units);
  void share_out_filtered(std::uint32_t fresh, std::int64_t units);
  void count_invalid();
  std::uint32_t remainder_of(const Branch& branch) const;
  void set_remainders();
  void adopt_filter();
  void use_filter(const FilterUse& use);
  void sort_branches();
  void refund(std::int64_t units, std::int64_t messages, std::int64_t slab);
  void seal_ended();
  void choose_class();
  void stamp() {
    if (!stamped_) {
      now_ms_ = clock_.wall_ms();
      stamped_ = true;
    }
  }
  void leave();
  void resolve_leaving(bool cookie_continues);
  void release_hold(Chunk* chunk, std::uint64_t deliveries);
  void publish_withheld();
  void publish_late();
  void wait_for_credit(Branch& branch);
  void give_reservations_back();
  void close_cookie();
  void notify(std::span<const ReadyBits> ready_bits);
  void notify_readers();

  // Constant after construction.
  const PublisherOptions options_;
  Clock& clock_;
  Log log_;
  std::vector<ReadyBits> ready_bits_;
  ReadySet* ready_ = nullptr;
  const std::unique_ptr<BranchCounters[]> counters_;
  // Read by anybody.
  alignas(kCacheLine) Atomic<std::uint64_t> published_total_{0};
  Atomic<bool> filters_{false};  ///< has or had a filter: branches are counted one by one
  Atomic<FilterUse*> next_filter_{nullptr};  ///< owned; to be taken over
  // The publisher's.
  alignas(kCacheLine) Chunk* chunk_ = nullptr;
  bool held_ = false;     ///< kOpen is ours
  bool sealed_ = false;   ///< chunk_ takes no more; it is published whole
  bool stamped_ = false;  ///< now_ms_ is of this flush
  bool cookie_open_ = false;
  bool any_withheld_ = false;
  bool all_precharged_ = false;  ///< no branch is charged message by message
  std::uint32_t published_ = 0;  ///< messages of chunk_ in the log
  std::uint64_t unreleased_ =
      0;  ///< messages x branches of chunk_, published, that `pending` does not count yet
  std::int64_t chunk_charge_ = 0;  ///< credit units of the published messages
  std::int64_t slab_units_ = 0;    ///< of chunk_
  std::uint32_t size_class_ = 0;   ///< for the next chunk
  std::int64_t now_ms_ = 0;
  std::uint64_t cookie_ = 0;
  Chunk* leaving_ = nullptr;  ///< sealed, still held
  std::uint64_t leaving_unreleased_ = 0;
  SharedCookie* shared_ = nullptr;  ///< of the open cookie, if it lies in several chunks
  std::vector<Branch> branches_;
  std::unique_ptr<ChunkMatcher> matcher_;  ///< nullptr: no filter
  std::vector<std::uint32_t> branch_of_;   ///< by subscription; kUnsubscribed: none
  std::vector<std::uint32_t> unfiltered_;  ///< branches
  std::vector<ReadyBits> unfiltered_bits_;
  std::vector<std::uint32_t> reached_;  ///< filtered branches that got some of chunk_
  std::vector<std::uint32_t> fresh_;    ///< of them, those that got some at the last publish
  std::vector<std::uint32_t> late_;     ///< of publish_late()
  bool passes_segment_ = false;         ///< every queue is to be told
  ChunkPool pool_;                      ///< kind source: the slabs rotate
  std::unique_ptr<OriginPool> origins_;
  Random random_;
  std::uint64_t id_high_, id_low_;
};

}  // namespace sluice::core
