// An orderly end: a source hears of each message that has ended, in all branches and with all that was made of it, and of
// no other, wherever those that are left stand.
#include <latch>
#include <map>
#include <set>

#include "engine_fixture.hpp"

namespace sluice::test {
namespace {

using core::host;

/// Numbers that came to their end somewhere, and how often. From any thread.
class Finished {
 public:
  void add(const std::vector<std::uint64_t>& numbers) {
    std::lock_guard lock(mutex_);
    for (const std::uint64_t number : numbers) {
      ++times_[number];
    }
  }
  std::uint64_t times(std::uint64_t number) const {
    std::lock_guard lock(mutex_);
    const auto found = times_.find(number);
    return found == times_.end() ? 0 : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::uint64_t> times_;
};

/// Where stages wait from their `after`th message on.
struct Halt {
  explicit Halt(std::uint64_t after) : left(after) {}
  void pass(std::uint64_t messages) {
    if (left.fetch_sub(static_cast<std::int64_t>(messages)) <= static_cast<std::int64_t>(messages)) {
      if (!told.exchange(true)) {
        reached.count_down();
      }
      door.wait();
    }
  }
  std::atomic<std::int64_t> left;
  std::atomic<bool> told{false};
  std::latch reached{1};
  Door door;
};

/// Finishes all but one message of a hundred, which is to come again in an hour; emits `copies` of each.
std::unique_ptr<Script> finishing_stage(Finished& finished, Halt& halt, std::uint64_t hides, int copies) {
  return Script::stage("finishing", 0, [&finished, &halt, hides, copies](const sluice_batch& batch, sluice_out* out) {
    std::vector<std::uint64_t> numbers;
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const std::string body = body_of(*batch.messages[i]);
      const std::uint64_t number = std::stoull(body);
      if (number % 100 == hides) {
        host().settle(out, i, SLUICE_RETRY, 3'600'000, str("later"), {});
        continue;
      }
      for (int copy = 0; copy < copies; ++copy) {
        if (const int32_t status = emit(out, i, body); status != SLUICE_OK) {
          return status;
        }
      }
      numbers.push_back(number);
    }
    halt.pass(batch.count);
    finished.add(numbers);
    return int32_t{SLUICE_OK};
  });
}

TEST(OrderlyEnd, tells_a_source_of_all_that_has_ended_and_of_nothing_that_is_left) {
  constexpr std::uint64_t kMessages = 1000;
  constexpr int kCopies = 2;
  Plan plan;
  Finished split, ordered, copies;
  Halt split_halts(400), ordered_halts(300), copies_halt(500);
  std::mutex mutex;
  std::set<std::uint64_t> settled;
  auto source = Script::source("numbers", SLUICE_REPEATS, [](sluice_out* out) {
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      const std::string body = std::to_string(i), group = std::to_string(i % 7);
      sluice_emission made = emission(0, body);
      made.group_id = str(group);
      made.deduplication_id = str(body);
      made.cookie = i;
      made.delay_ms = i % 50 == 0 ? 900'000 : 0;
      if (const int32_t status = host().emit(out, &made); status != SLUICE_OK) {
        return status;
      }
    }
    return int32_t{SLUICE_END};
  }, [&](std::uint64_t cookie, int32_t worst) {
    std::lock_guard lock(mutex);
    EXPECT_EQ(worst, SLUICE_OK);
    EXPECT_TRUE(settled.insert(cookie).second) << cookie << " twice";
  });
  auto splits = finishing_stage(split, split_halts, 3, kCopies), orders = finishing_stage(ordered, ordered_halts, 9, 0),
       keeps = finishing_stage(copies, copies_halt, 7, 0);
  const std::uint32_t split_queue = plan.queue("split"), copies_queue = plan.queue("copies");
  core::QueueDescription fifo;
  fifo.name = "ordered";
  fifo.fifo = true;
  const std::uint32_t ordered_queue = plan.queue(std::move(fifo));
  plan.source(*source, plan.topic({split_queue, ordered_queue}));
  plan.service("split", split_queue, {splits.get()}).publish_to = Plan::to(copies_queue);
  plan.service("ordered", ordered_queue, {orders.get()}).batch_size = 5;
  plan.service("copies", copies_queue, {keeps.get()}).batch_size = 7;
  auto engine = plan.start(false, 3);
  ASSERT_TRUE(engine);
  for (Halt* halt : {&split_halts, &ordered_halts, &copies_halt}) {
    halt->reached.wait();
  }
  (*engine)->request_stop();
  EXPECT_FALSE((*engine)->wait_for_end(std::chrono::milliseconds(5)));
  for (Halt* halt : {&split_halts, &ordered_halts, &copies_halt}) {
    halt->door.open();
  }
  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));

  const core::Summary summary = (*engine)->finish();

  std::set<std::uint64_t> expected;
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    if (split.times(i) == 1 && ordered.times(i) == 1 && copies.times(i) == kCopies) {
      expected.insert(i);
    }
  }
  EXPECT_EQ(settled, expected);
  EXPECT_GT(expected.size(), 50U) << "the run was worth something";
  EXPECT_EQ(summary.sources[0].acknowledged, expected.size());
  EXPECT_EQ(summary.exit, 75);
  expect_conservation(summary);
}

}  // namespace
}  // namespace sluice::test
