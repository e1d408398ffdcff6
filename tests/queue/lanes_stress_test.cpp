// Reliability catalogue B8: 10 000 groups, 8 consumers, two publishers, random retries, rejections and
// expiries. Order per group, at most one batch of a group in hand, every message at its end exactly once.
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/random.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Outcome;

constexpr std::uint32_t kGroups = 10'000, kConsumers = 8, kPublishers = 2;
constexpr std::int64_t kTimeout = 5000;

/// A batch's part of one group, in the order of all calls: what was received between `received` and `settled`
/// was nobody else's, unless the lease expired.
struct Part {
  std::uint64_t received = 0, settled = 0;  ///< after the receive, before the settle
  std::uint32_t first = 0, count = 0;       ///< numbers in the group
  std::uint32_t ended = 0;                  ///< of them, the first so many are at their end
  bool stale = false;
  bool partly = false;      ///< the batch's leases expired while it was settled: who knows which
  bool has_gap = false;     ///< its numbers do not follow one another
};

class Stress {
 public:
  Stress(std::uint32_t per_group, std::int64_t capacity_bytes)
      : per_group_(per_group),
        dead(line.queue({.name = "dead", .fifo = true})),
        queue(line.queue({.name = "q", .capacity = 20'000, .capacity_bytes = capacity_bytes, .visibility_timeout_ms = kTimeout, .fifo = true}, &dead)) {
    for (std::uint32_t i = 0; i < kPublishers; ++i) {
      publishers.push_back(&line.publisher({&queue}));
    }
    for (std::uint32_t i = 0; i < kConsumers; ++i) {
      hands.push_back(&line.hand(queue, i % 2 == 0 ? 10 : 64, kConsumers));
    }
    EXPECT_TRUE(line.open());
  }

  std::uint64_t total() const { return std::uint64_t{kGroups} * per_group_; }

  /// Groups are dealt to the publishers, so that each has its order from one. Every tenth message is sent twice.
  void publish(std::uint32_t who) {
    core::Random random(who);
    for (std::uint32_t number = 0; number < per_group_; ++number) {
      for (std::uint32_t group = who; group < kGroups; group += kPublishers) {
        const std::string name = std::to_string(group), body = name + ":" + std::to_string(number);
        const bool twice = random.next() % 10 == 0;
        for (int i = 0; i < (twice ? 2 : 1); ++i) {
          publishers[who]->append({.body = bytes_of(body), .parts = {.group_id = name, .deduplication_id = body}, .cookie = 1},
                                  core::Admission::wait);
        }
        twins.fetch_add(twice ? 1 : 0);
        if (random.next() % 16 == 0) {
          publishers[who]->flush(false);
        }
      }
    }
    publishers[who]->close();
  }

  /// Turns the clock and stores the dead letters.
  void tick() {
    while (!stopped.load()) {
      line.advance(1);
      line.letters.write_waiting();
      std::this_thread::yield();
    }
  }

  void consume(std::uint32_t who) {
    core::Random random(100 + who);
    std::map<std::uint32_t, Part>& parts = in_hand[who];
    while (queue.ended() < total() + twins.load() || !all_published.load()) {
      const std::vector<std::string> batch = hands[who]->receive();
      if (batch.empty()) {
        hands[who]->consumer.idle();
        std::this_thread::yield();
        continue;
      }
      read(batch, parts);
      std::vector<core::Failure> failures = judge(batch, parts, random);
      if (random.next() % 500 == 0) {  // stuck until the lease expires
        const std::int64_t until = line.timers.now_tick() + 2 * kTimeout;
        while (line.timers.now_tick() < until && !stopped.load()) {
          std::this_thread::yield();
        }
      }
      const std::uint64_t settled = calls.fetch_add(1);
      const core::Settled result = hands[who]->settle(failures);
      write(parts, settled, result.stale, batch.size(), who);
    }
  }

  void read(const std::vector<std::string>& batch, std::map<std::uint32_t, Part>& parts) {
    const std::uint64_t received = calls.fetch_add(1);
    parts.clear();
    for (const std::string& body : batch) {
      const std::size_t colon = body.find(':');
      auto& part = parts[static_cast<std::uint32_t>(std::stoul(body))];
      const auto number = static_cast<std::uint32_t>(std::stoul(body.substr(colon + 1)));
      if (part.count++ == 0) {
        part.received = received;
        part.first = number;
      } else if (number != part.first + part.count - 1) {
        part.has_gap = true;
      }
    }
  }

  /// From a retried message on, the rest of its group is retried, as one does who wants the order of effects.
  std::vector<core::Failure> judge(const std::vector<std::string>& batch, std::map<std::uint32_t, Part>& parts, core::Random& random) {
    std::vector<core::Failure> failures;
    std::uint32_t of_group = 0, last = ~0u;
    bool retries = false;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const auto group = static_cast<std::uint32_t>(std::stoul(batch[i]));
      of_group = group == last ? of_group + 1 : 0;
      retries = (group == last && retries) || random.next() % 8 == 0;
      last = group;
      if (retries) {
        failures.push_back({i, {Outcome::Status::retry, static_cast<std::int64_t>(random.next() % 3) * 20, "", "", ""}});
        continue;
      }
      if (random.next() % 500 == 0) {
        failures.push_back({i, {Outcome::Status::reject, 0, "", "bad", ""}});
      }
      parts[group].ended = of_group + 1;
    }
    return failures;
  }

  void write(const std::map<std::uint32_t, Part>& parts, std::uint64_t settled, std::size_t stale, std::size_t size, std::uint32_t who) {
    for (auto [group, part] : parts) {
      part.settled = settled;
      part.stale = stale != 0;
      part.partly = stale != 0 && stale != size;
      history[who].emplace_back(group, part);
    }
  }

  /// Parts of a group whose lease did not expire follow one another, each from where the one before ended.
  void check() {
    std::vector<std::vector<Part>> groups(kGroups);
    std::vector<bool> unknown(kGroups), gaps(kGroups);
    for (const auto& parts : history) {
      for (const auto& [group, part] : parts) {
        unknown[group] = unknown[group] || part.partly;
        gaps[group] = gaps[group] || part.has_gap;
        if (!part.stale) {
          groups[group].push_back(part);
        }
      }
    }
    EXPECT_LT(std::ranges::count(unknown, true), kGroups / 2);
    for (std::uint32_t group = 0; group < kGroups; ++group) {
      if (unknown[group]) {
        continue;
      }
      ASSERT_FALSE(gaps[group]) << "group " << group;
      std::ranges::sort(groups[group], {}, &Part::received);
      std::uint32_t next = 0;
      std::uint64_t free_since = 0;
      for (const Part& part : groups[group]) {
        ASSERT_EQ(part.first, next) << "group " << group;
        ASSERT_GE(part.received, free_since) << "two batches of group " << group << " in hand";
        next = part.first + part.ended;
        free_since = part.settled;
      }
      ASSERT_EQ(next, per_group_) << "group " << group;
    }
  }

  const std::uint32_t per_group_;
  LogLines quiet;
  Line line;
  core::Queue& dead;
  core::Queue& queue;
  std::vector<core::Publisher*> publishers;
  std::vector<Hand*> hands;
  std::atomic<bool> stopped{false}, all_published{false};
  std::atomic<std::uint64_t> calls{0}, twins{0};
  std::map<std::uint32_t, Part> in_hand[kConsumers];
  std::vector<std::pair<std::uint32_t, Part>> history[kConsumers];
};

void run_stress(std::uint32_t per_group, std::int64_t capacity_bytes) {
  Stress stress(per_group, capacity_bytes);
  std::thread ticker([&] { stress.tick(); });
  std::vector<std::thread> publishers, consumers;
  for (std::uint32_t i = 0; i < kPublishers; ++i) {
    publishers.emplace_back([&stress, i] { stress.publish(i); });
  }
  for (std::uint32_t i = 0; i < kConsumers; ++i) {
    consumers.emplace_back([&stress, i] { stress.consume(i); });
  }
  for (std::thread& thread : publishers) {
    thread.join();
  }
  stress.all_published = true;
  for (std::thread& thread : consumers) {
    thread.join();
  }
  stress.stopped = true;
  ticker.join();
  stress.line.letters.write_waiting();
  for (Hand* hand : stress.hands) {
    hand->consumer.idle();
  }
  const core::QueueCounters n = stress.queue.counters();
  EXPECT_EQ(n.sent, stress.total() + stress.twins.load());
  EXPECT_EQ(n.deduplicated, stress.twins.load());
  EXPECT_EQ(n.deleted + n.moved_to_dead_letter, n.sent);
  EXPECT_EQ(n.visible + n.in_flight + n.delayed, 0u);
  EXPECT_EQ(conservation_gap(n), 0);
  EXPECT_EQ(stress.queue.credits().messages(), 20'000);
  EXPECT_EQ(stress.queue.credits().units(), capacity_bytes / core::kCreditUnit);
  EXPECT_EQ(stress.line.settled.messages(), n.sent);
  stress.check();
}

TEST(LanesStress, groups_keep_their_order_and_lose_nothing) {
  run_stress(static_cast<std::uint32_t>(scaled(20)), std::int64_t{256} << 20);
}

TEST(LanesStress, nor_where_what_waits_is_copied_out_of_its_chunks) {
  run_stress(static_cast<std::uint32_t>(scaled(10)), std::int64_t{256} << 10);
}

}  // namespace
}  // namespace sluice::test
