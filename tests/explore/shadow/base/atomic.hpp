// Stands in for src/base/atomic.hpp in the explored build: the same door, and behind it an atomic
// each of whose operations is a step of the explorer.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "explore/explorer.hpp"

namespace sluice::core {

inline constexpr std::size_t kCacheLine = 64;
inline constexpr bool kExplored = true;

/// std::atomic's interface, as far as the engine uses it. Never fails spuriously.
template <class T>
class Atomic {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  using Access = explore::Access;
  using Weaken = explore::Weaken;

 public:
  Atomic() : Atomic(T{}) {}
  Atomic(T value) : value_(value), word_(explore::number_word()) {}  // NOLINT: as std::atomic's
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
  ~Atomic() { explore::forget(&value_); }

  T load(std::memory_order) const {
    explore::step(Access::load, word_, "load");
    return current();
  }
  void store(T value, std::memory_order order) {
    if (order == std::memory_order_seq_cst) {
      explore::step(Access::update, word_, "store seq_cst");
      value_ = value;
    } else {
      store_weakly(value);
    }
  }
  T exchange(T value, std::memory_order) {
    if (weakened(Weaken::exchange)) {
      T before = load(std::memory_order_relaxed);
      store_weakly(value);
      return before;
    }
    explore::step(Access::update, word_, "exchange");
    T before = value_;
    value_ = value;
    return before;
  }
  bool compare_exchange_strong(T& expected, T value, std::memory_order, std::memory_order) {
    if (weakened(Weaken::compare_exchange)) {
      T seen = load(std::memory_order_relaxed);
      if (seen != expected) {
        expected = seen;
        return false;
      }
      store_weakly(value);
      return true;
    }
    explore::step(Access::update, word_, "compare_exchange");
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = value;
    return true;
  }
  bool compare_exchange_weak(T& expected, T value, std::memory_order success, std::memory_order failure) {
    return compare_exchange_strong(expected, value, success, failure);
  }
  bool compare_exchange_weak(T& expected, T value, std::memory_order order) {
    return compare_exchange_strong(expected, value, order, order);
  }
  T fetch_add(T amount, std::memory_order) {
    return update("fetch_add", [amount](T value) { return static_cast<T>(value + amount); });
  }
  T fetch_sub(T amount, std::memory_order) {
    return update("fetch_sub", [amount](T value) { return static_cast<T>(value - amount); });
  }
  T fetch_or(T bits, std::memory_order) {
    return update("fetch_or", [bits](T value) { return static_cast<T>(value | bits); });
  }
  T fetch_and(T bits, std::memory_order) {
    return update("fetch_and", [bits](T value) { return static_cast<T>(value & bits); });
  }

  // The explorer's.
  explore::WordNumber word() const { return word_; }
  T now() const { return value_; }

 private:
  static bool weakened(Weaken kind) { return explore::in_thread() && explore::options().weaken == kind; }
  static T of_bits(std::uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  T current() const {
    const std::uint64_t* own = explore::buffered(&value_);
    return own != nullptr ? of_bits(*own) : value_;
  }
  void store_weakly(T value) {
    explore::step(Access::store, word_, "store");
    if (!explore::buffers_stores()) {
      value_ = value;
      return;
    }
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    explore::buffer(word_, &value_, bits, [](void* address, std::uint64_t stored) { *static_cast<T*>(address) = of_bits(stored); });
  }
  template <class Change>
  T update(const char* what, Change change) {
    if (weakened(Weaken::fetch)) {
      T before = load(std::memory_order_relaxed);
      store_weakly(change(before));
      return before;
    }
    explore::step(Access::update, word_, what);
    T before = value_;
    value_ = change(before);
    return before;
  }

  T value_;
  const explore::WordNumber word_;
};

inline void pause_core() {}
inline void full_fence() {
  if (!explore::in_thread() || explore::options().weaken != explore::Weaken::fence) {
    explore::step(explore::Access::fence, 0, "fence");
  }
}
inline void light_fence() { full_fence(); }
inline void heavy_fence() { full_fence(); }

}  // namespace sluice::core
