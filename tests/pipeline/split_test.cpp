// One message that becomes a million, through a queue that holds few of them: its source hears of it once, and not
// before the last of them has come to its end.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <thread>
#include <vector>

#include "engine_fixture.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

constexpr std::uint64_t kCapacity = 1000;
constexpr std::uint32_t kBatch = 64;

TEST(Split, into_a_million_through_a_small_queue_is_acknowledged_once_when_the_last_part_has_ended) {
  const std::uint64_t parts = std::min<std::uint64_t>(1'000'000, scaled(1'000'000));
  std::atomic<std::uint64_t> settled{0}, received{0}, most_ahead{0};
  std::atomic<bool> last_is_held{false};
  std::vector<std::atomic<std::uint8_t>> times(parts);
  Door door;
  auto source = Script::source("one", 0, [](sluice_out* out) {
    EXPECT_EQ(emit(out, 0, "whole", 7), SLUICE_OK);
    return int32_t{SLUICE_END};
  }, [&](std::uint64_t cookie, int32_t worst) {
    EXPECT_EQ(cookie, 7u);
    EXPECT_EQ(worst, SLUICE_OK);
    EXPECT_EQ(received, parts);
    ++settled;
  });
  auto splits = Script::stage("split", SLUICE_SPLITS, [&](const sluice_batch& batch, sluice_out* out) {
    EXPECT_EQ(batch.count, 1u);
    for (std::uint64_t i = 0; i < parts; ++i) {
      if (int32_t status = emit(out, 0, std::to_string(i)); status != SLUICE_OK) {
        return status;
      }
      const std::uint64_t ended = received;
      most_ahead = std::max<std::uint64_t>(most_ahead, i + 1 > ended ? i + 1 - ended : 0);
    }
    return int32_t{SLUICE_OK};
  });
  auto sink = Script::stage("sink", SLUICE_BLOCKS, [&](const sluice_batch& batch, sluice_out*) {
    bool has_last = false;
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const std::string body = body_of(*batch.messages[i]);
      std::uint64_t part = parts;
      std::from_chars(body.data(), body.data() + body.size(), part);
      if (part >= parts) {
        ADD_FAILURE() << "invented: " << body;
        continue;
      }
      ++times[part];
      has_last |= part + 1 == parts;
    }
    received += batch.count;
    if (has_last) {
      last_is_held = true;
      door.wait();
    }
    return int32_t{SLUICE_OK};
  });
  Plan plan;
  const std::uint32_t in = plan.queue("in"), rows = plan.queue("rows");
  for (const std::uint32_t queue : {in, rows}) {
    plan.pipeline().queues[queue].visibility_timeout_ms = 12 * 3'600'000;  // however slow the machine is
  }
  plan.pipeline().queues[rows].capacity = kCapacity;
  plan.source(*source, Plan::to(in));
  plan.service("split", in, {splits.get()}).publish_to = Plan::to(rows);
  core::ServiceDescription& service = plan.service("sink", rows, {sink.get()});
  service.batch_size = kBatch;
  service.scaling.desired_capacity = 2;
  auto engine = plan.start();
  ASSERT_TRUE(engine);

  // All but the batch with the last part come to their end, the parent too.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  const auto others_ended = [&] {
    const core::Snapshot now = (*engine)->snapshot();
    return last_is_held && received == parts && now.queues[in].deleted == 1 &&
           now.queues[rows].deleted + kBatch >= parts;
  };
  while (!others_ended() && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(others_ended());
  EXPECT_EQ(settled, 0u) << "the last part has not ended";
  door.open();

  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  const core::Summary summary = (*engine)->finish();
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(settled, 1u);
  EXPECT_EQ(summary.sources[0].acknowledged, 1u);
  EXPECT_EQ(summary.queues[rows].sent, parts);
  EXPECT_EQ(summary.queues[rows].deleted, parts);
  EXPECT_TRUE(std::ranges::all_of(times, [](const auto& each) { return each == 1; })) << "none is lost, none comes twice";
  EXPECT_LE(most_ahead, kCapacity + 2 * core::kChunkMessages) << "some credit admits a whole chunk, and one is begun";
  expect_conservation(summary);
}

}  // namespace
}  // namespace sluice::test
