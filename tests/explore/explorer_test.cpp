// The explorer itself: it sees every outcome, counts as the combinatorics say, and finds planted bugs.
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "base/atomic.hpp"
#include "base/futex.hpp"
#include "base/random.hpp"
#include "explore/verify.hpp"

namespace sluice::explore {
namespace {

using core::Atomic;
constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kSeqCst = std::memory_order_seq_cst;

TEST(Explorer, runs_each_order_of_dependent_operations_once_and_one_of_independent_ones) {
  auto schedules = [](bool same_word, std::size_t threads, int operations, Reduction reduction) {
    return explore([&](Trial& trial) {
      Atomic<int> words[3];
      std::vector<std::function<void()>> bodies;
      for (std::size_t i = 0; i < threads; ++i) {
        bodies.push_back([&, i] {
          for (int k = 0; k < operations; ++k) {
            words[same_word ? 0 : i].fetch_add(1, kSeqCst);
          }
        });
      }
      trial.threads(bodies);
    }, {.reduction = reduction}).schedules;
  };
  EXPECT_EQ(schedules(true, 2, 3, Reduction::source_sets), 20u) << "6! / (3! 3!)";
  EXPECT_EQ(schedules(true, 3, 2, Reduction::source_sets), 90u) << "6! / (2! 2! 2!)";
  EXPECT_EQ(schedules(false, 3, 2, Reduction::source_sets), 1u);
  EXPECT_EQ(schedules(false, 3, 2, Reduction::none), 90u);
}

/// Store, then load the other's word: both may read 0 only where stores wait in a buffer.
std::set<std::pair<int, int>> store_buffering(std::memory_order order, std::uint32_t depth) {
  std::set<std::pair<int, int>> seen;
  explore([&](Trial& trial) {
    Atomic<int> x{0}, y{0};
    int a = -1, b = -1;
    trial.threads({[&] { x.store(1, order); a = y.load(order); }, [&] { y.store(1, order); b = x.load(order); }});
    seen.insert({a, b});
  }, {.store_buffer = depth});
  return seen;
}

TEST(Explorer, delays_stores_that_are_weaker_than_seq_cst_as_x86_does) {
  const std::pair<int, int> both_zero{0, 0};
  EXPECT_EQ(store_buffering(kRelaxed, 0).count(both_zero), 0u);
  EXPECT_EQ(store_buffering(kRelaxed, 2).count(both_zero), 1u);
  EXPECT_EQ(store_buffering(std::memory_order_release, 2).count(both_zero), 1u);
  EXPECT_EQ(store_buffering(kSeqCst, 2).count(both_zero), 0u);
  EXPECT_EQ(store_buffering(kSeqCst, 2).size(), 3u);
}

TEST(Explorer, keeps_a_threads_stores_in_order_and_shows_them_to_itself) {
  verify([](Trial& trial) {
    Atomic<int> data{0}, flag{0};
    trial.threads({[&] {
                   data.store(1, kRelaxed);
                   trial.expect(data.load(kRelaxed) == 1, "a thread sees its own store");
                   flag.store(1, std::memory_order_release);
                 },
                 [&] {
                   if (flag.load(std::memory_order_acquire) == 1) {
                     trial.expect(data.load(kRelaxed) == 1, "what was stored before the flag is there");
                   }
                 }});
  });
}

/// A random program of few operations on few words.
struct Program {
  struct Step { int kind; std::size_t word; int value; };
  std::vector<std::vector<Step>> threads;

  explicit Program(core::Random& random) {
    threads.resize(2 + random.next() % 2);
    for (auto& steps : threads) {
      for (std::uint64_t n = 1 + random.next() % (threads.size() == 2 ? 4 : 3); n > 0; --n) {
        steps.push_back({static_cast<int>(random.next() % 5), random.next() % 2, 1 + static_cast<int>(random.next() % 3)});
      }
    }
  }
  /// All that can be read and be left.
  std::set<std::vector<int>> outcomes(const Options& options, std::uint64_t* schedules) const {
    std::set<std::vector<int>> seen;
    Findings findings = explore([&](Trial& trial) {
      Atomic<int> words[2];
      std::vector<std::vector<int>> read(threads.size());
      std::vector<std::function<void()>> bodies;
      for (std::size_t i = 0; i < threads.size(); ++i) {
        bodies.push_back([&, i] {
          for (const Step& step : threads[i]) {
            perform(words[step.word], step, read[i]);
          }
        });
      }
      trial.threads(bodies);
      std::vector<int> outcome{words[0].load(kRelaxed), words[1].load(kRelaxed)};
      for (const std::vector<int>& each : read) {
        outcome.insert(outcome.end(), each.begin(), each.end());
      }
      seen.insert(outcome);
    }, options);
    *schedules += findings.schedules;
    return seen;
  }
  static void perform(Atomic<int>& word, const Step& step, std::vector<int>& read) {
    int expected = step.value;
    switch (step.kind) {
      case 0: word.store(step.value, kRelaxed); break;
      case 1: word.store(step.value, kSeqCst); break;
      case 2: read.push_back(word.fetch_add(step.value, kSeqCst)); break;
      case 3: read.push_back(word.compare_exchange_strong(expected, 7, kSeqCst, kSeqCst) ? 1 : 0); break;
      default: read.push_back(word.load(kRelaxed)); break;
    }
  }
};

TEST(Explorer, loses_no_outcome_by_leaving_out_schedules) {
  core::Random random(11);
  std::uint64_t reduced = 0, all = 0;
  for (int round = 0; round < 400; ++round) {
    const Program program(random);
    for (const std::uint32_t depth : {0u, 2u}) {
      const auto expected = program.outcomes({.store_buffer = depth, .reduction = Reduction::none}, &all);
      ASSERT_EQ(program.outcomes({.store_buffer = depth}, &reduced), expected) << "round " << round << ", store buffer " << depth;
    }
  }
  std::printf("400 programs: %llu schedules instead of %llu\n", static_cast<unsigned long long>(reduced), static_cast<unsigned long long>(all));
  EXPECT_LT(reduced * 2, all);
}

/// A random program of sections, each of which holds a mutex, or tries to, while it changes a word.
struct Sections {
  struct Section { bool tries; std::size_t mutex, word; int factor; };
  std::vector<std::vector<Section>> threads;

  explicit Sections(core::Random& random) {
    threads.resize(2 + random.next() % 2);
    for (auto& sections : threads) {
      for (std::uint64_t n = threads.size() == 2 ? 1 + random.next() % 2 : 1; n > 0; --n) {
        sections.push_back({random.next() % 3 == 0, random.next() % 2, random.next() % 2, 2 + static_cast<int>(random.next() % 3)});
      }
    }
  }
  /// All that the words and refusals can come to.
  std::set<std::vector<int>> outcomes(const Options& options, std::uint64_t* schedules) const {
    std::set<std::vector<int>> seen;
    const Findings findings = explore([&](Trial& trial) {
      Atomic<int> words[2]{1, 1};
      std::mutex mutexes[2];
      std::vector<int> refused(threads.size());
      std::vector<std::function<void()>> bodies;
      for (std::size_t i = 0; i < threads.size(); ++i) {
        bodies.push_back([&, i] {
          for (const Section& section : threads[i]) {
            std::unique_lock lock(mutexes[section.mutex], std::defer_lock);
            if (section.tries && !lock.try_lock()) {
              refused[i] = refused[i] * 2 + 1;
              continue;
            }
            if (!section.tries) {
              lock.lock();
            }
            Atomic<int>& word = words[section.word];
            word.store(word.load(kRelaxed) * section.factor + 1, kRelaxed);
          }
        });
      }
      trial.threads(bodies);
      refused.push_back(words[0].load(kRelaxed));
      refused.push_back(words[1].load(kRelaxed));
      seen.insert(refused);
    }, options);
    EXPECT_EQ(findings.violation, "");
    *schedules += findings.schedules;
    return seen;
  }
};

TEST(Explorer, loses_no_outcome_of_mutexes_by_leaving_out_schedules) {
  core::Random random(3);
  std::uint64_t reduced = 0, all = 0;
  for (int round = 0; round < 60; ++round) {
    const Sections program(random);
    for (const std::uint32_t depth : {0u, 2u}) {
      const auto expected = program.outcomes({.store_buffer = depth, .reduction = Reduction::none}, &all);
      ASSERT_EQ(program.outcomes({.store_buffer = depth}, &reduced), expected) << "round " << round << ", store buffer " << depth;
    }
  }
  std::printf("60 programs of mutexes: %llu schedules instead of %llu\n", static_cast<unsigned long long>(reduced),
              static_cast<unsigned long long>(all));
  EXPECT_LT(reduced * 2, all);
}

/// Adds under a mutex, with a load and a store.
void add_under_a_mutex(Trial& trial) {
  std::mutex mutex;
  Atomic<int> word{0};
  auto add = [&] {
    const std::lock_guard lock(mutex);
    word.store(word.load(kRelaxed) + 1, kRelaxed);
  };
  trial.threads({add, add, add});
  trial.expect(word.load(kRelaxed) == 3, "nobody adds in between");
}

TEST(Explorer, lets_one_thread_at_a_time_have_a_mutex_in_each_order) {
  verify(add_under_a_mutex);
  EXPECT_EQ(explore(add_under_a_mutex).schedules, 6u) << "3!";
  expect_found(add_under_a_mutex, {.weaken = Weaken::lock});
}

TEST(Explorer, finds_a_deadlock) {
  const Findings findings = explore([](Trial& trial) {
    std::mutex one, other;
    trial.threads({[&] { const std::lock_guard first(one); const std::lock_guard second(other); },
                   [&] { const std::lock_guard first(other); const std::lock_guard second(one); }});
  });
  EXPECT_NE(findings.violation.find("deadlock"), std::string::npos) << findings.violation;
}

/// Announce, look again, sleep; against: publish, look for sleepers.
Scenario parking(std::memory_order announce) {
  return [announce](Trial& trial) {
    Atomic<std::uint32_t> news{0}, waits{0}, epoch{0};
    trial.threads({[&] {
                   std::uint32_t seen = epoch.load(kSeqCst);
                   waits.store(1, announce);
                   if (news.load(kSeqCst) == 0) {
                     futex_wait(epoch, seen);
                   }
                 },
                 [&] {
                   news.store(1, kSeqCst);
                   if (waits.load(kSeqCst) != 0) {
                     epoch.fetch_add(1, kSeqCst);
                     futex_wake(epoch, 1);
                   }
                 }});
  };
}

TEST(Explorer, finds_the_wake_up_that_a_relaxed_announcement_loses) {
  verify(parking(kSeqCst));
  const Findings without = explore(parking(kRelaxed));
  EXPECT_EQ(without.violation, "") << "only a store buffer shows it";
  const Findings with = explore(parking(kRelaxed), {.store_buffer = 2});
  EXPECT_NE(with.violation.find("wake-up was lost"), std::string::npos);
  EXPECT_EQ(replay(parking(kRelaxed), {.store_buffer = 2}, with.schedule).violation, with.violation) << "and its schedule shows it again";
}

TEST(Explorer, lets_others_come_before_one_that_spins_for_long) {
  std::set<int> looks;
  const Findings findings = explore([&](Trial& trial) {
    Atomic<int> flag{0};
    int count = 0;
    trial.threads({[&] { while (flag.load(kRelaxed) == 0) { ++count; } }, [&] { flag.store(1, kRelaxed); }});
    looks.insert(count);
  }, {.patience = 20});
  EXPECT_EQ(findings.violation, "");
  EXPECT_EQ(findings.schedules, 21u) << "after 0 to 20 looks";
  EXPECT_EQ(looks.size(), 21u);
}

TEST(Explorer, stops_a_run_that_never_ends) {
  const Findings findings = explore([](Trial& trial) {
    Atomic<int> word{0};
    trial.threads({[&] { while (word.load(kRelaxed) == 0) {} }});
  });
  EXPECT_EQ(findings.violation, "it never ends");
}

}  // namespace
}  // namespace sluice::explore
