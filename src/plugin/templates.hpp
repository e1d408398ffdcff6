// Names inside a template such as "icons-16/{key_after_prefix}" (DESIGN §4), checked before a run.
// Expansion is the plugins' (plugins/support).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::core {

/// What is wrong with the template, as a sentence that follows its option's name; nothing if all
/// its names are known.
std::optional<std::string> template_fault(std::string_view text);

}  // namespace sluice::core
