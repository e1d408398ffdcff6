// How long long tests are: SLUICE_TEST_SCALE, default 1 (CI 0.15, soak more).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace sluice::test {

/// `count` rounds at scale 1; at least one.
inline std::uint64_t scaled(std::uint64_t count) {
  const char* text = std::getenv("SLUICE_TEST_SCALE");
  double scale = text != nullptr ? std::strtod(text, nullptr) : 1.0;
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(count) * scale));
}

}  // namespace sluice::test
