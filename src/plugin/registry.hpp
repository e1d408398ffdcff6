// Finds components: which libraries there are, what they offer. The only room that sees dlopen.
#pragma once

#include <sluice/plugin.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sluice::core {

/// A component and the library that offers it. Lives as long as its Registry.
struct Component {
  const sluice_component* descriptor;
  const sluice_plugin* plugin;
  std::string library;  ///< path of the file
};

/// Types that the project ships, as this build knows them.
std::vector<std::string> shipped_types();

/// [control] Loads libraries when asked for a type, once each; they stay loaded.
class Registry {
 public:
  /// `folders` are searched in this order; `shipped` are the types that belong to the project.
  explicit Registry(std::vector<std::string> folders,
                    std::vector<std::string> shipped = shipped_types());
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// `type` is looked for in TYPE.so of each folder, then in every other library (DESIGN §6).
  /// Errors: unavailable (69) where TYPE.so is there but of a wrong ABI version or does not load,
  /// and for a shipped type that no library offers, naming file and reason; config (78) for any
  /// other, with the nearest name.
  Result<const Component*> find(std::string_view kind, std::string_view type);

  /// Loads everything and returns what find() would find, sorted by kind and type. `failures` takes
  /// one error per library that does not load and per folder that cannot be read.
  std::vector<const Component*> all(std::vector<Error>* failures);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Folders to search: `from_command_line`, then those of the running binary that exist: plugins/
/// beside it (build tree), and the folder of installed plugins (`../lib/x86_64-linux-gnu/sluice`).
/// Error: unavailable (69), if one from the command line cannot be read.
Result<std::vector<std::string>> plugin_folders(std::vector<std::string> from_command_line);

}  // namespace sluice::core
