// How acknowledgements move the mark, and what a restart then reads.
#include "lines/progress.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

namespace sluice::lines {
namespace {

using Ranges = std::vector<Range>;

TEST(Progress, the_mark_moves_over_acknowledged_lines_in_order_only) {
  Progress progress({});
  const std::uint64_t a = progress.emitted({0, 10}, 1);
  const std::uint64_t b = progress.emitted({10, 20}, 2);
  const std::uint64_t c = progress.emitted({20, 30}, 3);
  EXPECT_EQ(progress.position(), (Position{0, 1, {}}));

  progress.settled(b);
  progress.settled(c);
  EXPECT_EQ(progress.position(), (Position{0, 1, Ranges{{10, 30}}}));
  EXPECT_EQ(progress.in_hand(), 1U);

  progress.settled(a);
  EXPECT_EQ(progress.position(), (Position{30, 4, {}}));
  progress.settled(a);  // told twice, or of an unknown one: nothing
  progress.settled(99);
  EXPECT_EQ(progress.position(), (Position{30, 4, {}}));
}

TEST(Progress, a_line_that_was_passed_over_holds_up_nothing_and_needs_no_memory) {
  Progress progress({});
  progress.passed({0, 5}, 1);
  EXPECT_EQ(progress.position(), (Position{5, 2, {}}));
  const std::uint64_t line = progress.emitted({5, 10}, 2);
  progress.passed({10, 11}, 3);
  EXPECT_EQ(progress.position(), (Position{5, 2, {}}));
  progress.settled(line);
  EXPECT_EQ(progress.position(), (Position{11, 4, {}}));
}

TEST(Progress, a_line_that_the_host_refused_holds_up_nothing) {
  Progress progress({});
  progress.emitted({0, 10}, 1);
  progress.refused();
  progress.passed({0, 10}, 1);
  EXPECT_EQ(progress.position(), (Position{10, 2, {}}));
  EXPECT_EQ(progress.in_hand(), 0U);
}

/// Any order of acknowledgements, any number of restarts: an acknowledged line is not read again,
/// and no other is left out.
TEST(Progress, restarts_read_exactly_what_was_not_acknowledged) {
  EXPECT_TRUE(rc::check("restarts", [] {
    constexpr std::uint64_t kLines = 40, kBytes = 10;
    std::set<std::uint64_t> acknowledged;
    Position position;
    for (int run = 0; run < 4; ++run) {
      Progress progress(position);
      std::map<std::uint64_t, std::uint64_t> begin_of;
      const auto stop = *rc::gen::inRange<std::uint64_t>(0, kLines + 1);
      for (std::uint64_t at = position.offset; at < stop * kBytes; at += kBytes) {
        const Range line{at, at + kBytes};
        RC_ASSERT(progress.was_done(line) == acknowledged.contains(at));
        if (acknowledged.contains(at)) {
          progress.skipped(line, at / kBytes + 1);
        } else {
          begin_of[progress.emitted(line, at / kBytes + 1)] = at;
        }
      }
      for (const auto& [cookie, begin] : begin_of) {
        if (*rc::gen::arbitrary<bool>()) {
          progress.settled(cookie);
          acknowledged.insert(begin);
        }
      }
      position = progress.position();
      for (std::uint64_t at = 0; at < position.offset; at += kBytes)
        RC_ASSERT(acknowledged.contains(at));
      RC_ASSERT(position.line == position.offset / kBytes + 1);
    }
  }));
}

TEST(Progress, a_line_that_has_become_longer_was_not_done) {
  Progress progress(Position{0, 1, {{10, 15}}});
  EXPECT_FALSE(progress.was_done({0, 10}));
  EXPECT_FALSE(progress.was_done({10, 18}));
  EXPECT_TRUE(progress.was_done({10, 15}));
}

TEST(Progress, what_is_done_stands_behind_the_offset) {
  Progress progress(Position{0, 1, {{2, 5}, {20, 30}}});
  progress.settled(progress.emitted({0, 9}, 1));
  EXPECT_EQ(progress.position(), (Position{9, 2, {{20, 30}}}));
}

TEST(Progress, a_position_holds_a_limited_number_of_ranges) {
  Progress progress({});
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const std::uint64_t cookie = progress.emitted({i * 10, i * 10 + 10}, i + 1);
    if (i % 2 == 1)
      progress.settled(cookie);
  }
  EXPECT_EQ(progress.position(1000).done.size(), 1000U);
  EXPECT_EQ(progress.position().done.size(), 1500U) << "one for each line in hand";
}

TEST(Progress, a_line_in_hand_for_long_keeps_no_entry_of_those_acknowledged_behind_it) {
  Progress progress({});
  progress.emitted({0, 10}, 1);
  for (std::uint64_t i = 1; i < 1000; ++i) {
    progress.settled(progress.emitted({i * 10, i * 10 + 10}, i + 1));
    ASSERT_LE(progress.entries(), 2 * progress.in_hand() + Progress::kWaitingMax);
  }
  EXPECT_EQ(progress.position(), (Position{0, 1, Ranges{{10, 10'000}}}));
}

}  // namespace
}  // namespace sluice::lines
