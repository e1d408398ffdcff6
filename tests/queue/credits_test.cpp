// Credits: the bound of a queue's memory.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <thread>
#include <vector>

#include "message/chunk.hpp"
#include "queue/credits.hpp"
#include "support/private_member.hpp"
#include "support/scale.hpp"

namespace sluice::test {

struct CreditsEpoch {
  friend core::Atomic<std::uint32_t> core::Credits::* member(CreditsEpoch);
};
template struct PrivateMember<CreditsEpoch, &core::Credits::epoch_>;

namespace {

using core::Credits;
using core::Reservation;

constexpr std::int64_t kUnit = core::kCreditUnit;

TEST(Credits, hold_the_largest_capacity_and_deep_debts_of_both_kinds) {
  Credits credits;
  credits.init(Credits::kMessagesMax, Credits::kBytesMax, 1);
  EXPECT_EQ(credits.messages(), Credits::kMessagesMax);
  EXPECT_EQ(credits.units(), Credits::kBytesMax / kUnit);
  credits.take(Credits::kMessagesMax + 5, 0);
  EXPECT_EQ(credits.messages(), -5);
  EXPECT_EQ(credits.units(), Credits::kBytesMax / kUnit);
  credits.take(0, Credits::kBytesMax / kUnit + 7);
  EXPECT_EQ(credits.messages(), -5);
  EXPECT_EQ(credits.units(), -7);
  EXPECT_FALSE(credits.available());
  credits.give_back(6, 8);
  EXPECT_EQ(credits.messages(), 1);
  EXPECT_EQ(credits.units(), 1);
  EXPECT_TRUE(credits.available());
}

TEST(Credits, admit_while_above_zero_in_both_and_refuse_otherwise) {
  Credits credits;
  credits.init(1, 1000 * kUnit, 1);
  Reservation one;
  ASSERT_TRUE(credits.admit(one));
  credits.charge(one, 64, 10);  // a whole chunk, whatever the capacity
  EXPECT_EQ(credits.messages(), -63);
  EXPECT_FALSE(credits.admit(one));
  credits.give_back(64, 10);
  EXPECT_TRUE(credits.admit(one));
}

TEST(Credits, a_refusal_takes_nothing) {
  Credits credits;
  credits.init(100, 10 * kUnit, 1);
  credits.take(0, 10);
  Reservation one;
  EXPECT_FALSE(credits.admit(one));
  EXPECT_EQ(one.messages, 0);
  EXPECT_EQ(credits.messages(), 100);
}

TEST(Credits, a_reservation_short_of_one_kind_is_no_obstacle_to_another_publisher) {
  Credits credits;
  credits.init(3200, 3200 * kUnit, 2);
  Reservation hoarder, other;
  ASSERT_TRUE(credits.admit(hoarder));
  credits.charge(hoarder, 1, hoarder.units);  // messages left, no units
  ASSERT_EQ(hoarder.units, 0);
  std::int64_t free = credits.messages();
  EXPECT_GE(free, 3200 * 3 / 4);
  while (credits.admit(other)) {
    credits.charge(other, 64, 64);
  }
  EXPECT_LE(credits.messages(), 0);
  EXPECT_LE(hoarder.messages, 3200 / 16);
}

TEST(Credits, all_reservations_together_hold_at_most_a_quarter) {
  for (std::uint32_t publishers : {1u, 4u, 16u, 64u}) {
    Credits credits;
    credits.init(100'000, 1 << 30, publishers);
    std::vector<Reservation> all(publishers);
    for (Reservation& each : all) {
      ASSERT_TRUE(credits.admit(each));
    }
    EXPECT_GE(credits.messages(), 75'000);
    EXPECT_GE(credits.units(), (1 << 30) / kUnit * 3 / 4);
  }
}

TEST(Credits, of_a_small_queue_are_kept_from_nobody_by_who_was_admitted_and_sends_nothing) {
  for (const std::int64_t capacity : {1, 3, 15}) {
    Credits credits;
    credits.init(capacity, capacity * kUnit, 40);
    std::vector<Reservation> idle(40);
    for (Reservation& reservation : idle) {
      EXPECT_TRUE(credits.admit(reservation));
    }
    EXPECT_TRUE(credits.available());
  }
}

TEST(Credits, any_sequence_of_charges_and_returns_adds_up) {
  bool fine = rc::check("sum", [] {
    auto capacity = *rc::gen::inRange<std::int64_t>(1, 5000);
    auto bytes = *rc::gen::inRange<std::int64_t>(1, 5000) * kUnit;
    Credits credits;
    credits.init(capacity, bytes, 3);
    Reservation held[3];
    std::int64_t messages_out = 0, units_out = 0;
    auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
        rc::gen::tuple(rc::gen::inRange(0, 5), rc::gen::inRange(1, 65), rc::gen::inRange(1, 300)));
    for (auto [who, messages, units] : steps) {
      if (who < 3) {
        std::int64_t reserved_before = held[who].messages;
        std::int64_t before = credits.messages() + reserved_before;
        if (credits.admit(held[who])) {
          RC_ASSERT(before > 0 || reserved_before > 0);
          credits.charge(held[who], messages, units);
          messages_out += messages;
          units_out += units;
        }
      } else if (messages_out >= messages && units_out >= units) {
        credits.give_back(messages, units);
        messages_out -= messages;
        units_out -= units;
      }
      std::int64_t reserved_messages = 0, reserved_units = 0;
      for (const Reservation& each : held) {
        RC_ASSERT(each.messages >= 0 && each.units >= 0);
        reserved_messages += each.messages;
        reserved_units += each.units;
      }
      RC_ASSERT(credits.messages() + reserved_messages + messages_out == capacity);
      RC_ASSERT(credits.units() + reserved_units + units_out == bytes / kUnit);
      RC_ASSERT(messages_out <= capacity + 3 * 64);
    }
  });
  EXPECT_TRUE(fine);
}

/// Over the wrap of the epoch. How many of the rounds park, and so how long a round takes, is up to the machine.
TEST(Credits, publishers_and_consumers_at_once_lose_no_credit_and_no_wake_up) {
  Credits credits;
  (credits.*member(CreditsEpoch())).store(~0u - 10);
  credits.init(100, 100'000 * kUnit, 2);
  const std::uint64_t rounds = scaled(300'000);
  std::atomic<std::int64_t> published{0}, consumed{0};
  auto publish = [&] {
    Reservation held;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      while (!credits.admit(held)) {
        std::uint32_t epoch = credits.announce_wait();
        if (!credits.admit(held)) {
          credits.park(epoch, -1);  // for ever: a lost wake-up hangs the test
        }
        credits.withdraw();
      }
      credits.charge(held, 10, 7);
      published.fetch_add(10);
    }
    if (credits.give_back(held.messages, held.units)) {
      credits.ring();
    }
  };
  std::thread one(publish), two(publish);
  const auto total = static_cast<std::int64_t>(2 * rounds * 10);
  while (consumed < total) {
    if (published - consumed < 10) {
      std::this_thread::yield();
      continue;
    }
    consumed += 10;
    if (credits.give_back(10, 7)) {
      credits.ring();
    }
  }
  one.join();
  two.join();
  EXPECT_EQ(credits.messages(), 100);
  EXPECT_EQ(credits.units(), 100'000);
}

}  // namespace
}  // namespace sluice::test
