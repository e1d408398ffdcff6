#include "pipeline/queue_control.hpp"

#include <fmt/format.h>

#include "base/spelling.hpp"

namespace sluice::core {

std::unexpected<Error> no_queue(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string near = name.size() > 100 ? "" : did_you_mean(nearest_name(name, known));
  return fail(Errc::missing_input, fmt::format("there is no queue '{}'{}", name, near));
}

std::unexpected<Error> not_dead_letters(std::string_view queue) {
  return fail(
      Errc::usage,
      fmt::format("queue '{}' is no dead-letter queue: only dead letters can be redriven", queue));
}

}  // namespace sluice::core
