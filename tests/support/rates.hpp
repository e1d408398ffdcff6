// Rates as ratios: the same work with and without something, in turn, in the same run.
#pragma once

#include <algorithm>
#include <ctime>
#include <functional>
#include <vector>

#include "support/scale.hpp"

namespace sluice::test {

/// Of this thread: what else runs on the machine is not in it.
inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What a ratio is held to. The bar is the product's. Sanitizers make atomic operations and memory dearer than the
/// rest, and ThreadSanitizer by so much that its ratios say nothing.
constexpr double rate_bar([[maybe_unused]] double product) {
#if defined(__SANITIZE_THREAD__)
  return 0;
#elif defined(__SANITIZE_ADDRESS__)
  return product - 0.1;
#else
  return product;
#endif
}

/// Of at least one value.
inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// The rate of `with` as a part of that of `without`; each does one round of the same work and returns the seconds
/// that it took. The median of rounds that take turns.
inline double rate_beside(const std::function<double()>& with, const std::function<double()>& without,
                          std::uint64_t rounds = 15 + scaled(40)) {
  std::vector<double> ratios;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    double with_seconds = 0, without_seconds = 0;
    for (const bool with_first : {round % 2 == 0, round % 2 != 0}) {
      (with_first ? with_seconds : without_seconds) = (with_first ? with : without)();
    }
    ratios.push_back(without_seconds / with_seconds);
  }
  return median(ratios);
}

}  // namespace sluice::test
