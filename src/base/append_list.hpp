// A list that grows at its end while anybody reads it.
#pragma once

#include <deque>
#include <utility>

#include "base/atomic.hpp"

namespace sluice::core {

/// T has a member `Atomic<T*> next{nullptr}`. Items stay where they are until the list ends.
/// Thread safety: append() by one thread at a time; reading by any. Both are seq_cst: who parks and
/// looks here last sees an item of which something was published before.
template <class T>
class AppendList {
 public:
  class Iterator {
   public:
    explicit Iterator(T* at) : at_(at) {}
    T& operator*() const { return *at_; }
    Iterator& operator++() {
      at_ = at_->next.load(std::memory_order_seq_cst);
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    T* at_;
  };

  template <class... Arguments>
  T& append(Arguments&&... arguments) {
    T* last = items_.empty() ? nullptr : &items_.back();
    T& item = items_.emplace_back(std::forward<Arguments>(arguments)...);
    (last != nullptr ? last->next : first_).store(&item, std::memory_order_seq_cst);
    return item;
  }

  Iterator begin() const { return Iterator(first_.load(std::memory_order_seq_cst)); }
  Iterator end() const { return Iterator(nullptr); }
  /// nullptr: empty.
  T* first() const { return first_.load(std::memory_order_seq_cst); }
  /// Behind the last one comes the first.
  T* after(const T& item) const {
    T* next = item.next.load(std::memory_order_seq_cst);
    return next != nullptr ? next : first();
  }

 private:
  Atomic<T*> first_{nullptr};
  std::deque<T> items_;  ///< the appender's
};

}  // namespace sluice::core
