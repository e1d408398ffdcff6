#pragma once

#include <string>

namespace sluice::core {

/// What `sluice --version` prints, without the last newline: version, commit where it is known,
/// build, compiler, ABI.
std::string version_text();

}  // namespace sluice::core
