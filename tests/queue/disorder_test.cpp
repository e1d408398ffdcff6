// A queue under every kind of trouble at once: poison, cancelled batches, expiries, drops. What is good
// gets through, what is not is where it belongs, and all credit comes back.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

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
