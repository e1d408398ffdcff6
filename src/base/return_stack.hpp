// How pooled objects come home: any thread pushes, the owner takes all. [push: thread-safe; take_all: owner]
#pragma once

#include "base/atomic.hpp"

namespace sluice::core {

/// Treiber stack without pop: push and exchange only, so there is no ABA. T has a member `T* next`.
template <class T>
class ReturnStack {
 public:
  void push(T* item) {
    T* head = head_.load(std::memory_order_relaxed);
    do {
      item->next = head;
    } while (!head_.compare_exchange_weak(head, item, std::memory_order_release,
                                          std::memory_order_relaxed));
  }

  /// The newest first, linked by `next`. Acquire pairs with push's release: the items' last uses are over.
  T* take_all() {
    if (head_.load(std::memory_order_relaxed) == nullptr) {
      return nullptr;
    }
    return head_.exchange(nullptr, std::memory_order_acquire);
  }

 private:
  alignas(kCacheLine) Atomic<T*> head_{nullptr};
};

}  // namespace sluice::core
