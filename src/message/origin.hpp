// Acknowledgement: what became of the messages that a source emitted together.
//
// Every source chunk has one Origin. Its messages are counted down together, through the chunk's
// `pending`: when the chunk ends, all of them are at their end, and the origin settles their cookies
// in one go. A message that lives on outside its chunk (emitted by a stage, returned to a queue,
// on its way to the dead letters) is a *copy*: counted by itself, from before its parent is settled
// until its own end, so it holds up only its own cookie.
//
// Invariants:
//   1. add_copy() is called only by somebody who holds the message alive: through the chunk, or a copy.
//   2. A cookie is settled exactly once, after it was closed, when no copy of its messages is left.
//   3. The node goes home to its pool when its last cookie was settled.
//
// Thread safety: the publisher writes the plain fields while it holds the chunk open; chunk_done()
// comes after them through the chunk's `pending` (release, acquire). add_copy, drop_copy and reject
// are safe from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/atomic.hpp"
#include "base/return_stack.hpp"

namespace sluice::core {

class OriginPool;

constexpr std::uint32_t kOriginMessages = 64;

/// Of each run of messages its cookie, at its first message; while few runs are left they stand in Origin::Copies.
struct Cookies {
  std::uint64_t of[kOriginMessages];
  Cookies* next;  ///< in the pool
};

/// Hears of settled cookies, on whatever thread ended the last descendant. Must not wait.
class SettleListener {
 public:
  /// `rejected`: at least one descendant was dead-lettered. `messages`: how many emissions it had.
  virtual void settled(std::uint64_t cookie, bool rejected, std::uint32_t messages) = 0;

 protected:
  ~SettleListener() = default;
};

/// A cookie whose messages lie in several chunks: one part per chunk, and one while it is open.
struct SharedCookie {
  std::uint64_t cookie;
  SettleListener* listener;
  Atomic<std::uint32_t> parts;
  Atomic<std::uint32_t> messages;
  Atomic<bool> rejected;

  /// Ends one part of `ended_messages`; the last one settles and deletes it.
  void drop(std::uint32_t ended_messages, bool was_rejected);
};

struct Origin {
  static constexpr std::uint32_t kMessages = kOriginMessages;

  /// Written by the publisher while the chunk is open.
  SettleListener* listener = nullptr;
  OriginPool* pool = nullptr;
  std::uint32_t messages = 0;
  std::uint64_t starts = 0;             ///< bit i: message i begins a cookie's run
  SharedCookie* carried_in = nullptr;   ///< the first run began in an earlier chunk, and is not settled here
  SharedCookie* carried_out = nullptr;  ///< the last run goes on in a later one, and is not settled here
  Origin* next = nullptr;               ///< in the pool
  Cookies* cookies = nullptr;           ///< nullptr: in `copies`

  /// Adds a message to the open chunk. `begins`: it starts a new run.
  void append(std::uint64_t cookie, bool begins) {
    if (begins) {
      starts |= std::uint64_t{1} << messages;
      cookies->of[messages] = cookie;
    }
    ++messages;
  }

  /// The chunk ended: its messages live on only as copies.
  void chunk_done();
  void add_copy(std::uint32_t message, std::uint32_t count = 1);
  void drop_copy(std::uint32_t message);
  /// A descendant of `message` was dead-lettered; before its copy is dropped.
  void reject(std::uint32_t message) {
    rejected.fetch_or(std::uint64_t{1} << message, std::memory_order_relaxed);
  }

  /// Counters of the messages that left the chunk; made by the first of them. A message that is kept for long keeps
  /// this and the node, so both are small.
  struct Copies {
    static constexpr std::uint32_t kChunkDone = 1u << 31;
    static constexpr std::uint32_t kCookies = 4;
    Atomic<std::uint32_t> alive[kMessages];         ///< copies, and kChunkDone once the chunk ended
    Atomic<std::uint8_t> unfinished[kMessages];     ///< messages with copies, of the run that begins here; set by chunk_done
    Atomic<std::uint32_t> runs_unfinished;
    std::uint64_t kept = 0;                         ///< the starts of runs that outlive the chunk, where they are few
    std::uint64_t cookies[kCookies];                ///< theirs
  };
  Atomic<std::uint64_t> rejected{0};
  Atomic<Copies*> copies{nullptr};

  /// What acknowledgement takes for each chunk of a source, at most.
  static constexpr std::int64_t bytes_max() { return sizeof(Origin) + sizeof(Cookies) + sizeof(Copies); }

 private:
  Copies& make_copies();
  std::uint32_t run_end(std::uint32_t start) const;
  std::uint64_t run_mask(std::uint32_t start) const;
  void settle_run(std::uint32_t start, std::uint64_t cookie);
  void end_with_copies(Copies& counters);
  void keep_cookies(Copies& counters, std::uint64_t runs);
  void finish_message(Copies& counters, std::uint32_t message);
  void finish_run(Copies& counters);
};

/// Nodes of one publisher. take() is the publisher's; nodes come home from any thread.
class OriginPool {
 public:
  explicit OriginPool(SettleListener* listener)
      : listener_(listener) {}
  /// Lets go of cookies that were never settled. REQUIRES: their publisher has closed.
  ~OriginPool();
  OriginPool(const OriginPool&) = delete;
  OriginPool& operator=(const OriginPool&) = delete;

  Origin* take();
  void give_back(Origin* origin) { returned_.push(origin); }
  void give_back(Cookies* cookies) { returned_cookies_.push(cookies); }

 private:
  Cookies* take_cookies();

  SettleListener* listener_;
  ReturnStack<Origin> returned_;
  ReturnStack<Cookies> returned_cookies_;
  Origin* free_ = nullptr;
  Cookies* free_cookies_ = nullptr;
  std::vector<std::unique_ptr<Origin>> all_;
  std::vector<std::unique_ptr<Cookies>> all_cookies_;
};

}  // namespace sluice::core
