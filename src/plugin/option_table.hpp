// What an option table may hold and what its values mean: the one place that knows option types.
#pragma once

#include <sluice/plugin.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "plugin/options.hpp"

namespace sluice::core {

enum class OptionType {
  string,
  integer,
  number,
  boolean,
  duration,
  size,
  choice,
  json,
  secret,
  name_template,
  bucket,
  table,
  path
};

/// The type that plugin.h calls `name`.
std::optional<OptionType> option_type(std::string_view name);

/// Reads `value` as `option` wants it. The fault, as a sentence that follows the option's name
/// ("must be at least 1, not 0"), or nothing. A secret's value is never in it.
/// REQUIRES: the table it stands in is sound.
std::optional<std::string> read_option(const sluice_option& option, const Json& value,
                                       std::string_view base_folder, sluice_config::Value* into);

/// Why `options` (NULL, or ended by NULL) is no option table; nothing if it is sound: names, types,
/// bounds and choices are well-formed and every default is within them.
std::optional<std::string> option_table_fault(const sluice_option* const* options);

}  // namespace sluice::core
