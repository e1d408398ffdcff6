// Pipelines of scripted components, run by the engine in process.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "pipeline/engine.hpp"
#include "support/script.hpp"

namespace sluice::test {

/// A door that stages wait at.
class Door {
 public:
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    change_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    change_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable change_;
  bool open_ = false;
};

/// Writes a pipeline down; scripts outlive the engine.
class Plan {
 public:
  Plan() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-pipeline-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    pipeline_.name = "test";
    pipeline_.state = folder_ + "/state";
  }
  ~Plan() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  std::uint32_t queue(core::QueueDescription description) {
    pipeline_.queues.push_back(std::move(description));
    return static_cast<std::uint32_t>(pipeline_.queues.size() - 1);
  }
  std::uint32_t queue(const std::string& name) {
    core::QueueDescription description;
    description.name = name;
    return queue(std::move(description));
  }
  /// A queue that dead-letters to another of its own after `max_receive_count` receives.
  std::uint32_t queue_with_dead(const std::string& name, std::uint32_t max_receive_count, std::int64_t visibility_timeout_ms = 30'000) {
    std::uint32_t dead = queue(name + "-dead");
    core::QueueDescription description;
    description.name = name;
    description.visibility_timeout_ms = visibility_timeout_ms;
    description.redrive_policy = core::RedrivePolicy{max_receive_count, dead};
    return queue(std::move(description));
  }
  core::Target topic(std::vector<std::uint32_t> queues) {
    pipeline_.topics.push_back({"topic", std::move(queues), {}, nullptr});
    return {core::Target::Kind::topic, static_cast<std::uint32_t>(pipeline_.topics.size() - 1)};
  }
  static core::Target to(std::uint32_t queue) { return {core::Target::Kind::queue, queue}; }
  void source(Script& script, core::Target target) { pipeline_.sources.push_back({"source", script.config("source"), target}); }
  core::ServiceDescription& service(const std::string& name, std::uint32_t queue, std::vector<Script*> stages) {
    core::ServiceDescription description;
    description.name = name;
    description.queue = queue;
    for (Script* stage : stages) {
      description.stages.push_back(stage->config(name));
    }
    pipeline_.services.push_back(std::move(description));
    return pipeline_.services.back();
  }
  core::PipelineDescription& pipeline() { return pipeline_; }
  std::string dead_letters(const std::string& queue) const {
    std::ifstream file(pipeline_state() + "/dead-letters/" + queue + ".jsonl");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string pipeline_state() const { return folder_ + "/state"; }

  core::Result<std::unique_ptr<core::Engine>> start(bool until_idle = true, std::uint32_t pool_threads = 2,
                                                    core::Clock& clock = core::system_clock()) {
    core::RunOptions options;
    options.until_idle = until_idle;
    options.pool_threads = pool_threads;
    return core::Engine::start(std::move(pipeline_), clock, options);
  }
  /// Runs until idle.
  core::Summary run(std::uint32_t pool_threads = 2) {
    auto engine = start(true, pool_threads);
    EXPECT_TRUE(engine);
    EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1))) << "it never came to rest";
    return (*engine)->finish();
  }

 private:
  std::string folder_;
  core::PipelineDescription pipeline_;
};

/// Emits `count` messages "0", "1", ... and ends.
inline std::unique_ptr<Script> counting_source(std::uint64_t count, std::uint32_t flags = 0) {
  return Script::source("count", flags, [count](sluice_out* out) {
    for (std::uint64_t i = 0; i < count; ++i) {
      if (int32_t status = emit(out, 0, std::to_string(i), i); status != SLUICE_OK) {
        return status;
      }
      if (i % 7 == 0) {
        core::host().flush(out);
      }
    }
    return int32_t{SLUICE_END};
  });
}

/// Keeps the bodies that it is given.
inline std::unique_ptr<Script> keeping_stage(Record<std::string>& bodies, std::uint32_t flags = 0) {
  return Script::stage("keep", flags, [&bodies](const sluice_batch& batch, sluice_out*) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      bodies.add(body_of(*batch.messages[i]));
    }
    return int32_t{SLUICE_OK};
  });
}

inline std::unique_ptr<Script> forwarding_stage(std::uint32_t flags = 0) {
  return Script::stage("forward", flags, [](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      if (int32_t status = emit(out, i, body_of(*batch.messages[i])); status != SLUICE_OK) {
        return status;
      }
    }
    return int32_t{SLUICE_OK};
  });
}

/// DESIGN §7.1 in each queue of a summary.
inline void expect_conservation(const core::Summary& summary) {
  for (const core::QueueNumbers& n : summary.queues) {
    EXPECT_EQ(n.sent + n.moved_in, n.visible + n.in_flight + n.delayed + n.deleted + n.moved_to_dead_letter + n.expired + n.dropped + n.purged)
        << n.name;
  }
}

}  // namespace sluice::test
