// A branch that nobody reads, among 3, 8 and 64: what its siblings lose by it, before it is full and
// after. Measured as a ratio: the same work with and without the dead branch, in turn, in the same run.
#include <gtest/gtest.h>

#include "support/line.hpp"
#include "support/rates.hpp"

namespace sluice::test {
namespace {

using core::Admission;
using core::Queue;
using core::WhenFull;

constexpr double kRateMin = rate_bar(0.9);

/// A topic whose last branch may be dead.
struct Fan {
  Fan(std::uint32_t branches, const WhenFull* dead_branch, std::int64_t capacity = 1'000'000) {
    std::vector<Queue*> queues;
    for (std::uint32_t i = 0; i + 1 < branches; ++i) {
      queues.push_back(&line.queue({.name = "q" + std::to_string(i)}));
    }
    if (dead_branch != nullptr) {
      dead = &line.queue({.name = "dead", .capacity = capacity, .when_full = *dead_branch});
    } else {
      dead = &line.queue({.name = "alive"});
    }
    queues.push_back(dead);
    publisher = &line.publisher(queues);
    for (std::uint32_t i = 0; i + 1 < branches; ++i) {
      siblings.push_back(&line.hand(*queues[i], 64));
    }
    last = &line.hand(*dead, 64);
    EXPECT_TRUE(line.open());
  }
  ~Fan() { last->drain(); }
  void publish(std::uint64_t messages) {
    for (std::uint64_t i = 0; i < messages; ++i) {
      publisher->append({.body = bytes_of("a body of some length, such as events have"), .cookie = ++sent}, Admission::wait);
    }
    publisher->flush(true);
  }
  /// What the siblings take for so many messages.
  double round(std::uint64_t messages) {
    const double begin = cpu_seconds();
    publish(messages);
    for (Hand* hand : siblings) {
      received += hand->drain();
    }
    return cpu_seconds() - begin;
  }

  Line line;
  core::Publisher* publisher = nullptr;
  std::vector<Hand*> siblings;
  Hand* last = nullptr;
  Queue* dead = nullptr;
  std::uint64_t sent = 0, received = 0;
};

/// The siblings' rate beside the dead branch, as a part of that beside one that is read (outside the time).
double siblings_rate(Fan& dead, Fan& alive) {
  constexpr std::uint64_t kMessages = 512;
  return rate_beside(
      [&] {
        const double seconds = dead.round(kMessages);
        alive.last->drain();
        return seconds;
      },
      [&] {
        const double seconds = alive.round(kMessages);
        alive.last->drain();
        return seconds;
      });
}

TEST(DeadBranch, costs_its_siblings_no_tenth_of_their_rate_until_it_is_full) {
  const WhenFull block = WhenFull::block;
  for (const std::uint32_t branches : {3u, 8u, 64u}) {
    Fan dead(branches, &block), alive(branches, nullptr);
    EXPECT_GE(siblings_rate(dead, alive), kRateMin) << branches;
    EXPECT_EQ(dead.received, dead.sent * (branches - 1));
    EXPECT_EQ(dead.dead->counters().visible, dead.sent);
  }
}

TEST(DeadBranch, that_is_full_and_drops_costs_its_siblings_no_tenth_of_their_rate) {
  for (const WhenFull when_full : {WhenFull::drop_new, WhenFull::drop_old}) {
    for (const std::uint32_t branches : {3u, 8u, 64u}) {
      Fan dead(branches, &when_full, 256), alive(branches, nullptr);
      dead.round(512);
      const double rate = siblings_rate(dead, alive);
      EXPECT_GE(rate, kRateMin) << "when_full " << static_cast<int>(when_full) << ", 1->" << branches;
      EXPECT_EQ(dead.received, dead.sent * (branches - 1));
      EXPECT_EQ(conservation_gap(dead.dead->counters()), 0);
    }
  }
}

TEST(DeadBranch, that_blocks_stops_its_source_and_lets_it_go_on_when_it_is_read) {
  const WhenFull block = WhenFull::block;
  for (const std::uint32_t branches : {3u, 8u, 64u}) {
    Fan fan(branches, &block, 256);
    auto emit = [&fan] {
      return fan.publisher->append({.body = bytes_of("a"), .cookie = fan.sent + 1}, Admission::refuse) == core::Publisher::Outcome::ok;
    };
    for (int i = 0; i < 2000 && emit(); ++i) {
      ++fan.sent;
    }
    fan.publisher->flush(true);
    EXPECT_LE(fan.sent, 256u + core::kChunkMessages) << "its capacity, and the chunk that was begun";
    EXPECT_FALSE(emit()) << "and it stays so";
    for (Hand* hand : fan.siblings) {
      EXPECT_EQ(hand->drain(), fan.sent) << "what was sent is everybody's";
    }
    EXPECT_FALSE(emit());
    fan.last->drain();
    EXPECT_TRUE(emit()) << "at once";
    ++fan.sent;
    fan.publisher->flush(true);
    for (Hand* hand : fan.siblings) {
      EXPECT_EQ(hand->drain(), 1u);
    }
    EXPECT_EQ(fan.last->drain(), 1u);
    EXPECT_EQ(fan.line.settled.count(), fan.sent);
  }
}

}  // namespace
}  // namespace sluice::test
