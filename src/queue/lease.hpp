// A lease: messages of one chunk in a worker's hands until settled or expired.
//
//   word = deadline tick << 24 | generation; 0: free; top bit: EXPIRED
//
// Opened by its worker; ended by exactly one of the worker (word -> 0) and the timer (word ->
// EXPIRED), by CAS on the word. The timer reads word, chunk and mask, then CASes: success proves that
// what it read belongs together. An expired slot is not touched again until its worker frees it.
#pragma once

#include <cstdint>
#include <string>

#include "message/chunk.hpp"

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
  Atomic<std::int64_t> received_tick{0};
  Atomic<const std::string*> stage{nullptr};  ///< that has it; nullptr: none yet

  /// A lease that still stands then is rejected. One tick more: a visibility timeout that is as long ends as one.
  std::int64_t gives_up_tick() const { return received_tick.load(std::memory_order_relaxed) + ack_deadline_ms + 1; }
};

struct alignas(kCacheLine) LeaseSlot {
  static constexpr std::uint64_t kExpired = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kGenerationMask = (1 << 24) - 1;

  LeaseHolder* holder = nullptr;      ///< constant
  std::uint64_t generation = 0;       ///< the worker's
  Atomic<std::uint64_t> word{0};
  Atomic<Chunk*> chunk{nullptr};
  Atomic<std::uint64_t> mask{0};
  Atomic<LaneMessage*> place{nullptr};  ///< FIFO queues: of the first message in its lane
  Atomic<std::uint32_t> purges{0};    ///< of the queue, when the messages were taken
  bool watched = false;               ///< the worker's: the slot has its entry in the wheel

  static std::int64_t deadline_of(std::uint64_t word) { return static_cast<std::int64_t>((word & ~kExpired) >> 24); }

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

  /// [worker] True: the messages are the worker's to settle. False: expired; the slot is free again.
  bool close(std::uint64_t opened) {
    if (word.compare_exchange_strong(opened, 0, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return true;
    }
    word.store(0, std::memory_order_release);
    return false;
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
