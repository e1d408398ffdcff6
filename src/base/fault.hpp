// Named fault points: places where a test makes the product fail, stop or die. Compiled out unless
// the build sets -Dfault_points=true. Names are "room.moment", for example "dead_letters.before_sync".
#pragma once

#ifdef SLUICE_FAULT_POINTS
#include <functional>
#include <string_view>

namespace sluice::core {
/// Called at each fault point with its name; true: the place fails as if the machine had. [thread-safe]
void set_fault_handler(std::function<bool(std::string_view name)> handler);
bool fault_point(std::string_view name);
}  // namespace sluice::core

#define SLUICE_FAULT(name) ::sluice::core::fault_point(name)
#else
#define SLUICE_FAULT(name) false
#endif
