// To whom a publisher's chunks go: the branches, their log, the credit that they are charged, the
// consumers that are woken, and the filter that decides on the masks.
//
// A chunk here: begin() -> publish(), message by message or at once -> sealed by the last
// publish(), or by end() when it was settled whole before.
//
// Filters: a branch whose subscription has a policy gets a mask per publish, of what it takes; any
// other gets all. What a chunk's sparse mask keeps of the slab beyond its messages, the remainder,
// is charged to the branch until its cursor has passed the chunk. So it is for a branch that found
// credit again in the midst of a chunk.
//
// Credit (DESIGN §2.7): a branch without credit when a chunk is begun is withheld where its queue
// blocks: its mask stays 0. After publishing, the chunk is sealed and a further entry for the same
// chunk follows as soon as the branch has credit; nothing newer is published before. Where it does
// not block, its part of the chunk is dropped or dead-lettered.
//
// Delays: what is delayed goes to the timers instead of the log. A whole part goes as it is; single
// messages are copied, so that they do not keep the slab.
//
// Thread safety: the publisher's thread, except where [any] or [control] stands.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "message/evacuator.hpp"
#include "queue/dead_letters.hpp"
#include "queue/log.hpp"
#include "queue/queue.hpp"
#include "queue/timers.hpp"
#include "topic/topic_filter.hpp"

namespace sluice::core {

/// What a publisher does about a queue without credit that blocks (WhenFull).
enum class Admission {
  wait,      ///< the publisher's thread may wait
  overdraw,  ///< a pool worker: admitted all the same (it received only while there was credit)
  refuse     ///< try_emit: would_block
};

/// What became of the messages published so far, at one branch.
struct BranchCounts {
  std::uint64_t matched = 0, filtered = 0;
  /// Of the filtered ones: an attribute that the policy names was damaged; the body was no JSON
  /// object.
  std::uint64_t invalid_attributes = 0, invalid_body = 0;

  BranchCounts& operator+=(const BranchCounts& other);
};

/// What a fan-out hands messages to, beside its queues.
struct Aside {
  Timers& timers;             ///< delayed ones
  DeadLetters& dead_letters;  ///< those that found a queue full
};

/// How a publisher waits for credit.
struct CreditWait {
  /// Called at least every `step_ms`; false: stop waiting, overdraw. Empty: wait.
  std::function<bool()> keep_on;
  std::int64_t step_ms = 1000;
  /// Called around each time that the thread parks for it. Empty: nothing is to be done.
  std::function<void()> parks = {}, goes_on = {};
};

class Fanout {
 public:
  static constexpr std::uint32_t kUnsubscribed = ~std::uint32_t{0};  ///< the branch gets nothing

  /// [control] Subscribes the queues, its branches, to its log. `wait` outlives it. `older`: whose
  /// place it takes.
  Fanout(std::vector<Queue*> queues, const CreditWait& wait, const Aside& aside,
         const Fanout* older = nullptr);
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;

  /// [control] Once the queues' services are known.
  void wire_ready();

  const std::vector<Queue*>& queues() const { return queues_; }  ///< by branch [any]
  /// Every queue that is wanted has credit of its own. [any]
  bool queues_have_credit() const;
  /// A queue that unsubscribed is not waited for any more, from now on. [control]
  void want(const Queue& queue, bool wanted);
  /// It has or had a filter, so that counts() tell something. [any]
  bool filters() const { return filters_.load(std::memory_order_acquire); }
  BranchCounts counts(std::uint32_t branch) const;  ///< [any]
  /// Messages published. [any]
  std::uint64_t published() const { return published_total_.load(std::memory_order_acquire); }

  /// Between two chunks: what decides from now on. `subscriptions`: the filter's, by branch.
  void use_filter(std::shared_ptr<const TopicFilter> filter,
                  std::span<const std::uint32_t> subscriptions);

  /// Nothing more is begun here; the queues read the rest.
  void retire();

  /// Every branch that is wanted has credit, or a reservation of it.
  bool has_credit() const;
  /// As has_credit(), and takes a reservation at each; what some took is to be given back where not
  /// all did.
  bool admits();
  void give_reservations_back();
  /// Announces to (or withdraws from) every queue that somebody waits for its credit.
  void announce_wait(bool waits);

  void begin(Chunk* chunk, Admission admission) noexcept;
  /// The chunk's message `index`, not published yet, has a delay of its own; < 0: none at all.
  void delay(std::uint32_t index, std::int64_t delay_ms);
  /// Messages of the chunk that are published.
  std::uint32_t published_of_chunk() const { return published_; }
  /// The chunk must be sealed at its next publish: a branch waits for its part.
  bool withholds() const { return any_withheld_; }
  /// Makes what was appended since visible; `seal`: the chunk takes no more. May wait for credit.
  /// Returns messages x branches, to be counted as pending. Without memory the process ends: some branches may have their
  /// part, and others not.
  std::uint64_t publish(bool seal) noexcept;
  /// The chunk was settled whole before it was sealed: cursors may pass its entry, and what was
  /// charged ahead comes back.
  void end();

  Atomic<Fanout*> next{nullptr};  ///< the publisher's newer one (AppendList)

 private:
  /// What becomes of a branch's part of the chunk.
  enum class Fate : std::uint8_t { published, withheld, dropped, dead_lettered };
  struct Branch {
    Queue* queue;
    std::int64_t delay_ms;  ///< the queue's
    Reservation reservation{};
    Fate fate = Fate::published;
    bool precharged = false;              ///< the whole chunk was charged when it was begun
    bool filtered = false;                ///< a policy says what it gets
    bool came_late = false;               ///< to chunk_, whose first messages it did not get
    std::uint64_t matched = 0;            ///< filtered or came late: of chunk_
    Subscription* turn = nullptr;         ///< for dropping its oldest
    std::unique_ptr<DelayEvacuator> copies{};  ///< of delayed and dead-lettered ones; made by the first

    bool is_sparse() const { return filtered || came_late; }
  };
  static constexpr std::uint64_t kSubscribed = ~std::uint64_t{0};
  /// One writer, read by anybody.
  struct BranchCounters {
    Atomic<std::uint64_t> matched{0}, invalid_attributes{0}, invalid_body{0};
    Atomic<std::uint64_t> forgone{0};  ///< of `matched`: it unsubscribed before it was delivered
    Atomic<std::uint64_t> unseen{
        0};  ///< published while it was unsubscribed, up to the last change
    Atomic<std::uint64_t> left_at{kSubscribed};  ///< published when it unsubscribed
  };

  bool is_wanted(std::size_t branch) const {
    return !unwanted_[branch].load(std::memory_order_seq_cst);
  }
  void note_subscribed(BranchCounters& counters, bool subscribed);
  bool blocks(std::size_t branch) const;
  Fate admit(std::uint32_t index, Admission admission);
  void admit_again(std::uint32_t index, std::uint64_t mask);
  void share_out(std::uint32_t fresh, std::int64_t units);
  void deliver(std::uint32_t index, std::uint64_t mask, std::int64_t units);
  void hand_over(std::uint32_t index, std::uint64_t mask);
  void drop(Branch& branch, std::uint64_t mask);
  void dead_letter(Branch& branch, std::uint64_t mask);
  Taken copy(Branch& branch, std::uint32_t bit, std::int64_t delay_ms);
  void share_out_filtered(std::uint32_t fresh, std::int64_t units);
  void count_invalid();
  std::uint32_t remainder_of(const Branch& branch) const;
  void set_remainders();
  void sort_branches();
  void refund();
  void publish_withheld();
  std::uint64_t part_of(const Branch& branch) const;
  void forgo(std::uint32_t index);
  void dead_letter_late(Branch& branch);
  void publish_late();
  void wait_for_credit(Branch& branch);
  void notify(std::span<const ReadyBits> ready_bits);
  void notify_readers(bool sealed);

  // Constant once it is wired.
  const std::vector<Queue*> queues_;
  const CreditWait& wait_;
  const Aside& aside_;
  Log log_;
  std::vector<ReadyBits> ready_bits_;
  ReadySet* ready_ = nullptr;
  std::vector<Subscription*> subscriptions_;  ///< by branch
  const std::unique_ptr<BranchCounters[]> counters_;
  const std::unique_ptr<Atomic<bool>[]> unwanted_;  ///< by branch
  // Read by anybody.
  alignas(kCacheLine) Atomic<std::uint64_t> published_total_{0};
  Atomic<bool> filters_{false};  ///< has or had a filter: branches are counted one by one
  // The publisher's.
  alignas(kCacheLine) Chunk* chunk_ = nullptr;
  std::uint32_t published_ = 0;  ///< messages of chunk_ in the log
  bool any_withheld_ = false;
  bool any_late_ = false;         ///< came late to chunk_
  bool all_the_same_ = false;     ///< every branch gets all, by the log, and was charged ahead
  bool passes_segment_ = false;   ///< every queue is to be told
  std::int64_t charge_ = 0;       ///< credit units of the published messages of chunk_
  std::int64_t slab_units_ = 0;   ///< of chunk_
  std::uint64_t deliveries_ = 0;  ///< of the current publish(), counted by the chunk
  std::uint64_t own_delays_ = 0;  ///< messages of chunk_ that have a delay of their own
  std::int64_t own_delay_ms_[kChunkMessages];
  ChunkPool pool_;  ///< of copies
  std::vector<Branch> branches_;
  std::unique_ptr<ChunkMatcher> matcher_;  ///< nullptr: no filter
  std::vector<std::uint32_t> branch_of_;   ///< by subscription; kUnsubscribed: none
  std::vector<std::uint32_t> unfiltered_;  ///< branches
  std::vector<ReadyBits> unfiltered_bits_;
  std::vector<std::uint32_t> reached_;  ///< filtered branches that got some of chunk_
  std::vector<std::uint32_t> fresh_;    ///< of them, those that got some at the last publish
  std::vector<std::uint32_t> late_;     ///< of publish_late()
};

}  // namespace sluice::core
