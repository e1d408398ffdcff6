// How a service scales, as JSON: the `scaling` object, and the file of `sluice scale` around it.
// [control]
#pragma once

#include <string>
#include <vector>

#include "config/diagnostics.hpp"
#include "config/document.hpp"
#include "config/object_reader.hpp"
#include "scaling/simulator.hpp"

namespace sluice::core {

/// Whether somebody may start workers of a service that has none; nobody does in a simulation.
enum class Starts : bool { never, may_be };

/// The `scaling` object; `who` names it in errors. Reports every fault; what it returns counts only
/// if there was none. A capacity, period or policy that is wrong stands for any that would be right
/// in it, so that nothing follows: a service may be started, with the most workers there may be.
ScalingPolicy read_scaling_policy(const Reporter& reporter, const Json& object,
                                  const std::string& who, Starts starts = Starts::may_be);
/// That of an object that is wrong as a whole.
ScalingPolicy any_scaling_policy();

/// The text of a file {"scaling", "load", "until"} that stands at `path`, with `overrides` applied
/// in order; `environment` answers ${NAME}. Errors and warnings go to `diagnostics`. Fails with
/// config if there is any error; the failure's text counts them.
Result<ScalingSimulation> parse_simulation(std::string text, const std::string& path,
                                           const std::vector<Override>& overrides,
                                           const Environment& environment,
                                           Diagnostics& diagnostics);

}  // namespace sluice::core
