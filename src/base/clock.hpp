// Time as an argument: everything that waits or stamps asks a Clock, so that tests drive it.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::core {

/// [thread-safe] Two times: steady (never jumps, arbitrary start) and wall (since 1970).
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t steady_ns() const = 0;
  /// The steady time as some milliseconds ago it was: a quarter of the other's cost, for what is stamped.
  virtual std::int64_t coarse_steady_ms() const = 0;
  virtual std::int64_t wall_ms() const = 0;
};

/// The system's clocks.
Clock& system_clock();

/// Stands still until moved.
class FakeClock final : public Clock {
 public:
  std::int64_t steady_ns() const override { return steady_ns_.load(std::memory_order_acquire); }
  std::int64_t coarse_steady_ms() const override { return steady_ns() / 1'000'000; }
  std::int64_t wall_ms() const override { return wall_ms_.load(std::memory_order_acquire); }
  void advance_ms(std::int64_t ms) {
    steady_ns_.fetch_add(ms * 1'000'000, std::memory_order_acq_rel);
    wall_ms_.fetch_add(ms, std::memory_order_acq_rel);
  }
  /// Moves the wall clock alone, as an administrator does.
  void jump_wall_ms(std::int64_t ms) { wall_ms_.fetch_add(ms, std::memory_order_acq_rel); }

 private:
  std::atomic<std::int64_t> steady_ns_{1'000'000'000};
  std::atomic<std::int64_t> wall_ms_{1'767'225'600'000};  // 2026-01-01T00:00:00Z
};

}  // namespace sluice::core
