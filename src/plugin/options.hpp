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
#include <vector>

#include "base/json.hpp"
#include "plugin/registry.hpp"

/// The opaque type of the ABI. Filled by complete_options(), bound by the pipeline before create().
struct sluice_config {
  struct Value {
    std::string text;                     ///< texts and references: unescaped; path: absolute; others: their literal
    std::string json;                     ///< as compact JSON text
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
  mutable std::string state_folder;        ///< made on first use; [control]
};

namespace sluice::core {

/// (JSON pointer below the component's object such as "/width", text of the fault)
using OptionErrors = std::function<void(std::string_view pointer, std::string text)>;

/// Where a component stands.
struct OptionContext {
  std::string name;         ///< its name in the pipeline
  std::string base_folder;  ///< absolute; relative options of type `path` are below it
  std::string state_root;   ///< `state` of the pipeline, absolute; empty: there is none
};

/// Checks `values` (an object, or nullptr for none; keys in `reserved` are skipped) against the
/// component's table, reports every fault (unknown keys with the nearest name, wrong types, ranges,
/// choices, template names), fills in defaults, and, where the table is content, runs the
/// component's own check(). Names of buckets and tables are only checked for their form: see
/// option_references(). Returns nullptr if anything was reported. [control]
std::unique_ptr<sluice_config> complete_options(const Component& component,
                                                const OptionContext& context, const Json* values,
                                                const std::vector<std::string_view>& reserved,
                                                const OptionErrors& errors);

/// An option that names another component.
struct OptionReference {
  enum class Kind { bucket, table };
  Kind kind;
  std::string pointer;  ///< "/bucket"
  std::string text;     ///< "graphics" or "graphics/design" (bucket/access point)
};

/// All that a completed config refers to, for the caller to resolve.
std::vector<OptionReference> option_references(const sluice_config& config);

/// The component's option `name`, nullptr if it has none.
const sluice_option* find_option(const sluice_component& component, std::string_view name);

/// A command line's text as the JSON that `option` takes: numbers and booleans as such where they
/// are ones, json parsed where it is JSON, all else a string. complete_options() judges the result.
Json option_from_text(const sluice_option& option, std::string_view text);

}  // namespace sluice::core
