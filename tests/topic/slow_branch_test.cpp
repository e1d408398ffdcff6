// A branch that takes a message a second beside some that take all, for ten minutes and more (reliability catalogue
// C2): what its siblings lose by it, and what slabs its messages keep from being used again. The seconds are those of
// a clock that the test moves, so ten minutes are as many rounds of publishing and receiving, at any length of the
// tests. The rate is a ratio: the same work beside a branch that is read, in turn, in the same run. That a sibling
// never waits for it in a whole engine, shows tests/pipeline/slow_branch_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "filter/policies.hpp"
#include "support/line.hpp"
#include "support/rates.hpp"

namespace sluice::test {
namespace {

using core::Admission;
using core::Chunk;
using core::Queue;
using core::WhenFull;

constexpr std::uint64_t kPerSecond = 192;
/// Ten minutes, at any length of the tests: of more rounds each would be so short that it begins and ends with what the
/// other side has left in the caches.
constexpr std::uint64_t kRounds = 21, kSecondsOfRound = 29;
constexpr std::uint64_t kOneIn = 50;                            // goes to a slow branch that has a filter policy
constexpr std::int64_t kCapacityBytes = std::int64_t{5} << 20;  // of a slow branch that does not block
constexpr std::int64_t kNeverFull = std::int64_t{64} << 20;
/// Of slabs, beyond what a slow branch is charged: those that are open, or in somebody's hand.
constexpr std::int64_t kBeside = 2 * core::ChunkPool::kSlabBytes[core::ChunkPool::kClasses - 1];

/// A slow branch and its siblings.
struct Fork {
  Fork(WhenFull when_full, bool filtered, bool slowly, std::uint32_t siblings = 1)
      : slow(line.queue({.name = "slow", .capacity = 10'000'000,
                         .capacity_bytes = when_full == WhenFull::block ? kNeverFull : kCapacityBytes, .when_full = when_full})),
        slow_hand(line.hand(slow, slowly ? 1 : 64)),
        is_slow(slowly) {
    std::vector<Queue*> queues{&slow};
    for (std::uint32_t i = 0; i < siblings; ++i) {
      queues.push_back(&line.queue({.name = "fast" + std::to_string(i)}));
      fast_hands.push_back(&line.hand(*queues.back(), 64));
    }
    publisher = &line.publisher(queues, never_waits());
    if (filtered) {
      std::vector<std::optional<core::FilterPolicy>> policies(queues.size());
      policies[0] = policy_of(R"({"for":["slow"]})", kAttributes);
      auto filter = core::TopicFilter::compile(std::move(policies));
      EXPECT_TRUE(filter.has_value());
      core::FilterUse use{*filter, std::vector<std::uint32_t>(queues.size()), {}};
      std::iota(use.subscriptions.begin(), use.subscriptions.end(), 0U);
      publisher->change_filter(std::move(use));
      publisher->wire_ready();
    }
    EXPECT_TRUE(line.open());
  }
  ~Fork() {
    slow_hand.settle();
    slow_hand.drain();
  }
  static core::PublisherOptions never_waits() {
    core::PublisherOptions options;
    options.wait.keep_on = [] {
      ADD_FAILURE() << "it waits";
      return false;
    };
    return options;
  }
  /// What the publisher and the siblings take for a second's messages. The other branch has its turn first: who comes last
  /// also acknowledges, and that is to be a sibling beside either.
  double second() {
    const double begin = cpu_seconds();
    for (std::uint64_t i = 0; i < kPerSecond; ++i) {
      publish(sent % kOneIn == 0);
    }
    publisher->flush(true);
    const double published = cpu_seconds();
    turn_slow();
    const double received_from = cpu_seconds();
    receive();
    const double end = cpu_seconds();
    look();
    line.advance(1000);
    return published - begin + (end - received_from);
  }
  void publish(bool to_both) {
    const sluice_attribute attribute{sizeof attribute, SLUICE_STRING, {"for", 3}, {"slow", 4}};
    const sluice_attribute* const attributes[] = {&attribute};
    publisher->append({.body = bytes_of("a body of some length, such as events have"),
                       .parts = {.attribute_count = to_both ? 1u : 0u, .attributes = attributes}, .cookie = ++sent},
                      Admission::wait);
  }
  /// The siblings' are all messages, so they see each slab that is used.
  void receive() {
    for (Hand* hand : fast_hands) {
      while (const std::uint32_t count = hand->consumer.receive(line.timers.now_tick())) {
        for (const core::Lease& lease : hand->consumer.leases()) {
          seen.push_back(lease.taken.chunk);
        }
        hand->settle();
        received += count;
      }
      hand->consumer.idle();
    }
  }
  /// The slow branch comes to the end of one message and begins the next, or takes all that is there.
  void turn_slow() {
    if (is_slow) {
      slow_hand.settle();
      slow_received += slow_hand.receive().size();
    } else {
      slow_received += slow_hand.drain();
    }
  }
  /// What the slow branch's messages are charged, and what the publisher has reserved there.
  std::int64_t charged_bytes() { return slow.options().capacity_bytes - slow.credits().units() * core::kCreditUnit; }
  void look() {
    most_charged = std::max(most_charged, charged_bytes());
    for (const Chunk* chunk : seen) {
      slabs.try_emplace(chunk, chunk->slab_bytes);
    }
    seen.clear();
  }
  /// A publisher goes round in some slabs however few are in use.
  void expect_slabs_within_credit() const {
    EXPECT_LE(slab_bytes(), std::max<std::int64_t>(core::ChunkPool::kRotation, most_charged) + kBeside);
  }
  std::int64_t slab_bytes() const {
    std::int64_t sum = 0;
    for (const auto& [chunk, bytes] : slabs) {
      sum += bytes;
    }
    return sum;
  }

  Line line;
  Queue& slow;
  Hand& slow_hand;
  const bool is_slow;
  core::Publisher* publisher = nullptr;
  std::vector<Hand*> fast_hands;
  std::int64_t most_charged = 0;
  std::vector<const Chunk*> seen;
  std::map<const Chunk*, std::uint32_t> slabs;  ///< every one that was ever used, with its bytes
  std::uint64_t sent = 0, received = 0, slow_received = 0;
};

struct Case {
  WhenFull when_full;
  bool filtered;
  std::uint32_t siblings;
};

/// Ten minutes of one pair of forks. What the siblings keep of their rate.
double ten_minutes(const Case& each, const std::string& name) {
  Fork beside_slow(each.when_full, each.filtered, true, each.siblings), beside_read(each.when_full, each.filtered, false, each.siblings);
  std::uint64_t seconds = 0;
  auto round = [&](Fork& fork) {
    double sum = 0;
    for (std::uint64_t second = 0; second < kSecondsOfRound; ++second) {
      sum += fork.second();
    }
    return sum;
  };
  const double rate = rate_beside([&] { seconds += kSecondsOfRound; return round(beside_slow); }, [&] { return round(beside_read); }, kRounds);
  testing::Test::RecordProperty("slabs_" + name, std::to_string(beside_slow.slab_bytes()) + ":" + std::to_string(beside_slow.most_charged));
  EXPECT_GE(seconds, 600u) << "ten minutes";
  EXPECT_EQ(beside_slow.slow_received, seconds) << "a message a second";
  EXPECT_EQ(beside_slow.received, beside_slow.sent * each.siblings);
  beside_slow.expect_slabs_within_credit();
  const core::QueueCounters counters = beside_slow.slow.counters();
  if (each.when_full == WhenFull::block) {
    EXPECT_EQ(counters.dropped, 0u);
  } else {
    EXPECT_LE(beside_slow.most_charged, kCapacityBytes + kBeside);
    EXPECT_GT(counters.dropped, 0u) << "it was full";
    EXPECT_GT(beside_slow.slab_bytes(), kCapacityBytes / 2) << "with slabs";
  }
  EXPECT_EQ(conservation_gap(counters), 0);
  return rate;
}

/// The median of several pairs: where their slabs lie in the caches is each pair's lot, and is worth a tenth.
TEST(SlowBranch, of_a_message_a_second_costs_its_siblings_no_twentieth_of_their_rate_and_no_slab_beyond_its_credit) {
  // Who drops the oldest for the newest ends one message for each that it publishes. That is work, if little: one sibling
  // that does nothing with its messages keeps 0.9 to 1 of its rate, and each of many loses less.
  for (const Case& each : {Case{WhenFull::block, false, 1}, Case{WhenFull::drop_new, false, 1}, Case{WhenFull::drop_old, false, 7},
                           Case{WhenFull::block, true, 1}, Case{WhenFull::drop_new, true, 1}, Case{WhenFull::drop_old, true, 7}}) {
    const std::string name = std::to_string(static_cast<int>(each.when_full)) + (each.filtered ? "_filtered" : "");
    SCOPED_TRACE("when_full " + name);
    std::vector<double> rates;
    for (std::uint64_t pair = 0; pair < 1 + scaled(10); ++pair) {
      rates.push_back(ten_minutes(each, name));
    }
    RecordProperty("rate_" + name, std::to_string(median(rates)));
    EXPECT_GE(median(rates), rate_bar(0.95));
  }
}

/// One message in 64 chunks is for it. What it has not taken when the log comes round is handed over to it.
TEST(SlowBranch, that_falls_further_behind_than_its_log_reaches_holds_no_slab_beyond_its_credit) {
  constexpr std::uint64_t kChunks = std::uint64_t{core::Log::kSegmentEntries} * core::Log::kDirectory * 5 / 2;
  Fork fork(WhenFull::drop_new, true, true);
  for (std::uint64_t chunk = 1; chunk <= kChunks; ++chunk) {
    for (std::uint64_t message = 0; message < 4; ++message) {
      fork.publish(message == 0 && chunk % 64 == 0);
    }
    fork.publisher->close();
    if (chunk % 16 == 0) {
      fork.receive();
      fork.look();
    }
  }
  EXPECT_GT(fork.slow.counters().visible, kChunks / 64 / 2) << "it fell behind";
  RecordProperty("slabs", std::to_string(fork.slab_bytes()) + ":" + std::to_string(fork.most_charged));
  EXPECT_LE(fork.most_charged, kCapacityBytes + kBeside);
  fork.expect_slabs_within_credit();
  EXPECT_EQ(fork.slow_hand.drain(), kChunks / 64 - fork.slow.counters().dropped);
  EXPECT_EQ(fork.line.settled.messages(), fork.sent);
  EXPECT_EQ(conservation_gap(fork.slow.counters()), 0);
}

}  // namespace
}  // namespace sluice::test
