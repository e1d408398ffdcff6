// One plugin file: is it loadable, does it speak our ABI, is its descriptor sound. dlopen is here
// and nowhere else.
#pragma once

#include <sluice/plugin.h>

#include <optional>
#include <string>

#include "base/result.hpp"

namespace sluice::core {

/// Loads `path` and returns its descriptor, which lives until the process ends (nothing is ever
/// unloaded). The error is unavailable (69), one line that names the file and the reason. [control]
Result<const sluice_plugin*> load_library(const std::string& path);

/// What keeps `path` from being a shared object for this machine, judged without running any of it;
/// a file cut short would otherwise end the process with SIGBUS inside the dynamic loader.
std::optional<std::string> library_file_fault(const std::string& path);

/// What is wrong with a descriptor; nothing if it is sound.
std::optional<std::string> descriptor_fault(const sluice_plugin* plugin);

}  // namespace sluice::core
