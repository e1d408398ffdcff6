// The CPU pool: as many threads as cores allowed, for all services without a waiting stage.
//
// An awake thread goes round the services whose ready bit is set and runs one batch of each. Those that are ahead of
// their share of the cores (permits.hpp) are put off to a later round, if their batches are long or some weigh more than
// others. It parks when a while of rounds found nothing. Woken are: one thread when a bit is set and nobody looks for
// work, and one before long work if more is there. So no wake-up per message, and none when somebody
// is awake and looking. Work that takes long though its service's never did is noticed by the ticker, which looks
// every few milliseconds while some threads are at work and others parked, and seldom where all are at work: it flushes
// what such a thread has gathered, and wakes one that is parked for what is left.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/futex.hpp"
#include "queue/ready.hpp"
#include "service/permits.hpp"
#include "service/service.hpp"

namespace sluice::core {

struct PoolOptions {
  std::uint32_t threads;
  std::vector<int> cores;        ///< thread i is bound to cores[i], if there is one
  const Atomic<bool>* stopping;
  bool weighted = false;         ///< some service weighs more than others
};

class Pool {
 public:
  /// `services` run on the pool; indexed by their ready bit in `ready`.
  Pool(PoolOptions options, ReadySet& ready, Timers& timers, Permits& permits);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void add(Service& service);
  void start();
  /// Somebody should look at `service`. [any]
  void wake_for(Service& service);
  void wake_all();  ///< [any] to see `stopping`
  std::uint32_t running() const { return running_.load(std::memory_order_acquire); }
  void join();
  void abandon();

 private:
  void run(std::uint32_t number);
  struct Worked {
    std::uint64_t messages = 0;
    bool caught_up = true;  ///< nothing was left in any of the queues
    std::int64_t first_start = kNothing;  ///< of what ran, or was put off

    static constexpr std::int64_t kNothing = INT64_MAX;
  };
  /// What a thread keeps from round to round.
  struct PoolThread {
    WorkThread& work;
    std::uint32_t turn = 0;
    std::uint32_t batches = 0;
    bool looks = false;  ///< counted in looking_
  };
  Worked round(PoolThread& thread);
  bool visit(Service& service, PoolThread& thread, std::int64_t now_tick, Worked* worked);
  bool work(Service& service, Worker& worker, PoolThread& thread, bool is_long);
  void look(PoolThread& thread, bool looks);
  void before_long_work(Service& service);
  /// True: there is work after all.
  bool clear_idle();
  void park();
  void wake_one();
  void have_watched();
  void watch();

  const PoolOptions options_;
  ReadySet& ready_;
  Timers& timers_;
  Permits& permits_;
  std::vector<Service*> services_;       ///< by ready bit; nullptr: not the pool's
  std::vector<std::uint64_t> mine_;      ///< the pool's bits of each word
  std::vector<Thread> threads_;
  const std::unique_ptr<WorkThread[]> work_;  ///< by thread
  const std::uint32_t watch_;            ///< a task of the ticker's
  static constexpr std::int64_t kNever = INT64_MAX;
  Atomic<std::int64_t> looks_at_{kNever};  ///< the tick
  alignas(kCacheLine) Atomic<std::uint32_t> parked_{0};
  Atomic<std::uint32_t> looking_{0};     ///< awake without work
  Atomic<std::uint32_t> epoch_{0};
  Atomic<std::uint32_t> running_{0};
};

}  // namespace sluice::core
