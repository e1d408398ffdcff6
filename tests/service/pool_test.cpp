// Services that share a pool thread: what one of them does must not reach the others.
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "service/pool.hpp"
#include "support/line.hpp"
#include "support/script.hpp"

namespace sluice::test {
namespace {

/// Two services of one worker each, in this order on a pool of one thread. The second one's stage hangs until it may go on.
struct Neighbours {
  Neighbours()
      : stages{Script::stage("count", 0, [](const sluice_batch&, sluice_out*) { return SLUICE_OK; }),
               Script::stage("hang", 0,
                             [this](const sluice_batch&, sluice_out*) {
                               hangs = true;
                               hangs.notify_all();
                               goes_on.wait(false);
                               return SLUICE_OK;
                             })},
        ready(2, [this](std::uint32_t service) { pool.wake_for(*services[service]); }),
        pool({1, {}, &stopping}, ready, line.timers, permits) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      queues[i] = &line.queue({.name = "q" + std::to_string(i)});
      queues[i]->set_service(&ready, i);
      publishers[i] = &line.publisher({queues[i]});
      publishers[i]->wire_ready();
    }
    EXPECT_TRUE(line.open());
    for (std::uint32_t i = 0; i < 2; ++i) {
      core::WorkerOptions options;
      options.service = "s" + std::to_string(i);
      options.batch_size = 10;
      options.workers = 1;
      options.max_body_bytes = 1000;
      options.stopping = options.aborting = &stopping;
      std::vector<core::Instance> instances;
      instances.push_back(stages[i]->instance(options.service));
      std::vector<std::unique_ptr<core::Worker>> workers;
      workers.push_back(std::make_unique<core::Worker>(*queues[i], line.timers, line.letters, options));
      workers.back()->open(std::move(instances));
      services[i] = std::make_unique<core::Service>(
          core::ServiceOptions{.name = options.service, .index = i, .own_threads = false, .share = &shares[i], .stopping = &stopping, .failed = {}},
          *queues[i], line.timers, ready, std::move(workers));
      services[i]->timed(0, 1);  // its batches never took long
      pool.add(*services[i]);
    }
  }
  ~Neighbours() {
    goes_on = true;
    goes_on.notify_all();
    stopping.store(true, std::memory_order_seq_cst);
    pool.wake_all();
    pool.join();
    for (const std::unique_ptr<core::Service>& service : services) {
      service->workers()[0]->close();
    }
    for (core::Publisher* publisher : publishers) {
      publisher->close();
    }
  }

  std::atomic<bool> hangs{false}, goes_on{false};
  core::Atomic<bool> stopping{false};
  std::array<std::unique_ptr<Script>, 2> stages;
  Line line;
  core::Permits permits{1};
  std::array<core::Share, 2> shares;
  core::ReadySet ready;
  std::array<core::Queue*, 2> queues{};
  std::array<core::Publisher*, 2> publishers{};
  std::array<std::unique_ptr<core::Service>, 2> services;
  core::Pool pool;
};

/// Reliability catalogue C6: what one poisoned message holds up.
TEST(Pool, what_a_service_settled_does_not_wait_for_a_stage_that_hangs_on_the_same_thread) {
  Neighbours neighbours;
  Line& line = neighbours.line;
  line.publish(*neighbours.publishers[0], {"a"}, 1);
  line.publish(*neighbours.publishers[1], {"poison"}, 2);
  neighbours.pool.start();
  neighbours.hangs.wait(false);
  EXPECT_EQ(neighbours.queues[0]->counters().deleted, 1u);
  line.advance(100);
  line.advance(100);
  EXPECT_EQ(line.settled.all(), (std::vector<Settlements::Settlement>{{1, false, 1}})) << "the ticker looked twice";
}

}  // namespace
}  // namespace sluice::test
