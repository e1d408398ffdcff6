// Stage "pause": each message takes a while, and passes unchanged. For trying scaling, limits and
// alarms with work whose length is known.
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace sluice::pause {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

/// How often the host hears that there is progress, so that no lease of a long pause expires.
constexpr milliseconds kStep{250};

class Pause {
 public:
  explicit Pause(const Config& config) : duration_(config.integer("duration")) {}

  void process(const Batch& batch, Out& out) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (!wait(i, out))
        return;  // somebody else has the messages now
      pass_on(batch[i], i, out);
    }
  }

  void cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }

 private:
  /// False: the lease has expired meanwhile.
  bool wait(std::uint32_t index, Out& out) {
    const Steady::time_point begin = Steady::now(), end = begin + duration_;
    std::unique_lock lock(mutex_);
    while (Steady::now() < end) {
      if (changed_.wait_until(lock, std::min(end, Steady::now() + kStep),
                              [this] { return cancelled_; }))
        throw Failure(SLUICE_CANCELLED, "cancelled");
      const auto waited = std::chrono::duration_cast<milliseconds>(Steady::now() - begin);
      const std::int32_t status = out.progress(index, static_cast<std::uint64_t>(waited.count()),
                                               static_cast<std::uint64_t>(duration_.count()));
      if (status == SLUICE_CANCELLED)
        throw Failure(SLUICE_CANCELLED, "cancelled");
      if (status == SLUICE_STALE)
        return false;
    }
    return true;
  }

  static void pass_on(const Message& message, std::uint32_t index, Out& out) {
    sluice_emission emission = sluice::emission(index);
    emission.body = message->body;  // the message's own: the host copies it where it must
    emission.body_size = message->body_size;
    const std::int32_t status = out.emit(emission);
    if (status == SLUICE_CANCELLED)
      throw Failure(status, "cancelled");
    if (status != SLUICE_OK)
      out.retry(index, "emit_failed", fmt::format("the host answered {}", status));
  }

  const milliseconds duration_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;  // guarded by mutex_
};

constexpr sluice_option kDuration = option({.name = "duration",
                                            .type = "duration",
                                            .default_json = "\"1s\"",
                                            .minimum = "\"1ms\"",
                                            .maximum = "\"12h\"",
                                            .help = "How long each message takes."});
constexpr const sluice_option* kOptions[] = {&kDuration, nullptr};

const sluice_component kComponent =
    stage<Pause>("pause",
                 "Waits for each message, one after the other, and passes it on unchanged: work of "
                 "a known length, for trying how a "
                 "service scales.",
                 SLUICE_BLOCKS, kOptions);

}  // namespace
}  // namespace sluice::pause

SLUICE_PLUGIN("dev.sluice.pause", "1.0.0", &sluice::pause::kComponent)
