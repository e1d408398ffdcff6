// The queues that ours stands beside, each behind the same calls: one sender and one receiver at a time,
// pointers to pooled messages, in bulk where the queue can.
#pragma once

#include <boost/lockfree/queue.hpp>
#include <concurrentqueue/blockingconcurrentqueue.h>
#include <concurrentqueue/concurrentqueue.h>
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/flow_graph.h>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

/// What is sent: 256 bytes, of which a reader takes a word of each line, and a reference count for who fans out.
struct alignas(64) PooledMessage {
  static constexpr std::size_t kBody = 256;
  std::uint8_t body[kBody];
  std::atomic<std::uint32_t> references;
  std::uint32_t unused[15];
};
static_assert(sizeof(PooledMessage) == 320);

/// As many are under way at most.
constexpr std::uint32_t kPooled = 8192;

/// Calls `one` until it has nothing more.
template <class One>
std::size_t one_by_one(PooledMessage** to, std::size_t count, One&& one) {
  std::size_t received = 0;
  while (received < count && one(to[received])) {
    ++received;
  }
  return received;
}

class Moodycamel {
 public:
  void send(PooledMessage** from, std::size_t count) {
    if (count == 1) {
      queue_.enqueue(producer_, *from);
    } else {
      queue_.enqueue_bulk(producer_, from, count);
    }
  }
  std::size_t receive(PooledMessage** to, std::size_t count) {
    return count == 1 ? (queue_.try_dequeue(consumer_, *to) ? 1 : 0) : queue_.try_dequeue_bulk(consumer_, to, count);
  }

 private:
  moodycamel::ConcurrentQueue<PooledMessage*> queue_{kPooled};
  moodycamel::ProducerToken producer_{queue_};
  moodycamel::ConsumerToken consumer_{queue_};
};

/// The same with a semaphore: its receiver can sleep.
class MoodycamelBlocking {
 public:
  void send(PooledMessage** from, std::size_t) { queue_.enqueue(producer_, *from); }
  PooledMessage* wait() {
    PooledMessage* message = nullptr;
    queue_.wait_dequeue(consumer_, message);
    return message;
  }

 private:
  moodycamel::BlockingConcurrentQueue<PooledMessage*> queue_{kPooled};
  moodycamel::ProducerToken producer_{queue_};
  moodycamel::ConsumerToken consumer_{queue_};
};

class TbbBounded {
 public:
  void send(PooledMessage** from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      queue_.push(from[i]);
    }
  }
  std::size_t receive(PooledMessage** to, std::size_t count) {
    return one_by_one(to, count, [this](PooledMessage*& place) { return queue_.try_pop(place); });
  }
  PooledMessage* wait() {
    PooledMessage* message = nullptr;
    queue_.pop(message);
    return message;
  }

 private:
  oneapi::tbb::concurrent_bounded_queue<PooledMessage*> queue_;
};

/// The node that the flow graph has for a queue.
class TbbFlowGraph {
 public:
  void send(PooledMessage** from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      queue_.try_put(from[i]);
    }
  }
  std::size_t receive(PooledMessage** to, std::size_t count) {
    return one_by_one(to, count, [this](PooledMessage*& place) { return queue_.try_get(place); });
  }
  ~TbbFlowGraph() { graph_.wait_for_all(); }

 private:
  oneapi::tbb::flow::graph graph_;
  oneapi::tbb::flow::queue_node<PooledMessage*> queue_{graph_};
};

class BoostLockfree {
 public:
  void send(PooledMessage** from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      queue_.push(from[i]);
    }
  }
  std::size_t receive(PooledMessage** to, std::size_t count) {
    return one_by_one(to, count, [this](PooledMessage*& place) { return queue_.pop(place); });
  }

 private:
  boost::lockfree::queue<PooledMessage*> queue_{kPooled};
};

class MutexDeque {
 public:
  void send(PooledMessage** from, std::size_t count) {
    {
      std::lock_guard lock(mutex_);
      queue_.insert(queue_.end(), from, from + count);
    }
    if (waits_) {
      came_.notify_one();
    }
  }
  std::size_t receive(PooledMessage** to, std::size_t count) {
    std::lock_guard lock(mutex_);
    count = std::min(count, queue_.size());
    std::copy_n(queue_.begin(), count, to);
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  PooledMessage* wait() {
    std::unique_lock lock(mutex_);
    waits_ = true;
    came_.wait(lock, [this] { return !queue_.empty(); });
    PooledMessage* message = queue_.front();
    queue_.pop_front();
    return message;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::atomic<bool> waits_{false};
  std::deque<PooledMessage*> queue_;
};
