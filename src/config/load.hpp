// From a configuration file to a PipelineDescription: everything checked, every fault reported with
// its place, nothing started and no endpoint touched. [control]
#pragma once

#include <string>
#include <vector>

#include "config/description.hpp"
#include "config/diagnostics.hpp"
#include "config/document.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {

/// Reads `path`, applies `overrides` in order, loads the plugins that it needs through `registry`
/// (which must outlive the result) and checks all of it. Errors and warnings go to `diagnostics`.
/// Fails if there is any error: missing_input (66) if the file cannot be read; else config (78) if
/// any error is the configuration's; else unavailable (69, a plugin). The failure's text counts
/// them.
Result<PipelineDescription> load_pipeline(const std::string& path,
                                          const std::vector<Override>& overrides,
                                          Registry& registry, Diagnostics& diagnostics);

/// The same for a text that stands at `path`; `environment` answers ${NAME}.
Result<PipelineDescription> parse_pipeline(std::string text, const std::string& path,
                                           const std::vector<Override>& overrides,
                                           const Environment& environment, Registry& registry,
                                           Diagnostics& diagnostics);

}  // namespace sluice::core
