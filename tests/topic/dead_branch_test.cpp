// A branch that nobody reads, among 3, 8 and 64: what its siblings lose by it, before it is full and
// after. Measured as a ratio: the same work with and without the dead branch, in turn, in the same run.
#include <gtest/gtest.h>

#include "support/line.hpp"
#include "support/log_lines.hpp"
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
      letters = *dead_branch == WhenFull::dead_letter ? &line.queue({.name = "letters"}) : nullptr;
      dead = &line.queue({.name = "dead", .capacity = capacity, .when_full = *dead_branch}, letters);
    } else {
      dead = &line.queue({.name = "alive"});
      is_read = true;
    }
    queues.push_back(dead);
    core::PublisherOptions options;
    options.wait.keep_on = [] {
      ADD_FAILURE() << "it waits";
      return false;
    };
    publisher = &line.publisher(queues, std::move(options));
    for (std::uint32_t i = 0; i + 1 < branches; ++i) {
      siblings.push_back(&line.hand(*queues[i], 64));
    }
    last = &line.hand(*dead, 64);
    letters_hand = letters != nullptr ? &line.hand(*letters, 64) : nullptr;
    EXPECT_TRUE(line.open());
  }
  ~Fan() { last->drain(); }
  void publish(std::uint64_t messages) {
    for (std::uint64_t i = 0; i < messages; ++i) {
      publisher->append({.body = bytes_of("a body of some length, such as events have"), .cookie = ++sent}, Admission::wait);
    }
    publisher->flush(true);
  }
  /// What the siblings take for so many messages, publishing included. A branch that is read has its turn first: who comes
  /// last also acknowledges, and that is to be a sibling beside either.
  double round(std::uint64_t messages) {
    const double begin = cpu_seconds();
    publish(messages);
    const double published = cpu_seconds();
    if (is_read) {
      last->drain();
    }
    const double received_from = cpu_seconds();
    for (Hand* hand : siblings) {
      received += hand->drain();
    }
    own_seconds = cpu_seconds() - received_from;
    return published - begin + own_seconds;
  }
  /// What the letters' writer takes for all that waits. They are taken away then: the storage copies its files.
  double store() {
    const double begin = cpu_seconds();
    line.letters.write_waiting();
    const double seconds = cpu_seconds() - begin;
    letters_taken += letters_hand->drain();
    line.letters.write_waiting();
    return seconds;
  }

  Line line;
  core::Publisher* publisher = nullptr;
  std::vector<Hand*> siblings;
  Hand *last = nullptr, *letters_hand = nullptr;
  Queue *dead = nullptr, *letters = nullptr;
  std::uint64_t sent = 0, received = 0, letters_taken = 0;
  bool is_read = false;    ///< the last branch
  double own_seconds = 0;  ///< the siblings' part of the last round
};

/// The siblings' rate beside the dead branch, as a part of that beside one that is read (outside the time).
double siblings_rate(Fan& dead, Fan& alive) {
  constexpr std::uint64_t kMessages = 512;
  return rate_beside([&] { return dead.round(kMessages); }, [&] { return alive.round(kMessages); });
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

/// Every message is copied and stored: no sibling is faster than its topic's letters are written, and the storage in
/// memory here is faster than any disk. Publisher and siblings work beside the writer, so they keep nine tenths of
/// their rate or, where that is less, of the writer's; and what the siblings do themselves is no dearer than before.
TEST(DeadBranch, that_is_full_and_dead_letters_costs_its_siblings_no_tenth_of_their_rate_or_of_the_writers) {
  constexpr std::uint64_t kMessages = 512;
  const WhenFull dead_letter = WhenFull::dead_letter;
  for (const std::uint32_t branches : {3u, 8u, 64u}) {
    LogLines quiet;
    Fan dead(branches, &dead_letter, 4 * kMessages), alive(branches, nullptr);
    dead.round(5 * kMessages);
    double writer = dead.store(), own = 0;
    auto with = [&] {
      const double seconds = dead.round(kMessages);
      own = dead.own_seconds;
      writer = dead.store();
      return seconds;
    };
    const double rate = rate_beside(with, [&] { return std::max(alive.round(kMessages), writer); });
    const double own_rate = rate_beside([&] { with(); return own; }, [&] { alive.round(kMessages); return alive.own_seconds; });
    RecordProperty("rate_" + std::to_string(branches), std::to_string(rate));
    RecordProperty("own_rate_" + std::to_string(branches), std::to_string(own_rate));
    EXPECT_GE(rate, kRateMin) << branches;
    EXPECT_GE(own_rate, kRateMin) << branches;
    EXPECT_EQ(dead.received, dead.sent * (branches - 1));
    const core::QueueCounters counters = dead.dead->counters();
    EXPECT_GE(counters.visible, 4 * kMessages);
    EXPECT_LE(counters.visible, 4 * kMessages + core::kChunkMessages) << "some credit admits a whole chunk";
    EXPECT_EQ(counters.moved_to_dead_letter, dead.sent - counters.visible);
    EXPECT_EQ(dead.letters_taken, counters.moved_to_dead_letter) << "each was stored, and came to its queue";
    EXPECT_EQ(conservation_gap(counters), 0);
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
