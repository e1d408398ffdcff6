// Components and tables as text for people.
#pragma once

#include <string>
#include <vector>

#include "plugin/registry.hpp"

namespace sluice::core {

/// Contract, options and an example of a component. REQUIRES: a sound option table.
std::string describe_component(const Component& component);

/// Such a component as it may stand in a configuration, as one JSON object: what must be given, and
/// nothing else. What it names is "my-bucket", "my-table", "my-topic".
std::string example_object(const Component& component);

/// Its options as a table, or that it has none.
std::string describe_options(const sluice_component& component);

/// Rows in columns of equal width, two blanks between; all rows have the same number of cells.
std::string columns_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace sluice::core
