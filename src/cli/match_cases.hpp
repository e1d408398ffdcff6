// `match --cases`: filter policies held against a file of expectations.
#pragma once

#include <string>

#include "base/result.hpp"

namespace sluice::core {

/// Prints each disagreement, then "N passed, M failed". The exit code: 1 if any failed, or else 65
/// if some line is no case. `explained`: with all reasons, below a disagreement. Errors:
/// missing_input, io.
Result<int> run_match_cases(const std::string& file, bool explained);

}  // namespace sluice::core
