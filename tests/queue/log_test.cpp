// The log: one entry for all branches, a cursor each.
#include <gtest/gtest.h>

#include <bit>
#include <deque>
#include <thread>

#include "base/random.hpp"
#include "queue/log.hpp"
#include "support/private_member.hpp"
#include "support/scale.hpp"

namespace sluice::test {

struct LogNumber {
  friend std::uint64_t core::Log::* member(LogNumber);
};
template struct PrivateMember<LogNumber, &core::Log::number_>;

namespace {

using core::Chunk;
using core::Cursor;
using core::Log;
using core::Taken;

/// Numbers of entries where 32 bits end, and where those end that an entry keeps of its number: enough for a million
/// entries a second for 8 years.
constexpr std::uint64_t kEndOf32Bits = std::uint64_t{1} << 32, kEndOfNumbers = (std::uint64_t{1} << 48) - 1;

/// Chunks are only names here: the log never looks into one.
Chunk* name(std::uint64_t number) { return reinterpret_cast<Chunk*>((number + 1) << 6); }

struct Branches {
  /// As if `first` entries had come and gone.
  explicit Branches(std::uint32_t count, std::uint64_t first = 0)
      : log(count),
        returned(count) {
    log.*member(LogNumber()) = first;
    for (std::uint32_t branch = 0; branch < count; ++branch) {
      Cursor& cursor = cursors.emplace_back(log, branch);
      cursor.position.store(first << 7, std::memory_order_relaxed);
      log.attach(cursor, [this, branch](Taken taken, std::int64_t units) {
        freed += units;
        if (taken.mask != 0) {
          returned[branch].push_back(taken);
        }
      });
    }
  }
  void publish(std::uint64_t number, std::uint64_t mask, std::uint32_t count = 64) {
    log.begin(name(number));
    for (std::uint32_t branch = 0; branch < cursors.size(); ++branch) {
      log.add_to_mask(branch, mask);
    }
    log.publish(count, true);
  }
  Taken take(std::uint32_t branch, std::uint32_t count_max = 64) {
    std::int64_t units = 0;
    const Taken taken = log.take(cursors[branch], count_max, &units);
    freed += units;
    return taken;
  }

  Log log;
  std::deque<Cursor> cursors;
  std::vector<std::vector<Taken>> returned;
  std::atomic<std::int64_t> freed{0};
};

void expect(Taken taken, std::uint64_t number, std::uint64_t mask) {
  EXPECT_EQ(taken.chunk, name(number));
  EXPECT_EQ(taken.mask, mask);
}

TEST(Log, a_sealed_entry_is_taken_once_per_branch) {
  Branches branches(3);
  EXPECT_FALSE(branches.log.has_news(branches.cursors[0]));
  branches.publish(1, ~0ull);
  for (std::uint32_t branch = 0; branch < 3; ++branch) {
    EXPECT_TRUE(branches.log.has_news(branches.cursors[branch]));
    expect(branches.take(branch), 1, ~0ull);
    EXPECT_EQ(branches.take(branch).mask, 0u);
    EXPECT_FALSE(branches.log.has_news(branches.cursors[branch]));
  }
}

TEST(Log, an_open_entry_is_taken_message_by_message_as_it_grows) {
  Branches branches(1);
  branches.log.begin(name(1));
  branches.log.add_to_mask(0, ~0ull);
  EXPECT_EQ(branches.take(0).mask, 0u) << "begun is not published";
  branches.log.publish(1, false);
  expect(branches.take(0), 1, 0b1);
  EXPECT_EQ(branches.take(0).mask, 0u);
  branches.log.publish(4, false);
  expect(branches.take(0, 2), 1, 0b110);
  branches.log.publish(64, true);
  expect(branches.take(0), 1, ~0ull << 3);
  branches.publish(2, 1, 1);
  expect(branches.take(0), 2, 1);
}

TEST(Log, an_open_entry_that_was_taken_whole_and_is_then_sealed_lets_the_cursor_pass) {
  Branches branches(1);
  branches.log.begin(name(1));
  branches.log.add_to_mask(0, ~0ull);
  branches.log.publish(64, false);
  expect(branches.take(0), 1, ~0ull);
  branches.log.publish(64, true);
  branches.publish(2, 1, 1);
  expect(branches.take(0), 2, 1);
}

TEST(Log, a_batch_takes_the_lowest_messages_and_leaves_the_rest_in_order) {
  Branches branches(1);
  branches.publish(1, 0xff0f, 16);
  expect(branches.take(0, 5), 1, 0x010f);
  expect(branches.take(0, 5), 1, 0x3e00);
  expect(branches.take(0, 5), 1, 0xc000);
  EXPECT_EQ(branches.take(0, 5).mask, 0u);
}

TEST(Log, a_branch_without_a_mask_passes_the_entry_by) {
  Branches branches(2);
  branches.log.begin(name(1));
  branches.log.add_to_mask(1, 0b11);
  branches.log.publish(2, true);
  branches.publish(2, 1, 1);
  expect(branches.take(0), 2, 1);
  expect(branches.take(1), 1, 0b11);
  expect(branches.take(1), 2, 1);
}

TEST(Log, masks_are_not_looked_at_above_the_published_count) {
  Branches branches(1);
  branches.publish(1, ~0ull, 3);
  expect(branches.take(0), 1, 0b111);
  EXPECT_EQ(branches.take(0).mask, 0u);
}

TEST(Log, runs_through_many_directories_when_everybody_keeps_up) {
  Branches branches(2);
  constexpr std::uint64_t kEntries = 3 * Log::kDirectory * Log::kSegmentEntries + 17;
  for (std::uint64_t number = 0; number < kEntries; ++number) {
    branches.publish(number, 1, 1);
    ASSERT_EQ(branches.take(0).chunk, name(number));
    ASSERT_EQ(branches.take(1).chunk, name(number));
  }
  EXPECT_TRUE(branches.returned[0].empty());
  EXPECT_TRUE(branches.returned[1].empty());
}

/// Logs whose numbers begin at 0, go over `end`, or come right up to it.
struct LogNumbers : testing::TestWithParam<std::uint64_t> {
  static std::uint64_t first_of(std::uint64_t entries) {
    return GetParam() == 0 ? 0 : GetParam() - (GetParam() == kEndOf32Bits ? entries / 2 : entries);
  }
};
INSTANTIATE_TEST_SUITE_P(End, LogNumbers, testing::Values(0, kEndOf32Bits, kEndOfNumbers));

TEST_P(LogNumbers, let_a_queue_that_is_a_directory_behind_be_handed_the_oldest_in_order_and_lose_nothing) {
  constexpr std::uint64_t kCapacity = Log::kDirectory * Log::kSegmentEntries;
  constexpr std::uint64_t kEntries = 2 * kCapacity + 100;
  Branches branches(3, first_of(kEntries));
  std::vector<Taken> some;  // branch 2 takes now and then
  for (std::uint64_t number = 0; number < kEntries; ++number) {
    branches.publish(number, 0b101, 3);
    ASSERT_EQ(branches.take(0).chunk, name(number));
    if (number % 3 == 0) {
      some.push_back(branches.take(2));
    }
  }
  for (std::uint32_t slow : {1u, 2u}) {
    EXPECT_GE(branches.returned[slow].size() + some.size(), kEntries - kCapacity);
    std::vector<Taken> seen = slow == 2 ? some : std::vector<Taken>();
    seen.insert(seen.end(), branches.returned[slow].begin(), branches.returned[slow].end());
    for (Taken taken = branches.take(slow); taken.mask != 0; taken = branches.take(slow)) {
      seen.push_back(taken);
    }
    ASSERT_EQ(seen.size(), kEntries) << slow;
    std::ranges::sort(seen, {}, &Taken::chunk);
    for (std::uint64_t number = 0; number < kEntries; ++number) {
      ASSERT_EQ(seen[number].chunk, name(number));
      ASSERT_EQ(seen[number].mask, 0b101u);
    }
  }
  EXPECT_TRUE(std::ranges::is_sorted(branches.returned[1], {}, &Taken::chunk));
}

/// What each branch still has to come, entry by entry.
struct Outstanding {
  std::deque<Taken> entries;

  /// The oldest, at most `count_max`, of one entry; not all that is there where another branch's receiver saw less.
  void expect(Taken taken, std::uint32_t count_max) {
    std::erase_if(entries, [this](const Taken& each) { return each.mask == 0 && &each != &entries.back(); });
    const std::uint64_t there = entries.empty() ? 0 : entries.front().mask;
    ASSERT_EQ(taken.mask == 0, there == 0);
    ASSERT_EQ(taken.mask, core::lowest_bits(there, std::min(count_max, core::bit_count(taken.mask))));
    if (there != 0) {
      ASSERT_EQ(taken.chunk, entries.front().chunk);
      entries.front().mask &= ~taken.mask;
    }
  }
};

/// Random masks, growing entries and batches.
TEST_P(LogNumbers, leave_each_branch_what_the_model_says) {
  constexpr std::uint32_t kCount = 3;
  constexpr std::uint64_t kEntries = 1000;
  Branches branches(kCount, first_of(kEntries));
  Outstanding outstanding[kCount];
  core::Random random(17);
  const auto take = [&](std::uint32_t branch) {
    const auto count_max = static_cast<std::uint32_t>(1 + random.next() % 64);
    const Taken taken = branches.take(branch, count_max);
    outstanding[branch].expect(taken, count_max);
    return taken.mask != 0 && !HasFatalFailure();
  };
  for (std::uint64_t number = 0; number < kEntries && !HasFatalFailure(); ++number) {
    std::uint64_t masks[kCount];
    branches.log.begin(name(number));
    for (std::uint32_t branch = 0; branch < kCount; ++branch) {
      masks[branch] = random.next() % 4 == 0 ? 0 : random.next();
      branches.log.add_to_mask(branch, masks[branch]);
      outstanding[branch].entries.push_back({name(number), 0});
    }
    for (std::uint32_t before = 0, count = 0; before < 64; before = count) {
      count = std::min<std::uint32_t>(64, before + 1 + static_cast<std::uint32_t>(random.next() % 64));
      branches.log.publish(count, count == 64);
      for (std::uint32_t branch = 0; branch < kCount; ++branch) {
        outstanding[branch].entries.back().mask |= masks[branch] & core::mask_between(before, count);
        for (std::uint64_t takes = random.next() % 4; takes > 0; --takes) {
          take(branch);
        }
      }
    }
  }
  for (std::uint32_t branch = 0; branch < kCount; ++branch) {
    while (take(branch)) {
    }
    EXPECT_FALSE(branches.log.has_news(branches.cursors[branch]));
  }
}

TEST(Log, entries_that_a_slow_branch_does_not_have_are_not_handed_over) {
  Branches branches(2);
  for (std::uint64_t number = 0; number < Log::kDirectory * Log::kSegmentEntries + 200; ++number) {
    branches.log.begin(name(number));
    branches.log.add_to_mask(0, 1);
    branches.log.publish(1, true);
    branches.take(0);
  }
  EXPECT_TRUE(branches.returned[1].empty());
  EXPECT_EQ(branches.take(1).mask, 0u);
}

TEST(Log, a_remainder_comes_back_once_when_the_cursor_passes_its_entry) {
  Branches branches(2);
  branches.log.begin(name(0));
  branches.log.add_to_mask(0, 0b11);
  branches.log.publish(1, false);
  expect(branches.take(0), 0, 0b1);
  branches.log.set_remainder(0, 7);
  branches.log.set_remainder(1, 0);
  branches.log.publish(2, true, true);
  EXPECT_EQ(branches.freed, 0);
  EXPECT_EQ(branches.take(1).mask, 0u);
  EXPECT_EQ(branches.freed, 0) << "the other branch passed it";
  expect(branches.take(0), 0, 0b10);
  EXPECT_EQ(branches.freed, 7);
  EXPECT_EQ(branches.take(0).mask, 0u);
  EXPECT_EQ(branches.freed, 7);
}

TEST(Log, a_log_without_branches_takes_any_number_of_entries) {
  Log log(0);
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    log.begin(name(number));
    log.publish(1, true);
  }
}

/// Over the end of 32 bits every message of every entry reaches each branch exactly once, by several receivers per branch, while
/// the publisher mixes sealed chunks and single messages and overtakes a branch that starts late. An entry is at least 4.75
/// operations: 2.75 publishes and, on each branch, something taken.
struct Race {
  static constexpr std::uint32_t kBranches = 2, kReceivers = 2;
  explicit Race(std::uint64_t entry_count)
      : entries(entry_count),
        branches(kBranches, kEndOf32Bits - entry_count / 2),
        seen(kBranches) {
    for (auto& masks : seen) {
      masks = std::vector<std::atomic<std::uint8_t>>(entries);
    }
  }
  void note(std::uint32_t branch, Taken taken) {
    std::uint64_t number = (reinterpret_cast<std::uint64_t>(taken.chunk) >> 6) - 1;
    std::uint64_t before = seen[branch][number].fetch_or(static_cast<std::uint8_t>(taken.mask), std::memory_order_relaxed);
    twice += (before & taken.mask) != 0 ? 1 : 0;
    left[branch] -= static_cast<std::int64_t>(std::popcount(taken.mask));
  }
  void publish() {
    for (std::uint64_t number = 0; number < entries; ++number) {
      branches.log.begin(name(number));
      for (std::uint32_t branch = 0; branch < kBranches; ++branch) {
        branches.log.add_to_mask(branch, ~0ull);
      }
      for (std::uint32_t count = 1; number % 4 == 0 && count < 8; ++count) {
        branches.log.publish(count, false);
      }
      branches.log.publish(8, true);
    }
  }
  void receive(std::uint32_t branch, std::uint32_t batch) {
    while (left[branch].load(std::memory_order_relaxed) > 0) {
      Taken taken = branches.take(branch, batch);
      if (taken.mask != 0) {
        note(branch, taken);
      } else {
        std::this_thread::yield();
      }
    }
  }

  const std::uint64_t entries;
  Branches branches;
  std::vector<std::vector<std::atomic<std::uint8_t>>> seen;
  std::atomic<std::int64_t> left[kBranches];
  std::atomic<std::uint64_t> twice{0};
};

TEST(Log, competing_receivers_get_each_message_exactly_once) {
  Race race(scaled(2'000'000));
  for (std::uint32_t branch = 0; branch < Race::kBranches; ++branch) {
    race.left[branch] = static_cast<std::int64_t>(race.entries * 8);
    race.branches.log.attach(race.branches.cursors[branch], [&race, branch](Taken taken, std::int64_t) { race.note(branch, taken); });
  }
  std::vector<std::thread> threads;
  for (std::uint32_t branch = 0; branch < Race::kBranches; ++branch) {
    for (std::uint32_t receiver = 0; receiver < Race::kReceivers; ++receiver) {
      threads.emplace_back([&race, branch, receiver] { race.receive(branch, receiver == 0 ? 3 : 64); });
    }
  }
  race.publish();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(race.twice.load(), 0u);
  for (auto& masks : race.seen) {
    EXPECT_TRUE(std::ranges::all_of(masks, [](auto& mask) { return mask.load() == 0xff; }));
  }
}

}  // namespace
}  // namespace sluice::test
