// Which services may have work: one bit each. The way a publisher tells consumers without touching
// every branch.
//
// A set bit means that somebody looks, or will look, at the service's queue. A publisher that finds
// all its bits set does nothing more (one load for 64 services, on a line that is clean while the
// consumers are busy). A consumer clears its bit only to park or before long work, and looks again
// after clearing; both sides are seq_cst, so one of them sees the other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/atomic.hpp"

namespace sluice::core {

/// Bits of one word of a ReadySet.
struct ReadyBits {
  std::uint32_t word;
  std::uint64_t bits;
};

/// [thread-safe]
class ReadySet {
 public:
  /// `wake(service)` is called for each service whose bit was set by notify: on the notifying thread.
  ReadySet(std::uint32_t services, std::function<void(std::uint32_t service)> wake)
      : words_count_((services + 63) / 64),
        words_(std::make_unique<Word[]>(words_count_)),
        wake_(std::move(wake)) {}

  std::uint32_t words() const { return words_count_; }
  std::uint64_t word(std::uint32_t index) const { return words_[index].bits.load(std::memory_order_seq_cst); }

  /// Call after publishing (which was seq_cst).
  void notify(const ReadyBits& ready) {
    Atomic<std::uint64_t>& word = words_[ready.word].bits;
    if ((word.load(std::memory_order_seq_cst) & ready.bits) == ready.bits) {
      return;
    }
    std::uint64_t fresh = ready.bits & ~word.fetch_or(ready.bits, std::memory_order_seq_cst);
    for (; fresh != 0; fresh &= fresh - 1) {
      wake_(ready.word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(fresh)));
    }
  }
  void notify(std::uint32_t service) { notify({service / 64, std::uint64_t{1} << service % 64}); }

  /// Sets the bit and wakes, even if it was set: for a service that has news and could not take them.
  void wake(std::uint32_t service) {
    set(service);
    wake_(service);
  }

  /// Sets the bit without waking: the caller itself will look.
  void set(std::uint32_t service) {
    words_[service / 64].bits.fetch_or(std::uint64_t{1} << service % 64, std::memory_order_seq_cst);
  }
  /// The caller must look at the queue once more after this.
  void clear(std::uint32_t service) {
    words_[service / 64].bits.fetch_and(~(std::uint64_t{1} << service % 64), std::memory_order_seq_cst);
  }
  bool is_set(std::uint32_t service) const { return (word(service / 64) >> service % 64 & 1) != 0; }

 private:
  struct alignas(kCacheLine) Word {
    Atomic<std::uint64_t> bits{0};
  };
  std::uint32_t words_count_;
  std::unique_ptr<Word[]> words_;
  std::function<void(std::uint32_t)> wake_;
};

}  // namespace sluice::core
