// A lease: messages of one chunk in a worker's hands until settled or expired.
//
//   word = deadline tick << 24 | generation; 0: free; top bits: EXPIRED, GIVEN_UP
//
// Opened by its worker; ended by exactly one of the worker (word -> 0) and the timer (word ->
// EXPIRED), by CAS on the word. The timer reads word, chunk and mask, then CASes: success proves that
// what it read belongs together. An expired slot is its worker's to free; until then its messages' origins wait for
// what the worker may still emit. Past the ack deadline the timer gives it up (GIVEN_UP): nothing waits any longer.
#pragma once

#include <cstdint>
#include <string>

#include "message/chunk.hpp"
#include "message/origin.hpp"

namespace sluice::core {

class DeadLetters;
class Queue;
struct LaneMessage;

/// Who holds leases: what all those of one consumer have in common. One batch is in its hands at a time, so whoever
/// ended a lease by its CAS has read what belongs to that lease's batch.
struct LeaseHolder {
  Queue* queue = nullptr;
  DeadLetters* dead_letters = nullptr;
  std::string service = {};
  std::int64_t visibility_timeout_ms = 0;  ///< of every lease
  std::int64_t ack_deadline_ms = 0;        ///< of every batch, with all extensions
  // Of the batch. The worker's.
  Atomic<std::uint64_t> batch{0};          ///< its number
  Atomic<std::int64_t> received_tick{0};
  Atomic<const char*> stage{nullptr};      ///< that has it, for ever readable; nullptr: none yet

  /// A lease that still stands then is rejected. One tick more: a visibility timeout that is as long ends as one.
  std::int64_t gives_up_tick() const { return received_tick.load(std::memory_order_relaxed) + ack_deadline_ms + 1; }

  // Nobody may name an origin any more once a batch is given up. Two flags that each side sets before it looks at the
  // other's, all seq_cst: so at least one of the two sees the other.
  Atomic<bool> emitting{false};            ///< the worker's: it names origins right now
  Atomic<std::uint64_t> given_up{0};       ///< the timer's: the number of the last batch
  /// [worker] False: its batch is given up.
  bool begin_emission() {
    emitting.store(true, std::memory_order_seq_cst);
    if (!is_given_up()) {
      return true;
    }
    end_emission();
    return false;
  }
  void end_emission() { emitting.store(false, std::memory_order_release); }
  bool is_given_up() const { return given_up.load(std::memory_order_seq_cst) == batch.load(std::memory_order_relaxed); }
};

/// What an expired batch still emits names its parents' origins, and the copy that the timer put back
/// may have ended by then. So a worker counts in them by itself, from before the lease is open (later
/// is too late: the timer and another worker may be done with the message) until its end. Other kinds of chunks hold
/// their origins themselves.
inline void hold_origins(const Chunk& chunk, std::uint64_t mask) {
  for (std::uint64_t left = chunk.kind == Chunk::Kind::evacuated ? mask : 0; left != 0; left &= left - 1) {
    const Lineage& lineage = chunk.lineage[lowest_bit(left)];
    if (lineage.origin != nullptr) {
      lineage.origin->add_copy(lineage.message);
    }
  }
}
inline void let_go_of_origins(const Chunk& chunk, std::uint64_t mask) {
  for (std::uint64_t left = chunk.kind == Chunk::Kind::evacuated ? mask : 0; left != 0; left &= left - 1) {
    const Lineage& lineage = chunk.lineage[lowest_bit(left)];
    if (lineage.origin != nullptr) {
      lineage.origin->drop_copy(lineage.message);
    }
  }
}

struct alignas(kCacheLine) LeaseSlot {
  static constexpr std::uint64_t kExpired = std::uint64_t{1} << 63, kGivenUp = std::uint64_t{1} << 62;
  static constexpr std::uint64_t kGenerationMask = (1 << 24) - 1;

  LeaseHolder* holder = nullptr;      ///< constant
  std::uint64_t generation = 0;       ///< the worker's
  Atomic<std::uint64_t> word{0};
  Atomic<Chunk*> chunk{nullptr};
  Atomic<std::uint64_t> mask{0};
  Atomic<LaneMessage*> place{nullptr};  ///< FIFO queues: of the first message in its lane
  Atomic<std::uint32_t> purges{0};    ///< of the queue, when the messages were taken
  bool watched = false;               ///< the worker's: the slot has its entry in the wheel

  static std::int64_t deadline_of(std::uint64_t word) {
    return static_cast<std::int64_t>((word & ~(kExpired | kGivenUp)) >> 24);
  }

  /// [worker] Returns the word.
  std::uint64_t open(Chunk* of, std::uint64_t messages, std::int64_t deadline_tick, std::uint32_t purges_seen,
                     LaneMessage* place_of_first = nullptr) {
    chunk.store(of, std::memory_order_relaxed);
    mask.store(messages, std::memory_order_relaxed);
    purges.store(purges_seen, std::memory_order_relaxed);
    place.store(place_of_first, std::memory_order_relaxed);
    generation = generation % kGenerationMask + 1;  // never 0, so that the word is not either
    std::uint64_t opened = static_cast<std::uint64_t>(deadline_tick) << 24 | generation;
    word.store(opened, std::memory_order_release);  // with the rest
    return opened;
  }

  enum class End : std::uint8_t { settled, expired, given_up };

  /// [worker] Frees the slot. `settled`: the messages are the worker's to settle.
  End close(std::uint64_t opened) {
    if (word.compare_exchange_strong(opened, 0, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return End::settled;
    }
    return (word.exchange(0, std::memory_order_acq_rel) & kGivenUp) != 0 ? End::given_up : End::expired;
  }

  /// [worker] Moves the deadline. False: expired. `opened` becomes the new word.
  bool extend(std::uint64_t* opened, std::int64_t deadline_tick) {
    std::uint64_t later = static_cast<std::uint64_t>(deadline_tick) << 24 | (*opened & kGenerationMask);
    std::uint64_t expected = *opened;  // the CAS overwrites it; close() must not meet the expired word
    if (!word.compare_exchange_strong(expected, later, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return false;
    }
    *opened = later;
    return true;
  }
};

}  // namespace sluice::core
