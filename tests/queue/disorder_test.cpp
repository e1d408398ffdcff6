// A queue under every kind of trouble at once: poison, cancelled batches, expiries, drops. What is good
// gets through, what is not is where it belongs, and all credit comes back.
#include <gtest/gtest.h>

#include <algorithm>

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

/// Half of all messages always fail, and come back at once.
TEST(PoisonStorm, starves_no_good_message_and_ends_in_the_dead_letters_to_the_last) {
  constexpr std::uint32_t kReceivesMax = 3;
  LogLines quiet;  // each dead letter is a line
  Line line;
  Queue& dead = line.queue({.name = "dead"});
  Queue& queue = line.queue({.name = "q", .max_receive_count = kReceivesMax}, &dead);
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 7);
  ASSERT_TRUE(line.open());
  const std::uint64_t pairs = scaled(4000);
  std::uint64_t good = 0, receives = 0, receives_at_last_good = 0;
  for (std::uint64_t i = 0; i < pairs; ++i) {
    for (const char* kind : {"poison", "good"}) {
      publisher.append({.body = bytes_of(kind), .cookie = 2 * i + (kind[0] == 'g')}, core::Admission::overdraw);
    }
  }
  publisher.flush(true);
  for (std::vector<std::string> batch = hand.receive(); !batch.empty() || queue.counters().visible != 0; batch = hand.receive()) {
    receives += batch.size();
    const auto fine = static_cast<std::uint64_t>(std::ranges::count(batch, "good"));
    good += fine;
    receives_at_last_good = fine != 0 ? receives : receives_at_last_good;
    hand.settle(fail_all(batch, 'p', {Outcome::Status::retry, 0, "stage", "poison", ""}));
    line.letters.write_waiting();
  }
  hand.consumer.idle();
  line.letters.write_waiting();
  EXPECT_EQ(good, pairs);
  EXPECT_LE(receives_at_last_good, pairs * (1 + kReceivesMax)) << "no good one waits for more than all receives of all poison";
  EXPECT_EQ(receives, pairs * (1 + kReceivesMax)) << "each poison is received as often as allowed, and not once more";
  EXPECT_EQ(queue.counters().moved_to_dead_letter, pairs);
  EXPECT_EQ(dead.counters().visible, pairs);
  EXPECT_EQ(line.settled.messages(), 2 * pairs);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
  EXPECT_EQ(conservation_gap(dead.counters()), 0);
}

struct LeakHunt {
  LeakHunt(WhenFull when_full, std::uint64_t seed)
      : random(seed),
        dead(line.queue({.name = "dead"})),
        queue(line.queue({.name = "q", .capacity = 300, .capacity_bytes = 100'000, .visibility_timeout_ms = 50, .max_receive_count = 3,
                          .retention_ms = 2000, .when_full = when_full}, &dead)),
        publisher(line.publisher({&queue})),
        hands{&line.hand(queue, 5, 2), &line.hand(queue, 64, 2)},
        dead_hand(line.hand(dead, 64)) {
    EXPECT_TRUE(line.open());
  }
  void send() {
    for (std::uint64_t n = random.next() % 40; n > 0; --n) {
      const std::string body(random.next() % 600, 'x');
      publisher.append({.body = bytes_of(body), .cookie = ++sent}, core::Admission::refuse);
    }
    publisher.flush(true);
  }
  void work(Hand& hand) {
    if (hand.consumer.leases().empty()) {
      hand.receive();
      return;
    }
    std::vector<Failure> failures;
    std::uint32_t count = 0;
    for (const core::Lease& lease : hand.consumer.leases()) {
      count += lease.count;
    }
    const bool cancelled = random.next() % 8 == 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t dice = cancelled ? 0 : random.next() % 12;
      if (dice < 4) {
        const auto status = dice == 3 ? Outcome::Status::reject : Outcome::Status::retry;
        const std::int64_t after = dice == 0 ? 0 : dice == 1 ? -1 : 30;
        failures.push_back({i, {status, after, "stage", "reason", ""}});
      }
    }
    hand.settle(std::move(failures));
  }
  void step() {
    switch (random.next() % 8) {
      case 0: case 1: send(); break;
      case 2: line.advance(static_cast<std::int64_t>(random.next() % 80)); break;
      case 3: line.letters.write_waiting(); break;
      case 4: if (random.next() % 32 == 0) queue.purge(); break;
      case 5: queue.sweep(line.timers.now_ms()); break;
      default: work(*hands[random.next() % 2]); break;
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

  core::Random random;
  Line line;
  Queue &dead, &queue;
  core::Publisher& publisher;
  Hand* hands[2];
  Hand& dead_hand;
  std::uint64_t sent = 0;
};

TEST(CreditLeak, there_is_none_whatever_is_cancelled_failed_expired_or_dropped) {
  LogLines quiet;
  std::uint64_t seed = 100;
  for (const WhenFull when_full : {WhenFull::block, WhenFull::drop_new, WhenFull::drop_old, WhenFull::dead_letter}) {
    LeakHunt hunt(when_full, ++seed);
    for (std::uint64_t step = 0; step < scaled(20'000); ++step) {
      hunt.step();
    }
    const core::QueueCounters busy = hunt.queue.counters();
    hunt.come_to_rest();
    SCOPED_TRACE("seed " + std::to_string(seed));
    for (const Queue* each : {&hunt.queue, &hunt.dead}) {
      core::Credits& credits = const_cast<Queue*>(each)->credits();
      EXPECT_EQ(credits.messages(), each->options().capacity) << each->name();
      EXPECT_EQ(credits.units(), each->options().capacity_bytes / core::kCreditUnit) << each->name();
      EXPECT_EQ(conservation_gap(each->counters()), 0) << each->name();
      EXPECT_EQ(each->counters().visible + each->counters().in_flight + each->counters().delayed, 0u) << each->name();
    }
    EXPECT_EQ(hunt.line.settled.messages(), hunt.queue.counters().sent);
    EXPECT_GT(busy.moved_to_dead_letter + busy.expired + busy.dropped + busy.purged, 0u) << "the run was worth something";
    EXPECT_GT(hunt.line.timers.expirations(), 0u);
  }
}

}  // namespace
}  // namespace sluice::test
