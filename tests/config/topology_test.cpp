#include "config/topology.hpp"

#include <gtest/gtest.h>

#include "message/origin.hpp"
#include "queue/dead_letters.hpp"
#include "queue/deduplication.hpp"
#include "queue/lanes.hpp"
#include "queue/log.hpp"
#include "queue/timers.hpp"
#include "config_fixture.hpp"

namespace sluice::core {
namespace {

using Edges = std::vector<std::vector<std::uint32_t>>;

TEST(Topology, a_graph_without_a_way_back_has_no_cycle) {
  EXPECT_TRUE(find_cycles(Edges{{1, 2}, {3}, {3}, {}}).empty());
}

TEST(Topology, a_cycle_is_given_in_its_order_without_the_way_to_it) {
  EXPECT_EQ(find_cycles(Edges{{1}, {2}, {3}, {1}}), (Edges{{1, 2, 3}}));
}

TEST(Topology, separate_cycles_are_each_found) {
  EXPECT_EQ(find_cycles(Edges{{0}, {2}, {1}}).size(), 2U);
}

TEST(Topology, a_chain_of_a_million_does_not_overflow_the_stack) {
  Edges edges(1'000'000);
  for (std::uint32_t i = 0; i + 1 < edges.size(); ++i)
    edges[i].push_back(i + 1);
  edges.back().push_back(0);
  ASSERT_EQ(find_cycles(edges).size(), 1U);
}

TEST(Topology, every_queue_that_can_be_reached_can_stall_its_source) {
  const Loaded loaded(
      R"({"topics": {"t": {}}, "queues": {"far": {}, "other": {}, "near": {"subscriptions": [{"topic": "t"}]}, "side": {"subscriptions": [{"topic": "t"}]}},
    "sources": {"s": {"type": "test_source", "publish_to": "t"}, "o": {"type": "test_source", "publish_to": "other"}},
    "services": {"w": {"queue": "near", "publish_to": "far", "stages": [{"type": "test_upper"}]}}})");
  ASSERT_TRUE(loaded.result) << loaded.text();
  // near-dead is the fourth: moves to it never wait, so it stalls nobody.
  EXPECT_EQ(stalling_queues(loaded.pipeline(), loaded.pipeline().sources[0]),
            (std::vector<std::uint32_t>{0, 2, 3}));
  EXPECT_EQ(stalling_queues(loaded.pipeline(), loaded.pipeline().sources[1]),
            (std::vector<std::uint32_t>{1}));
}

TEST(Topology, the_memory_bound_counts_queues_producers_batches_in_hand_and_what_they_become) {
  const Loaded loaded(
      R"({"queues": {"q": {"capacity_bytes": "10MiB"}, "r": {"capacity_bytes": "1MiB"}, "q-dead": {"capacity_bytes": "1MiB"}},
    "sources": {"s": {"type": "test_source", "publish_to": "q"}},
    "services": {"w": {"queue": "q", "batch_size": 5, "max_body_bytes": "2MiB", "publish_to": "r", "scaling": {"desired_capacity": 3}, "stages": [{"type": "test_upper"}]}}})");
  ASSERT_TRUE(loaded.result) << loaded.text();
  const MemoryBound bound = memory_bound(loaded.pipeline());
  EXPECT_EQ(bound.queues, 12 << 20);
  EXPECT_EQ(bound.producers, (4 << 20) + (63 << 19)) << "four chunks, seven slab classes of one source";
  EXPECT_EQ(bound.workers, 30 << 20);
  EXPECT_EQ(bound.emissions, std::int64_t{30 * 64} << 20);
  EXPECT_EQ(bound.admin, 0);
  EXPECT_EQ(bound.logs, 4 * Log::bytes_max(1)) << "of the source and of three workers";
  EXPECT_EQ(bound.origins, (11 << 20) / 4096 * Origin::bytes_max()) << "each of the smallest chunks; none of q-dead";
  EXPECT_EQ(bound.total(), (std::int64_t{46} << 20) + (63 << 19) + bound.emissions + bound.parts + bound.timers + bound.logs + bound.origins);
}

TEST(Topology, the_memory_bound_counts_a_log_for_all_branches_of_each_publisher) {
  const Loaded loaded(
      R"({"topics": {"t": {}}, "queues": {"a": {"subscriptions": [{"topic": "t"}]}, "b": {"subscriptions": [{"topic": "t"}]}},
    "sources": {"s": {"type": "test_source", "publish_to": "t"}}})");
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(memory_bound(loaded.pipeline()).logs, Log::bytes_max(2));
  EXPECT_EQ(Log::bytes_max(3), 1024 * (64 + 64 * 128)) << "1024 segments of 64 entries, of two lines each";
}

/// As many as `capacity` lets in, or `capacity_bytes` of the smallest ones.
TEST(Topology, the_memory_bound_counts_what_messages_take_in_the_timers) {
  const auto timers = [](const std::string& keys) {
    const Loaded loaded(R"({"queues": {"q": {)" + keys + "}}}");
    EXPECT_TRUE(loaded.result) << loaded.text();
    return memory_bound(loaded.pipeline()).timers;
  };
  EXPECT_EQ(timers(R"("capacity": 1000)"), Timers::bytes_max(1000));
  EXPECT_EQ(timers(R"("capacity": 1000000, "capacity_bytes": "64KiB")"), Timers::bytes_max(1024));
  EXPECT_EQ(Timers::bytes_max(1), 4 * 48) << "the inbox, a slot of the wheel, and twice that while it grows";
}

TEST(Topology, the_memory_bound_counts_rejected_parts_where_there_are_stages) {
  for (const auto& [services, bytes] :
       {std::pair{R"("s": {"queue": "q", "publish_to": "out", "stages": [{"type": "test_upper"}]})", DeadLetters::kPartBytesMax},
        {"", std::int64_t{0}}}) {
    const Loaded loaded(R"({"queues": {"q": {}, "out": {}}, "services": {)" + std::string(services) + "}}");
    ASSERT_TRUE(loaded.result) << loaded.text();
    EXPECT_EQ(memory_bound(loaded.pipeline()).parts, bytes);
  }
}

TEST(Topology, the_memory_bound_counts_answers_of_the_admin_address) {
  const Loaded loaded(R"({"queues": {"q": {}}, "admin": {"listen": "127.0.0.1:0"}})");
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(memory_bound(loaded.pipeline()).admin, kAdminBytesMax);
}

TEST(Topology, the_memory_bound_counts_a_slab_at_least_for_each_message_in_hand) {
  const Loaded loaded(
      R"({"queues": {"q": {}, "r": {}}, "sources": {"s": {"type": "test_source", "publish_to": "q"}},
    "services": {"w": {"queue": "q", "publish_to": "r", "batch_size": 100, "max_body_bytes": "1KiB", "scaling": {"desired_capacity": 2}, "stages": [{"type": "test_upper"}]}}})");
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(memory_bound(loaded.pipeline()).workers, 200 << 16) << "its neighbours may have ended";
}

TEST(Topology, the_memory_bound_counts_what_a_fifo_queue_remembers) {
  const auto bound = [](const std::string& keys) {
    const Loaded loaded(R"({"queues": {"q": {"capacity_bytes": "1MiB")" + keys + "}}}");
    EXPECT_TRUE(loaded.result) << loaded.text();
    return memory_bound(loaded.pipeline());
  };
  EXPECT_EQ(bound("").fifo, 0);
  const MemoryBound small = bound(R"(, "fifo": true, "deduplication_capacity": 1000)");
  EXPECT_EQ(small.total(), small.fifo + small.timers + (1 << 20));
  EXPECT_EQ(small.fifo, Deduplication::bytes_max(1000) + Lanes::bytes_max((1 << 20) / 64)) << "a lane for each message";
  EXPECT_GT(bound(R"(, "fifo": true)").fifo - small.fifo, 10'000'000 * 30LL);
}

/// As many as `capacity` lets in, or `capacity_bytes` of the smallest ones.
TEST(Topology, the_memory_bound_counts_a_lane_for_each_message_that_there_is_credit_for) {
  const auto lanes = [](const std::string& keys) {
    const Loaded loaded(R"({"queues": {"q": {"fifo": true, "deduplication_capacity": 1000, )" + keys + "}}}");
    EXPECT_TRUE(loaded.result) << loaded.text();
    return memory_bound(loaded.pipeline()).fifo - Deduplication::bytes_max(1000);
  };
  EXPECT_EQ(lanes(R"("capacity": 1000)"), Lanes::bytes_max(1000));
  EXPECT_EQ(lanes(R"("capacity": 1000000, "capacity_bytes": "64KiB")"), Lanes::bytes_max(1024));
}

TEST(Topology, a_worker_that_may_wait_does_not_overdraw) {
  const Loaded loaded(
      R"({"queues": {"q": {}, "r": {}}, "services": {"w": {"queue": "q", "publish_to": "r", "stages": [{"type": "test_split"}]}}})");
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(memory_bound(loaded.pipeline()).emissions, 0);
}

TEST(Topology, a_bound_beyond_all_numbers_stays_one) {
  PipelineDescription pipeline;
  for (int i = 0; i < 4096; ++i) {
    ServiceDescription& service = pipeline.services.emplace_back();
    service.scaling.desired_capacity = 1000;
    service.batch_size = 10'000;
    service.max_body_bytes = std::int64_t{1} << 30;
  }
  EXPECT_EQ(memory_bound(pipeline).total(), INT64_MAX);
}

}  // namespace
}  // namespace sluice::core
