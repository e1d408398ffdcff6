#include "cli/version.hpp"

#include <fmt/format.h>
#include <sluice/plugin.h>

#include "cli/build.hpp"

namespace sluice::core {

std::string version_text() {
  const std::string commit = SLUICE_COMMIT;
  return fmt::format("sluice {}{}\nbuild: {}\ncompiler: {} {}\nplugin ABI: {}.{}", SLUICE_VERSION,
                     commit.empty() ? "" : fmt::format(" ({})", commit), SLUICE_BUILD_TYPE,
#ifdef __clang__
                     "clang",
#else
                     "g++",
#endif
                     __VERSION__, SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR);
}

}  // namespace sluice::core
