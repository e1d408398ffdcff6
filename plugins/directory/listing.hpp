// Lists objects in the bytewise order of their keys.
#pragma once

#include <cstdint>
#include <string_view>

#include "keys.hpp"
#include "root.hpp"

namespace sluice::directory {

/// Tells every object whose key begins with `prefix` and is greater than `after` (empty: all), in
/// bytewise order. Holds the names of one folder per level in memory, never the whole tree. Objects
/// that come or go meanwhile are told or not. Stale temporary files that are met are removed.
/// Returns SLUICE_OK, or what `each` answered. Throws Failure: DENIED, UNAVAILABLE.
std::int32_t list_objects(const Root& root, std::string_view prefix, std::string_view after,
                          std::int64_t now_ns, const EachObject& each);

}  // namespace sluice::directory
