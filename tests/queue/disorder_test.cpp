// A queue under every kind of trouble at once: poison, cancelled batches, expiries, drops. What is good
// gets through, what is not is where it belongs, and all credit comes back.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <thread>
#include <tuple>
#include <vector>

#include "base/random.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Failure;
using core::Outcome;
using core::Queue;
using core::WhenFull;

std::vector<Failure> fail_all(const std::vector<std::string>& batch, char kind, Outcome outcome) {
  std::vector<Failure> failures;
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    if (batch[i][0] == kind) {
      failures.push_back({i, outcome});
    }
  }
  return failures;
}

/// Half of all messages always fail, and come back at once. What came back is received before what waits in the log, and the
/// log in its order: so a good message waits for no more than all receives of what was sent before it.
TEST(PoisonStorm, starves_no_good_message_and_ends_in_the_dead_letters_to_the_last) {
  constexpr std::uint32_t kReceivesMax = 3;
  LogLines quiet;  // each dead letter is a line
  Line line;
  Queue& dead = line.queue({.name = "dead"});
  Queue& queue = line.queue({.name = "q", .max_receive_count = kReceivesMax}, &dead);
  core::Publisher& publisher = line.publisher({&queue});
  Hand &hand = line.hand(queue, 7), &undertaker = line.hand(dead, 64);
  ASSERT_TRUE(line.open());
  core::Random random(5);
  const std::uint64_t messages = scaled(8000);
  std::vector<std::string> poison;
  std::vector<std::uint64_t> latest;  // by place: receives of all up to it, as many as there may be
  for (std::uint64_t place = 0; place < messages; ++place) {
    const bool is_good = random.next() % 2 == 0;
    const std::string body = (is_good ? "good " : "poison ") + std::to_string(place);
    latest.push_back((latest.empty() ? 0 : latest.back()) + (is_good ? 1 : kReceivesMax));
    if (!is_good) {
      poison.push_back(body);
    }
    publisher.append({.body = bytes_of(body), .cookie = place}, core::Admission::overdraw);
  }
  publisher.flush(true);

  std::vector<std::uint32_t> received(messages, 0);
  std::uint64_t receives = 0;
  for (std::vector<std::string> batch = hand.receive(); !batch.empty() || queue.counters().visible != 0; batch = hand.receive()) {
    std::vector<std::string> late;
    for (const std::string& body : batch) {
      const std::uint64_t place = std::stoull(body.substr(body.find(' ')));
      ++received[place];
      if (++receives > latest[place] && body[0] == 'g') {
        late.push_back(body);
      }
    }
    hand.settle(fail_all(batch, 'p', {Outcome::Status::retry, 0, "stage", "poison", ""}));
    ASSERT_EQ(late, std::vector<std::string>{}) << "after " << receives << " receives";
    line.letters.write_waiting();
  }
  hand.consumer.idle();
  line.letters.write_waiting();

  EXPECT_EQ(receives, latest.back()) << "each poison is received as often as allowed, and not once more";
  EXPECT_EQ(std::ranges::count(received, 1u), static_cast<std::ptrdiff_t>(messages - poison.size()));
  EXPECT_EQ(std::ranges::count(received, kReceivesMax), static_cast<std::ptrdiff_t>(poison.size()));
  EXPECT_EQ(queue.counters().moved_to_dead_letter, poison.size());
  EXPECT_EQ(dead.counters().visible, poison.size());
  EXPECT_EQ(line.settled.messages(), messages);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
  std::vector<std::string> buried;
  while (dead.counters().visible != 0) {
    std::ranges::copy(undertaker.receive(), std::back_inserter(buried));
    undertaker.settle();
    undertaker.consumer.idle();
    line.letters.write_waiting();
  }
  std::ranges::sort(poison);
  std::ranges::sort(buried);
  EXPECT_EQ(buried, poison);
  EXPECT_EQ(conservation_gap(dead.counters()), 0);
}

struct LeakHunt {
  LeakHunt(WhenFull when_full, bool fifo, std::uint64_t seed)
      : random(seed),
        dead(line.queue({.name = "dead", .fifo = fifo})),
        queue(line.queue({.name = "q", .capacity = 300, .capacity_bytes = 100'000, .visibility_timeout_ms = 50, .max_receive_count = 3,
                          .retention_ms = 2000, .when_full = when_full, .fifo = fifo}, &dead)),
        publisher(line.publisher({&queue})),
        hands{&line.hand(queue, 5, 3), &line.hand(queue, 64, 3), &line.hand(queue, 17, 3)},
        dead_hand(line.hand(dead, 64)) {
    EXPECT_TRUE(line.open());
  }
  void send() {
    for (std::uint64_t n = random.next() % 40; n > 0; --n) {
      const std::string body(random.next() % 600, 'x'), group = std::to_string(random.next() % 12);
      publisher.append({.body = bytes_of(body), .parts = {.group_id = group}, .cookie = ++sent}, core::Admission::refuse);
    }
    publisher.flush(true);
  }
  /// Settles what it has in hand, in every way.
  static void settle(Hand& hand, core::Random& dice) {
    std::vector<Failure> failures;
    std::uint32_t count = 0;
    for (const core::Lease& lease : hand.consumer.leases()) {
      count += lease.count;
    }
    const bool cancelled = dice.next() % 8 == 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t fate = cancelled ? 0 : dice.next() % 12;
      if (fate < 4) {
        const auto status = fate == 3 ? Outcome::Status::reject : Outcome::Status::retry;
        const std::int64_t after = fate == 0 ? 0 : fate == 1 ? -1 : 30;
        failures.push_back({i, {status, after, "stage", "reason", ""}});
      }
    }
    hand.settle(std::move(failures));
  }
  void work(Hand& hand) {
    if (hand.consumer.leases().empty()) {
      hand.receive();
    } else if (random.next() % 8 == 0) {
      hand.consumer.extend();
    } else {
      settle(hand, random);
    }
  }
  void step() {
    switch (random.next() % 8) {
      case 0: case 1: send(); break;
      case 2: line.advance(static_cast<std::int64_t>(random.next() % 80)); break;
      case 3: line.letters.write_waiting(); break;
      case 4: if (random.next() % 32 == 0) queue.purge(); break;
      case 5: queue.sweep(line.timers.now_ms()); break;
      default: work(*hands[random.next() % 3]); break;
    }
  }
  /// A worker's: so many batches. Of some it extends the leases, others it keeps until all have expired.
  void work_through(Hand& hand, std::uint64_t batches, std::uint64_t seed) {
    core::Random way(seed), dice(~seed);
    for (std::uint64_t done = 0; done < batches;) {
      if (hand.consumer.receive(line.timers.now_tick()) == 0) {
        hand.consumer.idle();
        std::this_thread::yield();
        continue;
      }
      ++done;
      const std::uint64_t chosen = way.next() % 16;
      if (chosen < 4) {
        hand.consumer.extend();
      }
      while (chosen == 0 && !hand.consumer.has_lost_all()) {
        std::this_thread::yield();
      }
      settle(hand, dice);
    }
    hand.consumer.idle();
  }
  /// The ticker's and the letters' writer's. Now and then somebody purges.
  void tick(const std::atomic<bool>& over, std::uint64_t seed) {
    core::Random dice(seed);
    while (!over.load(std::memory_order_acquire)) {
      line.advance(1);
      line.letters.write_waiting();
      queue.sweep(line.timers.now_ms());
      if (dice.next() % 512 == 0) {
        queue.purge();
      }
      std::this_thread::yield();
    }
  }
  void come_to_rest() {
    publisher.close();
    for (int round = 0; round < 20; ++round) {
      for (Hand* hand : hands) {
        hand->settle();
        hand->drain();
      }
      line.letters.write_waiting();
      line.advance(100);
      dead_hand.drain();
    }
  }

  /// At rest.
  void expect_all_back() {
    for (Queue* each : {&queue, &dead}) {
      EXPECT_EQ(each->credits().messages(), each->options().capacity) << each->name();
      EXPECT_EQ(each->credits().units(), each->options().capacity_bytes / core::kCreditUnit) << each->name();
      const core::QueueCounters n = each->counters();
      EXPECT_EQ(conservation_gap(n), 0) << each->name();
      EXPECT_EQ(n.visible + n.in_flight + n.delayed, 0u) << each->name();
    }
    EXPECT_EQ(line.settled.messages(), queue.counters().sent);
    EXPECT_EQ(line.timers.ended_late(), line.timers.expired_leases());
  }

  core::Random random;
  Line line;
  Queue &dead, &queue;
  core::Publisher& publisher;
  Hand* hands[3];
  Hand& dead_hand;
  std::uint64_t sent = 0;
};

constexpr WhenFull kAllWays[] = {WhenFull::block, WhenFull::drop_new, WhenFull::drop_old, WhenFull::dead_letter};

/// `fifo`, and what the queue does when it is full.
class CreditLeak : public ::testing::TestWithParam<std::tuple<bool, WhenFull>> {
 protected:
  std::uint64_t seed() const { return 100 + 10 * std::get<0>(GetParam()) + static_cast<std::uint64_t>(std::get<1>(GetParam())); }

  LogLines quiet;
  LeakHunt hunt{std::get<1>(GetParam()), std::get<0>(GetParam()), seed()};
};

TEST_P(CreditLeak, there_is_none_whatever_is_cancelled_failed_expired_or_dropped) {
  for (std::uint64_t step = 0; step < scaled(20'000); ++step) {
    hunt.step();
  }
  const core::QueueCounters busy = hunt.queue.counters();
  hunt.come_to_rest();
  hunt.expect_all_back();
  EXPECT_GT(busy.moved_to_dead_letter + busy.expired + busy.dropped + busy.purged, 0u) << "the run was worth something";
  EXPECT_GT(hunt.line.timers.expirations(), 0u);
}

/// It sends where there is room, and now and then where there is none.
TEST_P(CreditLeak, there_is_none_where_three_workers_a_publisher_and_the_ticker_meet) {
  const std::uint64_t batches = scaled(2000);
  std::atomic<bool> over{false};
  std::atomic<int> working{3};
  std::thread ticker([&] { hunt.tick(over, seed() + 1); });
  std::vector<std::thread> workers;
  for (std::uint64_t i = 0; i < 3; ++i) {
    workers.emplace_back([this, &working, batches, i] {
      hunt.work_through(*hunt.hands[i], batches, 10 * seed() + i);
      working.fetch_sub(1);
    });
  }
  for (std::int64_t overflows_at = 0; working.load() != 0; std::this_thread::yield()) {
    const std::int64_t now = hunt.line.timers.now_tick();
    if (hunt.queue.credits().available() || now >= overflows_at) {
      hunt.send();
      overflows_at = now + 16;
    }
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  over.store(true, std::memory_order_release);
  ticker.join();
  EXPECT_EQ(hunt.line.errors, std::vector<std::string>{});
  hunt.come_to_rest();
  hunt.expect_all_back();
  EXPECT_GT(hunt.line.timers.expirations(), 0u) << "the run was worth something";
}

std::string name_of(const testing::TestParamInfo<std::tuple<bool, WhenFull>>& row) {
  const char* const ways[] = {"block", "drop_new", "drop_old", "dead_letter"};
  const auto [fifo, when_full] = row.param;
  return std::string(fifo ? "a_fifo_queue_" : "a_queue_") + ways[static_cast<std::size_t>(when_full)];
}

INSTANTIATE_TEST_SUITE_P(Of, CreditLeak, testing::Combine(testing::Bool(), testing::ValuesIn(kAllWays)), name_of);

}  // namespace
}  // namespace sluice::test
