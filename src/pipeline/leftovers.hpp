// What earlier runs left in the state folder and this pipeline does not take up again.
#pragma once

#include <string>
#include <vector>

#include "config/description.hpp"

namespace sluice::core {

/// A text for each file of dead letters whose queue is no dead-letter queue of `pipeline`: nothing
/// counts or delivers what lies there, and nobody writes to it. By name.
std::vector<std::string> forgotten_dead_letters(const PipelineDescription& pipeline);

}  // namespace sluice::core
