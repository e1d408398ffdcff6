#include "base/log_limit.hpp"

#include <utility>

namespace sluice::core {

LogLimit::Verdict LogLimit::judge(std::string_view component, std::int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  auto found = seconds_.find(component);
  if (found == seconds_.end()) {
    found = seconds_.emplace(std::string(component), Second{now_ns, 0, 0}).first;
  }
  Second& second = found->second;
  std::uint64_t left_out = 0;
  if (now_ns - second.began_ns >= 1'000'000'000) {
    left_out = std::exchange(second, Second{now_ns, 0, 0}).left_out;
  }
  if (second.passed < lines_per_second_) {
    ++second.passed;
    return {true, left_out};
  }
  ++second.left_out;
  return {false, 0};
}

std::uint64_t LogLimit::finish(std::string_view component) {
  const std::lock_guard lock(mutex_);
  const auto found = seconds_.find(component);
  if (found == seconds_.end()) {
    return 0;
  }
  const std::uint64_t left_out = found->second.left_out;
  seconds_.erase(found);
  return left_out;
}

}  // namespace sluice::core
