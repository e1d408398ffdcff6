// A redrive: letters go from a dead-letter queue back to the queues they came from, or elsewhere.
// SQS calls it a message move task (StartMessageMoveTask); the states are its own.
//
// The letters' file is read once, up to where it ended at the start: what fails again is appended
// behind that and not moved a second time by the same task, so that a loop ends. A letter keeps its
// id, gets a new sent time and a receive count of 0, and stays in the file until its end in the queue
// it went to: a crash before that leaves it a dead letter.
//
// Thread safety: as each function says; the writer is the letters'.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/token_bucket.hpp"
#include "queue/letter_box.hpp"
#include "queue/timers.hpp"

namespace sluice::core {

constexpr std::uint32_t kRedriveRateMax = 1'000'000'000;  ///< messages per second

struct RedriveRequest {
  std::string to;      ///< a queue; empty: each letter goes to the queue it came from
  std::string reason;  ///< only letters whose reason or detail holds this text; empty: all
  std::uint32_t messages_per_second = 0;  ///< 0: no limit
  bool dry_run = false;                   ///< counts, moves nothing
};

/// marked: while no engine runs; the letters go when it starts.
enum class RedriveState : std::uint8_t { running, completed, cancelling, cancelled, failed, marked };
/// "RUNNING" and so on.
std::string_view name_of(RedriveState state);

struct RedriveStatus {
  RedriveRequest request;
  RedriveState state = RedriveState::running;
  std::int64_t started_ms = 0, ended_ms = 0;  ///< wall clock; 0: not ended
  std::uint64_t letters = 0;      ///< that stood in the file at the start
  std::uint64_t moved = 0;        ///< of them; with dry_run: that would be
  std::uint64_t marked = 0;       ///< of them, while no engine runs; of a cancelled redrive: that were
  std::uint64_t filtered = 0;     ///< left for another reason than was asked for
  std::uint64_t parts = 0;        ///< rejected parts: they were no message of any queue
  std::uint64_t in_use = 0;       ///< in a worker's hands, or on the way of an earlier redrive
  std::uint64_t without_queue = 0;  ///< the queue that they came from is not there
  std::uint64_t without_room = 0;   ///< their queue is full, and has no service that would empty it
  std::uint64_t came_back = 0;    ///< moved, failed again, and dead letters again
  std::map<std::string, std::uint64_t, std::less<>> moved_to, marked_for;  ///< by queue
  std::string failure;
};

/// usage: letters cannot go to a queue that keeps them itself, in another file.
std::unexpected<Error> no_target(std::string_view queue);

/// Whether the request means a letter: the number that counts why it stays; nullptr where it is to go to the queue `to`.
std::uint64_t RedriveStatus::* why_it_stays(const MessageText& letter, const RedriveRequest& request, std::string* to);

class Redrive {
 public:
  using FindQueue = std::function<Queue*(std::string_view name)>;

  /// Of the letters of `box`; all outlive it. `marked`: those that were asked for while no engine ran.
  Redrive(LetterBox& box, RedriveRequest request, bool marked, FindQueue find, const Timers& timers, ChunkPool& pool);

  RedriveStatus status() const;  ///< [any]
  bool is_active() const { return active_.load(std::memory_order_acquire); }  ///< [any]
  /// Goes on when the service of a full queue has made room there. (One that holds nothing will have room at once.) [any]
  bool waits_for_room() const;
  /// Ends it soon. `takes_marks`: letters that were marked while no engine ran and have not gone stay, also at the next
  /// start. [any]
  void cancel(bool takes_marks);
  void note_back();              ///< [writer]

  /// Moves some. After how many ns to go on. REQUIRES: is_active(). [writer]
  std::int64_t step();

 private:
  enum class Verdict { done, later, no_room };
  void begin();
  void end(RedriveState state, std::string failure = {});
  Result<void> let_go();
  void tell(const RedriveStatus& status) const;
  Result<bool> move_some();
  Verdict judge(const LetterLine& letter);
  std::uint64_t RedriveStatus::* find_target(const LetterLine& letter, Queue** target) const;
  Verdict weigh(const LetterLine& letter, Queue& target);
  Verdict move(const LetterLine& letter, Queue& target);
  template <class Change>
  void change(Change&& change);

  LetterBox& box_;
  const bool marked_;
  const FindQueue find_;
  const Timers& timers_;
  ChunkPool& pool_;
  Atomic<bool> active_{true}, cancelled_{false}, takes_marks_{false};
  Atomic<const Queue*> waits_for_{nullptr};  ///< it had no room at the last look
  mutable std::mutex mutex_;  // of the status
  RedriveStatus status_;
  // The writer's.
  std::optional<TokenBucket> pace_;     ///< nullopt: no limit
  bool begun_ = false;
  std::uint64_t offset_ = 0, end_ = 0;  ///< in the file
  std::uint64_t looked_at_ = 0;         ///< in this step
  std::map<Queue*, Evacuator> evacuators_;
  // Of a dry run.
  std::unordered_set<LetterKey, LetterKeyHash> waiting_;  ///< in the queue's memory: nobody uses them
  std::map<Queue*, Reservation> room_;                    ///< what is left of the credit of queues without a service
};

}  // namespace sluice::core
