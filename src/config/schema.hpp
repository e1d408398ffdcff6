// The configuration as JSON Schema (draft 2020-12), for editors: the key tables and the option
// tables of every component that is given.
#pragma once

#include <string>
#include <vector>

#include "plugin/registry.hpp"

namespace sluice::core {

/// Indented JSON, ended by a newline; the order depends on nothing but kinds and types. [control]
std::string schema_text(std::vector<const Component*> components);

}  // namespace sluice::core
