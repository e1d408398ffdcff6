// Random numbers as an argument, so that a seed replays a run.
#pragma once

#include <cstdint>

namespace sluice::core {

/// Of this process: with it in a hash, nobody can choose keys that collide. [any]
std::uint64_t hash_seed();

/// splitmix64: small, fast, good enough for ids and jitter; not for secrets. One owner at a time.
class Random {
 public:
  /// Seeded by the kernel.
  Random();
  explicit Random(std::uint64_t seed)
      : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace sluice::core
