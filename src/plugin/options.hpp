// One component's options as the host holds them: checked against the component's option table,
// completed with defaults, read through the ABI's option calls.
#pragma once

#include <sluice/plugin.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "plugin/registry.hpp"

/// The opaque type of the ABI. Filled by complete_options(), bound by the pipeline before create().
struct sluice_config {
  struct Value {
    std::string text;                     ///< string, enum, template, secret, bucket, table; scalars: their literal
    std::string json;                     ///< as JSON text, completed and normalised
    std::optional<std::int64_t> integer;  ///< int, bool, duration (milliseconds), size (bytes)
    std::optional<double> number;         ///< int, float
  };

  const sluice::core::Component* component = nullptr;
  std::string name;                        ///< its name in the pipeline
  std::map<std::string, Value, std::less<>> values;
  /// Where option_error() reports to: (JSON pointer below this component, text). Set during check and create.
  std::function<void(std::string_view pointer, std::string_view text)> on_error;
  /// Resolve references; set by the pipeline. Unset (or nullptr returned) in check().
  std::function<sluice_bucket_ref*(std::string_view reference)> bucket;
  std::function<sluice_table_ref*(std::string_view reference)> table;
  std::string state_root;                  ///< `state` of the pipeline; empty: there is none
  std::string state_folder;                ///< made on first use
};

namespace sluice::core {

/// (JSON pointer below the component's object such as "/width", text of the fault)
using OptionErrors = std::function<void(std::string_view pointer, std::string text)>;

/// Checks `values` (an object, or nullptr for none; keys in `reserved` are skipped) against the
/// component's table, reports every fault (unknown keys with the nearest name, wrong types, ranges,
/// choices, template names), fills in defaults, and runs the component's own check().
/// Returns nullptr if anything was reported.
std::unique_ptr<sluice_config> complete_options(const Component& component, std::string name,
                                                const Json* values,
                                                const std::vector<std::string_view>& reserved,
                                                const OptionErrors& errors);

}  // namespace sluice::core
