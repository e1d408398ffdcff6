// A source: its thread, and the way of what it emits into its topic or queue.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "plugin/host.hpp"
#include "plugin/out.hpp"
#include "service/emission.hpp"
#include "service/thread.hpp"
#include "topic/publisher.hpp"

namespace sluice::core {

struct SourceOptions {
  std::string name;
  std::vector<Queue*> queues;  ///< the branches of its target
  int core = -1;               ///< bind its thread
  /// run() ended with an error. (status, text)
  std::function<void(int32_t status, const std::string& source)> failed;
};

class Source final : public sluice_out, private SettleListener {
 public:
  Source(SourceOptions options, Instance instance, Timers& timers, DeadLetters& dead_letters);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const std::string& name() const { return options_.name; }
  Publisher& publisher() { return publisher_; }
  bool repeats() const { return (instance_.component().descriptor->flags & SLUICE_REPEATS) != 0; }
  void start();
  /// run() is to return, and not to wait for credit any more; who waits already sees it when the queue rings. [any]
  void cancel();
  bool running() const { return running_.load(std::memory_order_acquire); }
  /// It waits for credit of a full queue. [any]
  bool waits() const { return waits_.load(std::memory_order_acquire); }
  /// Nothing is left to emit for now. [any]
  bool is_exhausted() const { return exhausted_.load(std::memory_order_acquire) || !running(); }
  void join() { thread_.join(); }
  /// Lets it keep what it was told by settled(). After join(); what a stage that was left behind settles later it is not
  /// told any more.
  Result<void> finish();
  void abandon() { thread_.abandon(); }

  std::uint64_t events() const { return publisher_.published(); }
  std::uint64_t acknowledged() const { return acknowledged_.load(std::memory_order_acquire); }

  // sluice_out [source]
  int32_t emit(const sluice_emission& emission, bool may_wait) override;
  int32_t reserve(uint64_t body_size, uint8_t** body) override;
  int32_t commit(uint64_t body_size, const sluice_emission* emission) override;
  int32_t flush() override;
  int32_t reject_part(const sluice_emission&, sluice_str, sluice_str) override { return SLUICE_INVALID; }
  int32_t settle(uint32_t, int32_t, int64_t, sluice_str, sluice_str) override { return SLUICE_INVALID; }
  int32_t progress(uint32_t, uint64_t, uint64_t) override { return cancelled() ? SLUICE_CANCELLED : SLUICE_OK; }
  int32_t ignore(uint32_t) override { return SLUICE_INVALID; }
  int32_t exhausted() override;

 private:
  void settled(std::uint64_t cookie, bool rejected, std::uint32_t messages) override;
  void run();
  int32_t commit_with_parts(std::uint64_t body_size, const sluice_emission& emission);
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  /// Something follows what was told to be all.
  void emits() {
    if (exhausted_.load(std::memory_order_relaxed)) {
      exhausted_.store(false, std::memory_order_seq_cst);
    }
  }

  const SourceOptions options_;
  const Instance instance_;
  // Everybody's.
  Atomic<bool> cancelled_{false}, running_{false}, exhausted_{false}, waits_{false}, finished_{false};
  alignas(kCacheLine) Atomic<std::uint64_t> acknowledged_{0};
  // The source's thread's.
  alignas(kCacheLine) EmissionReader emission_reader_;
  bool reserved_ = false;               ///< reserve() gave room that still stands
  std::uint64_t reserved_bytes_ = 0;
  Publisher publisher_;
  Thread thread_;
};

}  // namespace sluice::core
