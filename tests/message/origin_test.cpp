// Origins: what became of the messages that a source emitted together.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>
#include <thread>

#include "message/origin.hpp"
#include "support/line.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Origin;
using core::OriginPool;
using core::SharedCookie;
using Settlement = Settlements::Settlement;
using All = std::vector<Settlement>;

/// An origin with a message per cookie given.
Origin& origin_of(OriginPool& pool, std::initializer_list<std::uint64_t> cookies) {
  Origin& origin = *pool.take();
  std::uint64_t last = ~std::uint64_t{0};
  for (std::uint64_t cookie : cookies) {
    origin.append(cookie, cookie != last);
    last = cookie;
  }
  return origin;
}

TEST(Origin, a_chunk_without_copies_settles_each_run_of_a_cookie_once) {
  Settlements settled;
  OriginPool pool(&settled);
  origin_of(pool, {5, 5, 6, 7, 7, 7}).chunk_done();
  EXPECT_EQ(settled.all(), (All{{5, false, 2}, {6, false, 1}, {7, false, 3}}));
}

TEST(Origin, a_chunk_of_64_messages_of_one_cookie_settles_it_once) {
  Settlements settled;
  OriginPool pool(&settled);
  Origin& origin = *pool.take();
  for (int i = 0; i < 64; ++i) {
    origin.append(9, i == 0);
  }
  origin.add_copy(63);
  origin.chunk_done();
  EXPECT_EQ(settled.count(), 0u);
  origin.drop_copy(63);
  EXPECT_EQ(settled.all(), (All{{9, false, 64}}));
}

TEST(Origin, a_copy_holds_up_its_own_cookie_only) {
  Settlements settled;
  OriginPool pool(&settled);
  Origin& origin = origin_of(pool, {1, 2, 2, 3});
  origin.add_copy(1);
  origin.chunk_done();
  EXPECT_EQ(settled.all(), (All{{1, false, 1}, {3, false, 1}}));
  origin.drop_copy(1);
  EXPECT_EQ(settled.all().back(), (Settlement{2, false, 2}));
}

TEST(Origin, copies_that_end_before_their_chunk_settle_nothing_early) {
  Settlements settled;
  OriginPool pool(&settled);
  Origin& origin = origin_of(pool, {1});
  origin.add_copy(0, 2);
  origin.drop_copy(0);
  origin.drop_copy(0);
  EXPECT_EQ(settled.count(), 0u);
  origin.chunk_done();
  EXPECT_EQ(settled.count(), 1u);
}

TEST(Origin, a_rejected_descendant_marks_its_cookie_and_no_other) {
  Settlements settled;
  OriginPool pool(&settled);
  Origin& origin = origin_of(pool, {1, 1, 2});
  origin.add_copy(1);
  origin.reject(1);
  origin.drop_copy(1);
  origin.chunk_done();
  EXPECT_EQ(settled.all(), (All{{1, true, 2}, {2, false, 1}}));
}

TEST(Origin, a_node_goes_home_and_serves_again) {
  Settlements settled;
  OriginPool pool(&settled);
  Origin* first = &origin_of(pool, {1});
  first->add_copy(0);
  first->chunk_done();
  EXPECT_NE(pool.take(), first) << "its copy is alive";
  first->drop_copy(0);
  Origin* again = pool.take();
  EXPECT_EQ(again, first);
  again->append(4, true);
  again->chunk_done();
  EXPECT_EQ(settled.all().back(), (Settlement{4, false, 1}));
}

TEST(SharedCookie, is_settled_when_closed_and_all_its_chunks_ended_whatever_the_order) {
  for (int order = 0; order < 6; ++order) {
    Settlements settled;
    OriginPool pool(&settled);
    auto* shared = new SharedCookie{1, &settled, 3, 0, false};  // two chunks, and open
    Origin& first = origin_of(pool, {1, 1});
    Origin& second = origin_of(pool, {1});
    first.carried_out = shared;
    second.carried_in = shared;
    int steps[3] = {0, 1, 2};
    for (int i = 0; i < order; ++i) {
      std::next_permutation(steps, steps + 3);
    }
    for (int step : steps) {
      EXPECT_EQ(settled.count(), 0u);
      step == 0 ? first.chunk_done() : step == 1 ? second.chunk_done() : shared->drop(0, false);
    }
    EXPECT_EQ(settled.all(), (All{{1, false, 3}}));
  }
}

TEST(SharedCookie, of_a_chunk_in_the_middle_counts_that_chunk_once) {
  Settlements settled;
  OriginPool pool(&settled);
  auto* shared = new SharedCookie{1, &settled, 4, 0, false};
  Origin& first = origin_of(pool, {0, 1});
  Origin& middle = origin_of(pool, {1, 1});
  Origin& last = origin_of(pool, {1, 2});
  first.carried_out = shared;
  middle.carried_in = middle.carried_out = shared;
  last.carried_in = shared;
  shared->drop(0, false);
  middle.reject(0);
  middle.chunk_done();
  first.chunk_done();
  last.chunk_done();
  EXPECT_EQ(settled.all(), (All{{0, false, 1}, {1, true, 4}, {2, false, 1}}));
}

/// The cookies of the rest are used again by then.
TEST(Origin, stragglers_of_many_chunks_settle_their_own_cookies_however_late) {
  Settlements settled;
  OriginPool pool(&settled);
  std::vector<std::pair<Origin*, std::uint32_t>> stragglers;
  std::uint64_t cookie = 0, expected = 0;
  for (std::uint32_t chunk = 0; chunk < 20; ++chunk) {
    Origin& origin = *pool.take();
    for (std::uint32_t i = 0; i < Origin::kMessages; ++i) {
      origin.append(cookie++, true);
    }
    // From none to more than the counters have room for.
    for (std::uint32_t i = 0; i < chunk % 7; ++i) {
      origin.add_copy(i * 10 + chunk % 4);
      stragglers.push_back({&origin, i * 10 + chunk % 4});
    }
    origin.chunk_done();
    expected += Origin::kMessages - chunk % 7;
    EXPECT_EQ(settled.count(), expected);
  }
  for (auto [origin, message] : stragglers) {
    origin->drop_copy(message);
  }
  std::set<std::uint64_t> cookies;
  for (const Settlement& each : settled.all()) {
    cookies.insert(each.cookie);
  }
  EXPECT_EQ(settled.count(), cookie);
  EXPECT_EQ(cookies.size(), cookie);
  EXPECT_EQ(*cookies.rbegin(), cookie - 1);
}

/// Random chunks, cookies and copies against plain counting.
TEST(Origin, random_orders_settle_each_cookie_exactly_once_and_never_before_its_last_copy) {
  bool fine = rc::check("origin against counting", [] {
    Settlements settled;
    OriginPool pool(&settled);
    auto runs = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 6));
    Origin& origin = *pool.take();
    std::map<std::uint64_t, std::uint32_t> left;   // cookie -> messages not at their end
    std::map<std::uint64_t, std::uint32_t> size;
    std::vector<std::uint32_t> copies;             // by message
    std::vector<std::uint64_t> cookie_of;
    for (std::uint64_t run = 0; run < runs.size() && cookie_of.size() + 6 < 64; ++run) {
      for (int i = 0; i < runs[run]; ++i) {
        origin.append(run, i == 0);
        cookie_of.push_back(run);
        copies.push_back(0);
        ++left[run];
        ++size[run];
      }
    }
    RC_PRE(!cookie_of.empty());
    bool done = false;
    std::uint32_t alive = 0;
    auto end_if_over = [&](std::uint32_t message) {
      if (done && copies[message] == 0) {
        --left[cookie_of[message]];
      }
    };
    while (!done || alive != 0) {
      auto message = *rc::gen::inRange<std::uint32_t>(0, static_cast<std::uint32_t>(copies.size()));
      int action = *rc::gen::inRange(0, 4);
      if (action == 0 && !done) {
        done = true;
        // add: chunk_done ends all without copies
        origin.chunk_done();
        for (std::uint32_t i = 0; i < copies.size(); ++i) {
          end_if_over(i);
        }
      } else if (action == 1 && (!done || copies[message] != 0) && alive < 200) {
        origin.add_copy(message);
        ++copies[message];
        ++alive;
      } else if (copies[message] != 0) {
        --copies[message];
        --alive;
        bool last_alive = done && alive == 0;
        origin.drop_copy(message);
        end_if_over(message);
        if (last_alive) {
          break;
        }
      }
      std::size_t over = 0;
      for (const auto& [cookie, count] : left) {
        over += count == 0 ? 1 : 0;
      }
      RC_ASSERT(settled.count() == (done ? over : 0));
    }
    RC_ASSERT(settled.count() == size.size());
    for (const Settlement& each : settled.all()) {
      RC_ASSERT(each.messages == size[each.cookie]);
      size.erase(each.cookie);
    }
    RC_ASSERT(size.empty());
  });
  EXPECT_TRUE(fine);
}

TEST(Origin, threads_that_end_chunk_and_copies_together_settle_each_cookie_once) {
  Settlements settled;
  OriginPool pool(&settled);
  const std::uint64_t rounds = scaled(3000);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Origin& origin = origin_of(pool, {round * 2, round * 2, round * 2 + 1});
    origin.add_copy(0);
    origin.add_copy(2, 2);
    std::thread other([&] {
      origin.drop_copy(2);
      origin.drop_copy(0);
    });
    origin.chunk_done();
    origin.drop_copy(2);
    other.join();
    ASSERT_EQ(settled.count(), (round + 1) * 2);
  }
}

}  // namespace
}  // namespace sluice::test
