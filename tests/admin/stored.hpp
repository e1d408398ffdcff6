// A stopped pipeline with two dead letters, for what stands above a QueueControl.
#pragma once

#include <memory>
#include <string>

#include "pipeline/service_control.hpp"
#include "pipeline/stored_queues.hpp"
#include "support/test_storage.hpp"

namespace sluice::test {

/// One service, "drain", without a worker yet.
struct StoppedServices final : core::ServiceControl {
  core::Result<core::WorkerChange> start(const std::string& service, std::uint32_t count) override {
    return change(service, static_cast<std::int64_t>(count));
  }
  core::Result<core::WorkerChange> stop(const std::string& service, std::uint32_t count) override {
    return change(service, -static_cast<std::int64_t>(count));
  }
  core::Result<core::WorkerChange> change(const std::string& service, std::int64_t by) {
    if (service != "drain")
      return core::fail(core::Errc::missing_input, "there is no such service");
    const std::uint32_t before = workers;
    workers = static_cast<std::uint32_t>(before + by);
    return core::WorkerChange{before, workers};
  }
  std::uint32_t workers = 0;
};

struct Stored {
  static constexpr std::int64_t kNowMs = 1'000'000;

  Stored() {
    core::QueueDescription jobs, dead;
    jobs.name = "jobs";
    dead.name = "jobs-dead";
    jobs.redrive_policy = core::RedrivePolicy{3, 1};
    pipeline.name = "p";
    pipeline.state = "state";
    pipeline.queues = {jobs, dead};
    storage.put("state/dead-letters/jobs-dead.jsonl",
                letter(1, "damaged") + letter(2, "access denied"));
    queues = std::make_unique<core::StoredQueues>(pipeline, storage, nullptr, kNowMs);
  }
  static std::string letter(int number, const std::string& reason) {
    return R"({"id":"0000000)" + std::to_string(number) +
           R"(-0000-4000-8000-000000000000","body":"body )" + std::to_string(number) +
           R"(","attributes":{},"sent":1,"receive_count":1,"dead_letter":{"queue":"jobs-dead","service":"s","stage":"t","reason":")" +
           reason + R"(","detail":"","first":1,"last":)" + std::to_string(kNowMs - 60'000) +
           R"(,"source_queue":"jobs"}})" + "\n";
  }
  std::string file() const { return storage.content("state/dead-letters/jobs-dead.jsonl"); }

  core::PipelineDescription pipeline;
  TestStorage storage;
  std::unique_ptr<core::QueueControl> queues;
};

}  // namespace sluice::test
