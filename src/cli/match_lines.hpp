// JSON lines, as `match` reads messages and cases. [main-thread]
#pragma once

#include <functional>
#include <string>

#include "base/json.hpp"
#include "base/result.hpp"

namespace sluice::core {

/// Calls `take` for each line of `file` ("-": stdin) but blank ones; what take() prints is written
/// before more input is waited for. A line that is no JSON, that is over 16 MiB, or that take()
/// finds fault with is reported on stderr with its number, and reading goes on. Whether no line
/// was. Errors: missing_input, io.
Result<std::size_t> read_json_lines(const std::string& file,
                                    const std::function<Result<void>(const Json&)>& take);

}  // namespace sluice::core
