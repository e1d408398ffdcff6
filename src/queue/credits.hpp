// Credits: how many messages and bytes a queue still takes. The bound of its memory.
//
// Messages and credit units (64 bytes) are packed into one word, so that taking both is one CAS and
// nobody holds one while it waits for the other. Credit above 0 admits a whole chunk: both may go
// below 0 by one chunk per publisher.
//
// A publisher keeps a reservation in plain counters, so that the shared word is touched once in many
// chunks. All reservations of a queue together hold at most a quarter of its capacity.
//
// Who waits: a thread parks; a service of the pool, whose threads never wait, is woken (ReadySet).
//
// Thread safety: a Reservation is its publisher's; the rest is safe from any thread.
#pragma once

#include <cstdint>

#include "base/append_list.hpp"
#include "base/atomic.hpp"
#include "base/futex.hpp"
#include "queue/ready.hpp"

namespace sluice::core {

struct Reservation {
  std::int64_t messages = 0;
  std::int64_t units = 0;
};

class alignas(kCacheLine) Credits {
 public:
  /// Largest capacity that the packing holds.
  static constexpr std::int64_t kMessagesMax = 67'000'000;
  static constexpr std::int64_t kBytesMax = std::int64_t{128} << 30;

  /// `publishers`: how many reservations there will be. [control]
  void init(std::int64_t messages, std::int64_t bytes, std::uint32_t publishers);
  /// For so many publishers now; what a reservation holds beyond its new share is used up first. [control, also
  /// under traffic]
  void deal(std::int64_t messages, std::int64_t bytes, std::uint32_t publishers);

  /// True: there is credit; the reservation has its share of it, which is nothing of a small queue. False: the queue is
  /// full; nothing was taken.
  bool admit(Reservation& reservation) {
    return (reservation.messages > 0 && reservation.units > 0) || refill(reservation);
  }
  /// Charges; a debt that results goes to the queue at once.
  void charge(Reservation& reservation, std::int64_t messages, std::int64_t units) {
    reservation.messages -= messages;
    reservation.units -= units;
    if (reservation.messages < 0 || reservation.units < 0) {
      give_back(reservation.messages, reservation.units);
      reservation = {};
    }
  }
  /// A reservation is large enough that a whole chunk may be charged when it is opened.
  bool shares_chunks() const {
    return share_messages_.load(std::memory_order_relaxed) >= 64 && share_units_.load(std::memory_order_relaxed) >= 1024;
  }
  /// Takes without asking (moves to dead letters never wait).
  void take(std::int64_t messages, std::int64_t units) {
    packed_.fetch_sub(pack(messages, units), std::memory_order_relaxed);
  }
  /// Returns credit. True: somebody waits for it; wake them with ring().
  bool give_back(std::int64_t messages, std::int64_t units) {
    // seq_cst pairs with announce_wait: either we see `waiting`, or the waiter sees our credit.
    packed_.fetch_add(pack(messages, units), std::memory_order_seq_cst);
    return waiting_.load(std::memory_order_seq_cst) != 0;
  }

  /// A service of the pool that may wait for it: it is woken whenever parked threads are. `ready` outlives the traffic.
  /// [control]
  void add_waiter(ReadySet& ready, std::uint32_t service) { waiters_.append(ready, service); }

  bool someone_waits() const { return waiting_.load(std::memory_order_relaxed) != 0; }

  /// Credit above 0 in the queue itself.
  bool available() const {
    std::int64_t packed = packed_.load(std::memory_order_seq_cst);
    return messages_of(packed) > 0 && units_of(packed) > 0;
  }
  std::int64_t messages() const { return messages_of(packed_.load(std::memory_order_relaxed)); }
  std::int64_t units() const { return units_of(packed_.load(std::memory_order_relaxed)); }

  /// Waiting: announce, look at available() again, then park() with the epoch; withdraw() after it.
  std::uint32_t announce_wait() {
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    return epoch_.load(std::memory_order_seq_cst);
  }
  void park(std::uint32_t epoch, std::int64_t timeout_ns) { futex_wait(epoch_, epoch, timeout_ns); }
  void withdraw() { waiting_.fetch_sub(1, std::memory_order_relaxed); }
  /// Lets everybody who waits look again.
  void ring() {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    futex_wake(epoch_, 1 << 30);
    for (const Waiter& waiter : waiters_) {
      waiter.ready.wake(waiter.service);
    }
  }

 private:
  struct Waiter {
    ReadySet& ready;
    const std::uint32_t service;
    Atomic<Waiter*> next{nullptr};

    Waiter(ReadySet& used_ready, std::uint32_t used_service) : ready(used_ready), service(used_service) {}
  };

  static constexpr int kUnitBits = 33;
  static std::int64_t pack(std::int64_t messages, std::int64_t units) {
    return (messages << kUnitBits) + units;
  }
  static std::int64_t units_of(std::int64_t packed) {
    constexpr int kRest = 64 - kUnitBits;  // sign-extends the low bits
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(packed) << kRest) >> kRest;
  }
  static std::int64_t messages_of(std::int64_t packed) { return (packed - units_of(packed)) >> kUnitBits; }
  bool refill(Reservation& reservation);

  Atomic<std::int64_t> share_messages_{0};  ///< a reservation's size
  Atomic<std::int64_t> share_units_{0};
  AppendList<Waiter> waiters_;
  alignas(kCacheLine) Atomic<std::int64_t> packed_{0};
  Atomic<std::uint32_t> waiting_{0};
  Atomic<std::uint32_t> epoch_{0};
};

}  // namespace sluice::core
