#include "base/random.hpp"

#include <sys/random.h>

#include <cstdlib>

namespace sluice::core {

std::uint64_t hash_seed() {
  static const std::uint64_t seed = Random().next();
  return seed;
}

Random::Random()
    : state_(0) {
  // 8 bytes never come short and never wait once the machine has booted (getrandom(2)).
  if (getrandom(&state_, sizeof state_, 0) != sizeof state_) {
    std::abort();
  }
}

}  // namespace sluice::core
