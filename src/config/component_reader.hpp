// The parts of a configuration that plugins describe: finds the component of a `type`, has its
// options checked and completed, and resolves what they name.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "config/object_reader.hpp"
#include "plugin/options.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {

/// [control]
class ComponentReader {
 public:
  /// `folder`: where the configuration stands, absolute.
  ComponentReader(const Reporter& reporter, Registry& registry, std::string folder)
      : reporter_(reporter), registry_(registry), folder_(std::move(folder)) {}

  /// The pipeline's state folder, absolute. Before the first read().
  void set_state(std::string state) { state_ = std::move(state); }

  /// Declares a bucket ("graphics") or access point ("graphics/design") that options may name.
  void add_bucket(std::string reference) { buckets_.insert(std::move(reference)); }

  /// Declares a table that options may name.
  void add_table(std::string name) { tables_.insert(std::move(name)); }

  /// What is declared of that option type, "bucket" or "table", is not known, which was reported:
  /// options may name any.
  void take_any(std::string_view type) { any_.insert(type); }

  /// The options of the object that `fields` read, under the name `name` in the pipeline. nullptr
  /// if anything is wrong; it was reported then. `object` borrowed.
  std::unique_ptr<sluice_config> read(const Json& object, const Shape& shape,
                                      const ObjectReader& fields, const std::string& name);

 private:
  const Component* find_component(const Shape& shape, const ObjectReader& fields);
  void check_references(const Component& component, const Json& object, const std::string& who);
  void check_bucket(const Json& value, std::string_view option, const std::string& who);
  void check_table(const Json& value, std::string_view option, const std::string& who);

  const Reporter& reporter_;
  Registry& registry_;
  std::string folder_, state_;
  std::set<std::string, std::less<>> buckets_, tables_;
  std::set<std::string_view> any_;  ///< option types
};

/// An option's text; empty if it is not given.
std::string option_text(const sluice_config& options, std::string_view name);
/// That of the option with this type; empty if the component has none.
std::string option_text_of_type(const sluice_config& options, std::string_view type);

/// Absolute and without dots; links are followed as far as the path exists.
std::string absolute_path(const std::string& folder, const std::string& path);

}  // namespace sluice::core
