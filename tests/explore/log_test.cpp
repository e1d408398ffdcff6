// The log: one publisher, receivers that compete. Each message goes to exactly one receiver of each
// branch; segments come round again under receivers that are late. (Explored, a segment has 2 entries
// and the directory 2 segments.)
#include <deque>
#include <map>

#include "explore/verify.hpp"
#include "queue/log.hpp"

namespace sluice::explore {
namespace {

using core::Chunk;
using core::Log;
using core::Taken;

/// Chunks are only names here: the log never looks into one.
Chunk* name(std::uint64_t number) { return reinterpret_cast<Chunk*>((number + 1) << 6); }

struct Branches {
  Branches(Trial& used_trial, std::uint32_t count)
      : trial(used_trial), log(count), seen(count) {
    for (std::uint32_t branch = 0; branch < count; ++branch) {
      log.attach(cursors.emplace_back(log, branch), [this, branch](Taken taken, std::int64_t units) {
        freed += units;
        note(branch, taken);
      });
    }
  }
  void note(std::uint32_t branch, Taken taken) {
    std::uint64_t& mask = seen[branch][taken.chunk];
    trial.expect((mask & taken.mask) == 0, "nobody gets what another got");
    mask |= taken.mask;
  }
  /// Messages that were taken.
  std::uint32_t take(std::uint32_t branch, std::uint32_t count_max = 64) {
    const Taken taken = log.take(cursors[branch], count_max, &freed);
    if (taken.mask != 0) {
      note(branch, taken);
    }
    return core::bit_count(taken.mask);
  }
  void begin(std::uint64_t number) {
    log.begin(name(number));
    for (std::uint32_t branch = 0; branch < cursors.size(); ++branch) {
      log.add_to_mask(branch, ~0ull);
    }
  }
  void publish(std::uint64_t number, std::uint32_t count = 1) {
    begin(number);
    log.publish(count, true);
  }
  void expect_all(std::uint64_t entries, std::uint64_t mask) {
    for (std::uint32_t branch = 0; branch < cursors.size(); ++branch) {
      while (take(branch) != 0) {
      }
      for (std::uint64_t number = 0; number < entries; ++number) {
        trial.expect(seen[branch][name(number)] == mask, "everything reaches each branch");
      }
      trial.expect(seen[branch].size() == entries, "nothing else does");
      trial.expect(!log.has_news(cursors[branch]), "then there is no news");
    }
  }

  Trial& trial;
  Log log;
  std::deque<core::Cursor> cursors;
  std::vector<std::map<Chunk*, std::uint64_t>> seen;
  std::int64_t freed = 0;
};

void two_receivers(Trial& trial) {
  Branches branches(trial, 1);
  trial.threads({[&] {
                   branches.begin(0);
                   branches.log.publish(1, false);
                   branches.log.publish(2, true);
                 },
                 [&] { branches.take(0, 1); branches.take(0); },
                 [&] { branches.take(0); }});
  branches.expect_all(1, 0b11);
}

TEST(Log, gives_each_message_of_a_growing_entry_to_one_of_two_receivers) { verify(two_receivers); }

TEST(Log, shows_every_branch_every_message) {
  verify([](Trial& trial) {
    Branches branches(trial, 2);
    branches.publish(0, 2);
    trial.threads({[&] { branches.publish(1, 2); }, [&] { branches.take(0); branches.take(0); }, [&] { branches.take(1); }});
    branches.expect_all(2, 0b11);
  });
}

TEST(Log, takes_a_segment_again_only_when_every_receiver_is_done_with_it) {
  verify([](Trial& trial) {
    Branches branches(trial, 1);
    for (std::uint64_t number = 0; number < 4; ++number) {
      branches.publish(number);
    }
    branches.take(0);
    trial.threads({[&] { branches.publish(4); }, [&] { branches.take(0); branches.take(0); }, [&] { branches.take(0); }});
    branches.expect_all(5, 1);
  });
}

/// Both segments were passed, so the next entry's is the other one than stood in its place of the directory before.
TEST(Log, shows_no_branch_an_old_segment_for_what_another_has_seen_in_the_new_one) {
  verify([](Trial& trial) {
    Branches branches(trial, 2);
    for (std::uint64_t number = 0; number < 4; ++number) {
      branches.publish(number);
    }
    for (int i = 0; i < 4; ++i) {
      branches.take(0);
      branches.take(1);
    }
    trial.threads({[&] { branches.publish(4); }, [&] { branches.take(0); }, [&] { branches.take(1); }});
    branches.expect_all(5, 1);
  });
}

TEST(Log, is_looked_at_while_it_is_published_and_taken_and_nothing_is_lost_or_comes_twice) {
  verify([](Trial& trial) {
    Branches branches(trial, 1);
    branches.publish(0, 2);
    std::uint64_t shown = 0;
    trial.threads({[&] { branches.publish(1); },
                   [&] { branches.take(0, 1); },
                   [&] {
                     std::uint64_t last = 0;
                     branches.log.look(branches.cursors[0], 64, [&](const Chunk& chunk, std::uint64_t mask) {
                       const std::uint64_t number = (reinterpret_cast<std::uintptr_t>(&chunk) >> 6) - 1;
                       trial.expect(shown == 0 || number > last, "in their order");
                       trial.expect((branches.seen[0][const_cast<Chunk*>(&chunk)] & mask) == 0, "what was not taken");
                       last = number;
                       shown += core::bit_count(mask);
                     });
                   }});
    trial.expect(shown >= 1 && shown <= 3, "what is there");
    for (std::uint64_t number = 0; number < 2; ++number) {
      while (branches.take(0) != 0) {
      }
      trial.expect(branches.seen[0][name(number)] == (number == 0 ? 3u : 1u), "everything is taken");
    }
  });
}

TEST(Log, hands_over_what_a_late_queue_has_not_taken_while_it_takes) {
  verify([](Trial& trial) {
    Branches branches(trial, 1);
    for (std::uint64_t number = 0; number < 4; ++number) {
      branches.publish(number);
    }
    trial.threads({[&] { branches.publish(4); }, [&] { branches.take(0); }, [&] { branches.take(0); }});
    branches.expect_all(5, 1);
  });
}

TEST(Log, gives_a_remainder_back_once) {
  verify([](Trial& trial) {
    Branches branches(trial, 1);
    trial.threads({[&] {
                     branches.begin(0);
                     branches.log.publish(1, false);
                     branches.log.set_remainder(0, 7);
                     branches.log.publish(2, true, true);
                   },
                   [&] { branches.take(0); }, [&] { branches.take(0); }});
    branches.expect_all(1, 0b11);
    trial.expect(branches.freed == 7, "the remainder is back once");
  });
}

TEST(LogMutation, of_taking_by_a_look_and_a_store_is_found) {
  expect_found(two_receivers, {.weaken = Weaken::compare_exchange});
}

}  // namespace
}  // namespace sluice::explore
