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

/// [control] Loads libraries when asked for a type, once each; they stay loaded.
class Registry {
 public:
  /// `folders` are searched in this order.
  explicit Registry(std::vector<std::string> folders);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// `type` is looked for in TYPE.so of each folder, then in every other library (DESIGN §6).
  /// Errors: unavailable (69) for a shipped type whose library is missing, of a wrong ABI version or
  /// does not load, naming file and reason; config (78) for any other, with the nearest name.
  Result<const Component*> find(std::string_view kind, std::string_view type);

  /// Loads everything. `failures` takes one text per library that does not load.
  std::vector<const Component*> all(std::vector<Error>* failures);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Folders to search: `from_command_line`, then the plugins beside the running binary
/// (build tree: plugins/; installed: ../lib/sluice).
std::vector<std::string> plugin_folders(std::vector<std::string> from_command_line);

}  // namespace sluice::core
