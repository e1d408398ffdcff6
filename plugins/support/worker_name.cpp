#include "support/worker_name.hpp"

#include <fmt/format.h>

#include <map>

namespace sluice::support {

std::string worker_name(std::string_view service, std::string_view stage) {
  static std::map<std::string, unsigned> made;
  return fmt::format("{}-{}", service, ++made[fmt::format("{}\n{}", service, stage)]);
}

}  // namespace sluice::support
