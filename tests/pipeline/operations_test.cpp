// Queues are operated while the engine runs, by several at once: whatever they ask for, each letter is
// somewhere once.
#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "base/fault.hpp"
#include "engine_fixture.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;

/// Rejects two of three, by turns: a letter that comes again may fare better.
std::unique_ptr<Script> failing_stage(const std::string& name, std::atomic<std::uint64_t>& turn) {
  return Script::stage(name, 0, [&turn](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      if (++turn % 3 != 0) {
        host().settle(out, i, SLUICE_REJECT, -1, str("its turn"), {});
      }
    }
    return int32_t{SLUICE_OK};
  });
}

TEST(Operations, a_purge_tells_of_what_was_delayed_too) {
  Plan plan;
  auto source = counting_source(300);
  core::QueueDescription later;
  later.name = "later";
  later.delay_ms = 900'000;
  plan.source(*source, Plan::to(plan.queue(later)));
  auto engine = plan.start();
  ASSERT_TRUE(engine);
  core::QueueControl& queues = (*engine)->queues();
  while ((*queues.list())[0].delayed != 300) {
    std::this_thread::yield();
  }
  EXPECT_EQ(queues.purge("later"), 300u);
  EXPECT_EQ((*queues.list())[0].purged, 300u);
  EXPECT_EQ(queues.purge("later"), 0u);
  (*engine)->request_stop();
  while (!(*engine)->wait_for_end(std::chrono::milliseconds(100))) {
  }
  (void)(*engine)->finish();
}

TEST(Operations, a_peek_shows_a_message_that_is_too_long_without_its_body) {
  Plan plan;
  auto source = Script::source("bodies", 0, [](sluice_out* out) {
    for (const std::string& body : {std::string(2 << 20, 'x'), std::string(900 << 10, '\xfe'), std::string("short")}) {
      if (const int32_t status = emit(out, 0, body); status != SLUICE_OK) {
        return status;
      }
    }
    return int32_t{SLUICE_END};
  });
  plan.source(*source, Plan::to(plan.queue("later")));
  auto engine = plan.start(false);
  ASSERT_TRUE(engine);
  core::QueueControl& queues = (*engine)->queues();
  while ((*queues.list())[0].visible != 3) {
    std::this_thread::yield();
  }
  const core::Peeked peeked = *queues.peek("later", 10);
  ASSERT_EQ(peeked.messages.size(), 3u);
  EXPECT_LT(peeked.bytes, 1000u);
  EXPECT_NE(peeked.messages[0].find("\"body_bytes\":2097152,"), std::string::npos);
  EXPECT_NE(peeked.messages[1].find("\"body_bytes\":921600,"), std::string::npos) << "it is longer as base64";
  EXPECT_NE(peeked.messages[2].find("\"body\":\"short\""), std::string::npos);
  EXPECT_FALSE(peeked.more);
  (*engine)->request_stop();
  while (!(*engine)->wait_for_end(std::chrono::milliseconds(100))) {
  }
  (void)(*engine)->finish();
}

#ifdef SLUICE_FAULT_POINTS
TEST(Operations, a_purge_of_redriven_letters_is_answered_once_they_are_gone_for_good) {
  Plan plan;
  auto source = counting_source(1);
  auto rejects = Script::stage("rejects", 0, [](const sluice_batch&, sluice_out* out) {
    host().settle(out, 0, SLUICE_REJECT, -1, str("why not"), {});
    return int32_t{SLUICE_OK};
  });
  const std::uint32_t jobs = plan.queue_with_dead("jobs", 2);
  plan.queue("later");
  plan.source(*source, Plan::to(jobs));
  plan.service("rejects", jobs, {rejects.get()});
  auto engine = plan.start(false);
  ASSERT_TRUE(engine);
  core::QueueControl& queues = (*engine)->queues();
  while ((*queues.list())[0].visible != 1) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(queues.redrive("jobs-dead", {.to = "later"}));
  while (queues.redrive_status("jobs-dead")->state != core::RedriveState::completed) {
    std::this_thread::yield();
  }
  core::set_fault_handler([](std::string_view name) { return name == "dead_letters.before_sync"; });
  const core::Result<std::uint64_t> purged = queues.purge("later");
  core::set_fault_handler([](std::string_view) { return false; });
  EXPECT_FALSE(purged) << "it comes again at the next start";
  EXPECT_TRUE(purged || purged.error().code == core::Errc::io);
  if (purged) {
    (*engine)->request_stop();
  }
  while (!(*engine)->wait_for_end(std::chrono::milliseconds(100))) {
  }
  EXPECT_EQ((*engine)->finish().exit, 74);
}
#endif

TEST(Operations, purges_redrives_and_peeks_at_once_leave_each_letter_in_one_place) {
  Plan plan;
  std::atomic<std::uint64_t> turn{0};
  auto source = counting_source(3'000);  // each redrive moves what is left of them: rounds alone grow with the scale
  auto first = failing_stage("first", turn), second = failing_stage("second", turn);
  const std::uint32_t last = plan.queue("last");
  core::QueueDescription dead, jobs;
  dead.name = "dead";
  dead.redrive_policy = core::RedrivePolicy{2, last};
  jobs.name = "jobs";
  jobs.redrive_policy = core::RedrivePolicy{2, plan.queue(dead)};
  const std::uint32_t q = plan.queue(jobs);
  plan.source(*source, Plan::to(q));
  plan.service("first", q, {first.get()}).scaling.desired_capacity = 2;
  plan.service("second", q - 1, {second.get()}).scaling.desired_capacity = 2;
  auto engine = plan.start();
  ASSERT_TRUE(engine);
  core::QueueControl& queues = (*engine)->queues();
  const auto each_round = [](std::function<void()> ask) {
    return std::thread([ask = std::move(ask)] {
      for (std::uint64_t round = 0; round < scaled(200); ++round) {
        ask();
      }
    });
  };
  std::vector<std::thread> operators;
  for (const char* name : {"dead", "last"}) {
    operators.push_back(each_round([&queues, name] { (void)queues.redrive(name, {.to = "jobs"}); }));
    operators.push_back(each_round([&queues, name] { (void)queues.purge(name); }));
    operators.push_back(each_round([&queues, name] { (void)queues.peek(name, 100); }));
  }
  for (std::thread& each : operators) {
    each.join();
  }
  ASSERT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1))) << "it never came to rest";
  const core::Summary summary = (*engine)->finish();
  EXPECT_EQ(summary.exit, 0);
  expect_conservation(summary);
  // At rest what the queues show is what the files hold.
  for (const core::QueueNumbers& queue : summary.queues) {
    if (queue.name != "jobs") {
      core::Result<core::LetterFile> file =
          core::LetterFile::open(core::file_storage(), plan.pipeline_state() + "/dead-letters/" + queue.name + ".jsonl");
      ASSERT_TRUE(file);
      EXPECT_EQ(file->count(), queue.visible) << queue.name;
    }
  }
}

}  // namespace
}  // namespace sluice::test
