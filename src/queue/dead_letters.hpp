// Dead letters: stored before they count.
//
// Each dead-letter queue has a file in the state folder (letter_file.hpp). One writer thread appends
// what waits, syncs once for all, and only then lets go of the letters' origins, counts them, and puts
// them into the queue in memory as far as its credit reaches (letter_box.hpp). It also drives the
// redrives (redrives.hpp). Lines that are no letters are told of at each start; a message of such a
// line is stored anew if it comes again.
//
// Thread safety: as each function says; [any] where none stands. run() is the writer's.
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/futex.hpp"
#include "base/log_limit.hpp"
#include "queue/letter_box.hpp"
#include "queue/redrives.hpp"

namespace sluice::core {

/// A message that a queue gives up, on its way to the dead-letter queue.
struct DeadLetter {
  Queue* from = nullptr;
  bool is_part = false;       ///< of one of its messages, and was none itself
  Taken copy;                 ///< one message of an evacuated chunk, whose receipt goes along
  std::string service, stage, reason, detail;
  std::int64_t last_ms = 0;
  const LetterPlace* stood_in = nullptr;  ///< another place than it goes to it leaves once it is stored there

  Queue* to() const { return from->dead_letter_queue(); }
};

class DeadLetters {
 public:
  /// `failed` hears of the first error of the storage, on the writer's thread; nothing is stored after it.
  DeadLetters(Storage& storage, std::string folder, const Timers& timers, std::function<void(const Error&)> failed);
  ~DeadLetters();

  /// A queue that letters may be redriven to. [control]
  void add_target(Queue& queue) { targets_.emplace(queue.name(), &queue); }
  /// Opens (and compacts) the file of a dead-letter queue and puts what it holds into the queue. [control]
  Result<void> open(Queue& queue);

  // Without memory the process ends: there is no other place for what is submitted.
  /// Where its queue has no dead-letter queue ("redrive_policy": null) it is dropped, which is told.
  void submit(DeadLetter letter) noexcept;
  /// Messages that `service` received too often, of an evacuated chunk: they are the letters.
  void submit_overdue(Queue& from, const std::string& service, Taken overdue) noexcept;
  /// Rejected parts take no credit of a queue but this, until they are stored: who rejects many waits for it. [any]
  static constexpr std::int64_t kPartsMax = 4096;
  static constexpr std::int64_t kPartBytesMax = std::int64_t{64} << 20;
  Credits& part_credits() { return part_credits_; }
  /// A letter that was stored left its queue for good.
  void submit_removal(const LetterPlace& place, const Uuid& id) noexcept;
  /// The queue has run dry in memory and has more in its file.
  void submit_load(Queue& queue) noexcept;

  /// Begins to move letters of `from` away; one redrive at a time. Errors: usage, where `from` is no dead-letter queue
  /// or the target will not do; unavailable, where one is under way.
  Result<void> redrive(Queue& from, RedriveRequest request);
  /// False: none is under way. What was moved stays moved; marks of what was not are taken away.
  bool cancel_redrive(const Queue& from);
  /// All of them, for the engine stops: marks stay for its next start.
  void cancel_redrives();
  /// Removes all letters of a dead-letter queue that nobody holds, in memory and in the file. How many. Waits for the
  /// writer. Errors: unavailable, where a redrive is under way; io.
  Result<std::uint64_t> purge(Queue& queue);
  /// The first letters of a dead-letter queue that are not deleted. Waits for the writer.
  Peeked peek(Queue& queue, std::uint32_t count_max);
  /// Waits for the writer: all that was submitted before is durable then. Errors: io.
  Result<void> wait_until_written();
  bool keeps_letters_of(const Queue& queue) const { return boxes_.contains(&queue); }

  /// Writes until stop(); then once more all that waits.
  void run();
  void stop();
  /// One round: everything that waits now. True if there was something. [writer]
  bool write_waiting();
  /// Moves some letters of each redrive that is under way. After how many ns to go on; -1: there is none. [writer]
  std::int64_t redrive_some();

  /// Letters stored now, in all queues. [any]
  std::uint64_t stored() const { return stored_.load(std::memory_order_relaxed); }
  /// Nothing waits to be written, and no redrive is at work; `may_wait`: but those that wait for room. [any]
  bool quiet(bool may_wait = false) const;
  /// How they go. [any]
  const Redrives& redrives() const { return redrives_; }

 private:
  struct Peek {
    std::uint32_t count_max;
    std::promise<Peeked> letters;
  };
  struct Job {
    enum class Kind { letter, removal, load, purge, peek, wait } kind = Kind::letter;
    std::unique_ptr<DeadLetter> letter = nullptr;
    Queue* queue = nullptr;
    const LetterPlace* place = nullptr;  ///< of a removal; of a letter, once it has one
    Uuid id = {};
    bool is_new = false;                 ///< a letter that was appended
    bool replaces = false;               ///< one that stood there
    std::unique_ptr<std::promise<Result<std::uint64_t>>> answer = nullptr;  ///< of a purge: how many; of a wait: 0
    std::unique_ptr<Peek> peek = nullptr;
    std::uint64_t number = 0;            ///< in the order of submission
  };

  void submit(Job job);
  void ring();
  Queue* find_target(std::string_view name) const;
  Result<void> write(std::vector<Job>& jobs);
  Result<void> store(std::vector<Job>& jobs, std::vector<LetterBox*>& touched);
  Result<void> append(Job& job, std::vector<LetterBox*>& touched);
  Result<void> tell_if_other(const Job& job, LetterFile& file);
  Result<void> append_removal(const LetterPlace& place, const Uuid& id);
  Result<void> move_on(const std::vector<Job>& jobs);
  Result<void> finish(Job& job);
  Result<void> purge_box(Job& job);
  void peek_box(Job& job);
  Result<void> load_what_fits();
  Result<void> compact_what_is_garbage();
  static Result<void> sync(const std::vector<LetterBox*>& boxes);
  static std::string letter_of(const DeadLetter& letter);
  static std::string line_of(const DeadLetter& letter);
  void drop(const DeadLetter& letter);
  void complete(Job& job);
  void note_back(const LetterPlace& place, const Uuid& id);
  void tell_stored(const DeadLetter& letter, const Uuid& id);
  void tell_dropped(const DeadLetter& letter);

  Storage& storage_;
  const std::string folder_;
  const Timers& timers_;
  const std::function<void(const Error&)> failed_;
  // Everybody's.
  moodycamel::ConcurrentQueue<Job> jobs_;
  Atomic<std::uint64_t> submitted_{0};
  Atomic<std::uint64_t> waiting_{0};
  Credits part_credits_;
  Atomic<std::uint64_t> stored_{0};
  Atomic<std::uint32_t> epoch_{0};
  Atomic<bool> stopping_{false};
  // Constant once all are open.
  std::map<std::string, Queue*, std::less<>> targets_;
  // The writer's (and open()'s, before it runs).
  ChunkPool pool_;
  std::map<const Queue*, LetterBox> boxes_;
  bool broken_ = false;
  // Everybody's.
  Redrives redrives_;
  LogLimit log_limit_;       ///< by dead-letter queue
  LogLimit drop_log_limit_;  ///< by queue
};

}  // namespace sluice::core
