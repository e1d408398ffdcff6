// A source on its thread: what it emits, what it hears, how it stops.
#include <gtest/gtest.h>

#include <cstring>
#include <latch>

#include "service/source.hpp"
#include "support/line.hpp"
#include "support/script.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::Queue;
using core::Source;

struct Spring {
  explicit Spring(Script& script, std::int64_t capacity = 1000)
      : queue(line.queue({.name = "q", .capacity = capacity})),
        hand(line.hand(queue, 64)),
        source({.name = "spring", .queues = {&queue}, .failed = [this](int32_t status, const std::string&) { failure = status; }},
               script.instance("spring"), line.timers, line.letters) {
    EXPECT_TRUE(line.open());
  }

  Line line;
  Queue& queue;
  Hand& hand;
  std::atomic<int32_t> failure{0};
  Source source;
};

TEST(Source, emissions_are_events_and_what_is_settled_is_acknowledged) {
  Record<std::pair<std::uint64_t, int32_t>> settled;
  auto script = Script::source("s", 0, [](sluice_out* out) {
    EXPECT_EQ(emit(out, 0, "a", 1), SLUICE_OK);
    EXPECT_EQ(emit(out, 0, "b", 1), SLUICE_OK);
    EXPECT_EQ(emit(out, 0, "c", 2), SLUICE_OK);
    std::uint8_t* place = nullptr;
    EXPECT_EQ(host().reserve(out, 3, &place), SLUICE_OK);
    std::memcpy(place, "ddd", 3);
    EXPECT_EQ(host().commit(out, 3, nullptr), SLUICE_OK);
    return SLUICE_END;
  }, [&](std::uint64_t cookie, int32_t worst) { settled.add({cookie, worst}); });
  Spring spring(*script);
  spring.source.start();
  spring.source.join();
  EXPECT_TRUE(spring.source.is_exhausted());
  EXPECT_EQ(spring.source.events(), 4u);
  EXPECT_EQ(spring.source.acknowledged(), 0u);
  EXPECT_EQ(spring.hand.drain(), 4u);
  EXPECT_EQ(spring.source.acknowledged(), 4u);
  EXPECT_EQ(settled.all(), (std::vector<std::pair<std::uint64_t, int32_t>>{{1, 0}, {2, 0}, {0, 0}}));
  EXPECT_EQ(spring.failure.load(), 0);
}

TEST(Source, an_emission_may_have_a_delay) {
  auto script = Script::source("s", 0, [](sluice_out* out) {
    sluice_emission late{};
    late.struct_size = sizeof late;
    late.delay_ms = 1000;
    std::uint8_t* place = nullptr;
    EXPECT_EQ(host().reserve(out, 4, &place), SLUICE_OK);
    std::memcpy(place, "late", 4);
    EXPECT_EQ(host().commit(out, 4, &late), SLUICE_OK);
    late.body = place;
    EXPECT_EQ(host().emit(out, &late), SLUICE_OK);
    EXPECT_EQ(emit(out, 0, "now", 1), SLUICE_OK);
    return SLUICE_END;
  });
  Spring spring(*script);
  spring.source.start();
  spring.source.join();
  EXPECT_EQ(spring.hand.drain(), 1u);
  spring.line.advance(1000);
  EXPECT_EQ(spring.hand.drain(), 2u);
  EXPECT_EQ(spring.source.acknowledged(), 3u);
}

TEST(Source, misuse_is_answered) {
  auto script = Script::source("s", 0, [](sluice_out* out) {
    std::uint8_t* place = nullptr;
    EXPECT_EQ(host().commit(out, 1, nullptr), SLUICE_INVALID) << "nothing was reserved";
    EXPECT_EQ(host().reserve(out, 8193, &place), SLUICE_TOO_LARGE);
    EXPECT_EQ(host().reserve(out, 10, &place), SLUICE_OK);
    EXPECT_EQ(host().commit(out, 11, nullptr), SLUICE_INVALID);
    EXPECT_EQ(emit(out, 3, "x"), SLUICE_INVALID) << "a source has no parents";
    EXPECT_EQ(host().settle(out, 0, SLUICE_OK, -1, {}, {}), SLUICE_INVALID);
    return SLUICE_END;
  });
  Spring spring(*script);
  spring.source.start();
  spring.source.join();
  EXPECT_EQ(spring.source.events(), 0u);
}

TEST(Source, one_that_waits_for_credit_returns_when_it_is_cancelled_and_keeps_what_it_took) {
  std::latch full(1);
  auto script = Script::source("s", 0, [&](sluice_out* out) {
    for (std::uint64_t i = 0;; ++i) {
      if (i == 64) {
        full.count_down();
      }
      if (int32_t status = emit(out, 0, "x", i); status != SLUICE_OK) {
        return status;
      }
      host().flush(out);
    }
  });
  Spring spring(*script, 1);
  spring.source.start();
  full.wait();
  spring.source.cancel();
  spring.source.join();
  EXPECT_GE(spring.source.events(), 64u);
  EXPECT_EQ(spring.hand.drain(), spring.source.events());
  EXPECT_EQ(spring.source.acknowledged(), spring.source.events());
  EXPECT_EQ(spring.queue.credits().messages(), 1);
  EXPECT_EQ(spring.failure.load(), 0);
}

TEST(Source, one_that_fails_is_told_with_its_status) {
  auto script = Script::source("s", 0, [](sluice_out*) { return SLUICE_UNAVAILABLE; });
  Spring spring(*script);
  spring.source.start();
  spring.source.join();
  EXPECT_EQ(spring.failure.load(), SLUICE_UNAVAILABLE);
}

}  // namespace
}  // namespace sluice::test
