// Source "generate": messages out of nothing, for tests and measurements.
#include <sluice/plugin.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "attributes.hpp"
#include "bodies.hpp"
#include "pace.hpp"

namespace sluice::generate {
namespace {

/// What sluice_host::reserve gives room for.
constexpr std::size_t kReserveBytesMax = 8192;

std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/// Waits until a time, or until it is cancelled.
class Alarm {
 public:
  /// False: cancelled.
  bool wait_until(std::int64_t due_ns) {
    std::unique_lock lock(mutex_);
    const std::chrono::steady_clock::time_point due{std::chrono::nanoseconds(due_ns)};
    return !changed_.wait_until(lock, due, [this] { return cancelled(); });
  }
  void cancel() {
    const std::lock_guard lock(mutex_);  // so that it is not missed between look and sleep
    cancelled_.store(true, std::memory_order_relaxed);
    changed_.notify_all();
  }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> cancelled_{false};  ///< set under mutex_
};

class Generate {
 public:
  static bool check(const Config& config) {
    const auto attributes = read_attributes(config.find_json("attributes").value_or("{}"));
    if (!attributes)
      config.error("attributes", attributes.error());
    return attributes.has_value();
  }

  explicit Generate(const Config& config)
      : bodies_(static_cast<std::size_t>(config.integer("body_bytes")),
                static_cast<std::uint64_t>(config.integer("seed"))),
        count_(static_cast<std::uint64_t>(config.integer("count"))),
        rate_(config.number("rate")),
        batch_(batch_for(static_cast<std::uint64_t>(config.integer("batch")), rate_)) {
    auto attributes = read_attributes(config.find_json("attributes").value_or("{}"));
    if (!attributes)
      throw Failure(SLUICE_BAD_OPTION, attributes.error());
    owned_ = *std::move(attributes);
    for (const Attribute& one : owned_)
      views_.push_back(attribute(one.name, one.value, one.type));
    for (const sluice_attribute& one : views_)
      pointers_.push_back(&one);
    if (bodies_.size() > kReserveBytesMax)
      body_.resize(bodies_.size());
    emission_.attribute_count = static_cast<std::uint32_t>(pointers_.size());
    emission_.attributes = pointers_.data();
  }

  std::int32_t run(Out& out) {
    Pace pace(rate_, steady_ns());
    for (std::uint64_t sequence = 0; count_ == 0 || sequence < count_;) {
      const std::uint64_t left = count_ == 0 ? batch_ : count_ - sequence;
      const std::uint64_t batch = left < batch_ ? left : batch_;
      if (!wait(pace, batch))
        return SLUICE_CANCELLED;
      for (const std::uint64_t end = sequence + batch; sequence < end; ++sequence) {
        const std::int32_t status = emit(out, sequence);
        if (status != SLUICE_OK)
          return ended(status);
      }
      if (const std::int32_t status = out.flush(); status != SLUICE_OK)
        return ended(status);
      if (rate_ > 0)
        pace.sent(batch, steady_ns());
    }
    return SLUICE_END;
  }

  void cancel() { alarm_.cancel(); }

 private:
  /// A slow rate is not gathered: a batch spans 10 ms at most.
  static std::uint64_t batch_for(std::uint64_t batch, double rate) {
    if (rate <= 0)
      return batch;
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rate / 100), 1, batch);
  }

  bool wait(const Pace& pace, std::uint64_t batch) {
    return rate_ <= 0 ? !alarm_.cancelled() : alarm_.wait_until(pace.due_ns(batch));
  }

  static std::int32_t ended(std::int32_t status) {
    if (status == SLUICE_CANCELLED)
      return status;
    throw Failure(SLUICE_FATAL, "a message was refused with status " + std::to_string(status));
  }

  std::int32_t emit(Out& out, std::uint64_t sequence) {
    if (bodies_.size() <= kReserveBytesMax) {
      std::uint8_t* room = nullptr;
      const std::int32_t status = host().reserve(out.get(), bodies_.size(), &room);
      if (status != SLUICE_OK)
        return status;
      bodies_.write(sequence, {room, bodies_.size()});
      return host().commit(out.get(), bodies_.size(), pointers_.empty() ? nullptr : &emission_);
    }
    bodies_.write(sequence, body_);
    emission_.body = body_.data();
    emission_.body_size = body_.size();
    return out.emit(emission_);
  }

  const Bodies bodies_;
  const std::uint64_t count_;
  const double rate_;
  const std::uint64_t batch_;
  std::vector<Attribute> owned_;
  std::vector<sluice_attribute> views_;
  std::vector<const sluice_attribute*> pointers_;
  std::vector<std::uint8_t> body_;
  sluice_emission emission_ = emission();
  Alarm alarm_;
};

constexpr sluice_option kCount = option({.name = "count",
                                         .type = "int",
                                         .default_json = "0",
                                         .minimum = "0",
                                         .help = "How many messages; 0: without end."});
constexpr sluice_option kBodyBytes = option({.name = "body_bytes",
                                             .type = "size",
                                             .default_json = "\"256B\"",
                                             .minimum = "\"12B\"",
                                             .maximum = "\"64MiB\"",
                                             .help = "The size of each body."});
constexpr sluice_option kRate =
    option({.name = "rate",
            .type = "float",
            .default_json = "0",
            .minimum = "0",
            .maximum = "1000000000",
            .help = "Messages per second; 0: as fast as they are taken."});
constexpr sluice_option kBatch = option({.name = "batch",
                                         .type = "int",
                                         .default_json = "64",
                                         .minimum = "1",
                                         .maximum = "64",
                                         .help = "Messages published together."});
constexpr sluice_option kSeed = option({.name = "seed",
                                        .type = "int",
                                        .default_json = "0",
                                        .minimum = "0",
                                        .help = "Chooses the bytes that fill the bodies."});
constexpr sluice_option kAttributes =
    option({.name = "attributes",
            .type = "json",
            .default_json = "{}",
            .help = "Attributes of every message, such as {\"event\":\"signup\",\"size\":5}."});
constexpr const sluice_option* kOptions[] = {&kCount, &kBodyBytes,  &kRate, &kBatch,
                                             &kSeed,  &kAttributes, nullptr};

const sluice_component kGenerate =
    source<Generate>("generate",
                     "Makes messages for tests and measurements: 8 bytes of sequence number, "
                     "filler, CRC-32. The same "
                     "options make the same bodies. What is not settled does not come again after "
                     "a restart: it begins at "
                     "0 anew.",
                     0, kOptions);

}  // namespace
}  // namespace sluice::generate

SLUICE_PLUGIN("dev.sluice.generate", "1.0.0", &sluice::generate::kGenerate)
