// Stands in for moodycamel's queue in the explored build: each of its operations is one step.
#pragma once

#include <deque>
#include <utility>

#include "explore/explorer.hpp"

namespace moodycamel {

template <class T>
class ConcurrentQueue {
 public:
  bool enqueue(T item) {
    sluice::explore::step(sluice::explore::Access::update, word_, "enqueue");
    items_.push_back(std::move(item));
    return true;
  }
  bool try_dequeue(T& item) {
    sluice::explore::step(sluice::explore::Access::update, word_, "try_dequeue");
    if (items_.empty()) {
      return false;
    }
    item = std::move(items_.front());
    items_.pop_front();
    return true;
  }

 private:
  const sluice::explore::WordNumber word_ = sluice::explore::number_word();
  std::deque<T> items_;
};

}  // namespace moodycamel
