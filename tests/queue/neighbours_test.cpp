// What a queue's messages lose by a bad neighbour: a poison message, a group that is stuck, a publisher
// that floods (reliability catalogue B5, B8, B10). Ratios, measured side by side in one run.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/rates.hpp"

namespace sluice::test {
namespace {

using core::Admission;
using core::Outcome;
using core::Queue;

constexpr std::string_view kPoison = "poison";

/// A queue whose poison is never handled: it fails, or it is left until its lease runs out.
struct Ward {
  enum class Poison { none, fails, is_left };
  static constexpr std::uint32_t kReceivesMax = 3;
  static constexpr std::uint64_t kGood = 4096;

  explicit Ward(Poison used_kind)
      : kind(used_kind),
        dead(line.queue({.name = "dead"})),
        queue(line.queue({.name = "q", .visibility_timeout_ms = 1000, .max_receive_count = kReceivesMax}, &dead)),
        publisher(line.publisher({&queue})),
        hand(line.hand(queue, 64)) {
    EXPECT_TRUE(line.open());
  }
  void publish(std::string_view body) {
    publisher.append({.body = bytes_of(body), .cookie = ++sent}, Admission::overdraw);
  }
  /// The good ones' time; the letters are the writer's work, whose thread is another.
  double round() {
    const double begin = cpu_seconds();
    for (std::uint64_t i = 0; i < kGood; ++i) {
      if (i == kGood / 2 && kind != Poison::none) {
        publish(kPoison);
      }
      publish("a body of some length, such as events have");
    }
    publisher.flush(true);
    while (work() != 0) {
    }
    const double seconds = cpu_seconds() - begin;
    for (std::uint32_t i = 0; kind == Poison::is_left && i <= kReceivesMax; ++i) {
      line.advance(1001);
      work();
    }
    hand.consumer.idle();
    line.letters.write_waiting();
    return seconds;
  }
  /// One batch.
  std::size_t work() {
    const std::uint32_t count = hand.consumer.receive(line.timers.now_tick());
    std::uint32_t message = 0;
    std::vector<core::Failure> failures;
    for (const core::Lease& lease : hand.consumer.leases()) {
      for (std::uint64_t left = lease.taken.mask; left != 0; left &= left - 1, ++message) {
        const auto body = lease.taken.chunk->body(core::lowest_bit(left));
        if (body.size() == kPoison.size()) {
          ++poison_receives;
          failures.push_back({message, {Outcome::Status::retry, kind == Poison::fails ? 0 : -1, "stage", "poison", ""}});
        }
      }
    }
    good += count - failures.size();
    hand.settle(std::move(failures));
    return count;
  }

  const Poison kind;
  LogLines quiet;  // each dead letter is a line
  Line line;
  Queue &dead, &queue;
  core::Publisher& publisher;
  Hand& hand;
  std::uint64_t sent = 0, good = 0, poison_receives = 0;
};

TEST(Poison, that_fails_or_is_left_costs_the_others_no_tenth_of_their_rate) {
  for (const Ward::Poison kind : {Ward::Poison::fails, Ward::Poison::is_left}) {
    Ward ill(kind), well(Ward::Poison::none);
    std::uint64_t rounds = 0;
    const double rate = rate_beside([&] { ++rounds; return ill.round(); }, [&] { return well.round(); });
    RecordProperty(kind == Ward::Poison::fails ? "fails" : "is_left", std::to_string(rate));
    EXPECT_GE(rate, rate_bar(0.9));
    EXPECT_EQ(ill.good, rounds * Ward::kGood);
    EXPECT_EQ(ill.poison_receives, rounds * Ward::kReceivesMax);
    EXPECT_EQ(ill.dead.counters().visible, rounds) << "each after its last receive, and once";
    EXPECT_EQ(conservation_gap(ill.queue.counters()), 0);
  }
}

/// 10 000 groups and eight consumers. One group may be stuck: its first message is in hand for good, and what comes
/// behind it waits.
struct Groups {
  static constexpr std::uint32_t kConsumers = 8, kWaiting = 10'000;

  explicit Groups(bool stuck)
      : count(std::max<std::uint64_t>(1000, scaled(10'000))),
        queue(line.queue({.name = "q", .capacity = 1'000'000, .capacity_bytes = std::int64_t{1} << 30, .fifo = true})),
        publisher(line.publisher({&queue})),
        holder(line.hand(queue, 1, kConsumers + 1)) {
    for (std::uint32_t i = 0; i < kConsumers; ++i) {
      hands.push_back(&line.hand(queue, 10, kConsumers + 1));
    }
    EXPECT_TRUE(line.open());
    if (stuck) {
      publish("stuck");
      publisher.flush(true);
      EXPECT_EQ(holder.receive().size(), 1u);
      for (std::uint32_t i = 0; i < kWaiting; ++i) {
        publish("stuck");
      }
      publisher.flush(true);
    }
    is_stuck = stuck;
  }
  ~Groups() {
    holder.settle();
    for (std::size_t before = 1; before != 0;) {
      before = holder.drain();
    }
  }
  void publish(const std::string& group) {
    publisher.append({.body = bytes_of("body"), .parts = {.group_id = group}, .cookie = ++sent}, Admission::overdraw);
  }
  /// A message in each of the others; consumers take turns.
  double round() {
    if (is_stuck) {
      publish("stuck");
    }
    const double begin = cpu_seconds();
    for (std::uint64_t i = 0; i < count; ++i) {
      publish(std::to_string(i));
    }
    publisher.flush(true);
    for (std::uint32_t quiet = 0, turn = 0; quiet < kConsumers; ++turn) {
      Hand& hand = *hands[turn % kConsumers];
      const std::uint32_t got = hand.consumer.receive(line.timers.now_tick());
      hand.settle();
      received += got;
      quiet = got == 0 ? quiet + 1 : 0;
    }
    return cpu_seconds() - begin;
  }

  Line line;
  const std::uint64_t count;
  Queue& queue;
  core::Publisher& publisher;
  Hand& holder;
  std::vector<Hand*> hands;
  bool is_stuck = false;
  std::uint64_t sent = 0, received = 0;
};

TEST(StuckGroup, costs_the_others_no_twentieth_of_their_rate) {
  Groups with(true), without(false);
  std::uint64_t rounds = 0;
  const double rate = rate_beside([&] { ++rounds; return with.round(); }, [&] { return without.round(); });
  RecordProperty("rate", std::to_string(rate));
  EXPECT_GE(rate, rate_bar(0.95));
  EXPECT_EQ(with.received, rounds * with.count) << "all of the others, none of the stuck one's";
  EXPECT_EQ(with.queue.counters().visible, Groups::kWaiting + rounds);
}

/// A publisher that sends a message now and then, beside one that may send a hundred times as much as it, which is
/// more than the consumer takes.
struct Market {
  Market(bool floods, std::uint32_t batch_size, std::int64_t capacity)
      : flooded(floods),
        queue(line.queue({.name = "q", .capacity = capacity})),
        small(line.publisher({&queue})),
        large(line.publisher({&queue})),
        hand(line.hand(queue, batch_size)) {
    EXPECT_TRUE(line.open());
  }
  ~Market() { hand.drain(); }
  bool publish(core::Publisher& who, std::string_view body) {
    const bool sent = who.append({.body = bytes_of(body), .cookie = 1}, Admission::refuse) == core::Publisher::Outcome::ok;
    who.flush(true);
    return sent;
  }
  void flood() {
    for (int i = 0; flooded && i < 100 && publish(large, "large"); ++i) {
      ++large_sent;
    }
  }
  /// How many batches the small publisher's messages wait, the one that brings them included: from when they are
  /// to be sent, were there credit.
  std::vector<std::uint64_t> waits(std::uint64_t messages) {
    core::Random random(7);
    std::vector<std::uint64_t> found;
    std::uint64_t now = 0, wanted_at = 0, received = 0;
    bool is_out = false;
    while (found.size() < messages && now < 1000 * messages) {  // or it is starved
      const bool large_first = random.next() % 2 == 0;
      if (large_first) {
        flood();
      }
      is_out = is_out || publish(small, "small");
      if (!large_first) {
        flood();
      }
      const std::vector<std::string> batch = hand.receive();
      hand.settle();
      received += batch.size();
      ++now;
      if (std::ranges::find(batch, "small") != batch.end()) {
        found.push_back(now - wanted_at);
        wanted_at = now;
        is_out = false;
      }
    }
    EXPECT_EQ(found.size(), messages) << "of " << received << " that were received";
    found.resize(messages, now);
    return found;
  }

  Line line;
  const bool flooded;
  Queue& queue;
  core::Publisher &small, &large;
  Hand& hand;
  std::uint64_t large_sent = 0;
};

std::uint64_t percentile_99(std::vector<std::uint64_t> values) {
  std::ranges::sort(values);
  return values[values.size() * 99 / 100];
}

TEST(Flood, of_one_publisher_at_most_doubles_the_wait_of_another) {
  const std::uint64_t messages = std::max<std::uint64_t>(300, scaled(3000));
  for (const std::int64_t capacity : {10'000'000, 500}) {
    for (const std::uint32_t batch_size : {1u, 10u, 64u}) {
      Market alone(false, batch_size, capacity), beside(true, batch_size, capacity);
      const std::uint64_t wait_alone = percentile_99(alone.waits(messages));
      const std::uint64_t wait_beside = percentile_99(beside.waits(messages));
      SCOPED_TRACE("capacity " + std::to_string(capacity) + ", batches of " + std::to_string(batch_size));
      RecordProperty("wait_" + std::to_string(capacity) + "_" + std::to_string(batch_size), std::to_string(wait_alone) + ":" + std::to_string(wait_beside));
      // In a full queue everybody waits for credit, and who gets some may publish a whole chunk.
      const std::uint64_t for_credit = capacity == 500 ? 2 * core::kChunkMessages / batch_size : 0;
      EXPECT_LE(wait_beside, 2 * wait_alone + for_credit);
      EXPECT_GE(beside.large_sent, messages) << "it was a flood";
    }
  }
}

}  // namespace
}  // namespace sluice::test
