// The words behind `sluice stage`: some are the host's, the others the plugin's own options.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {

struct StageCall {
  const Component* component = nullptr;  ///< null: only help is asked for
  bool help = false;
  bool jsonl = false;
  std::optional<std::string> config;
  std::vector<std::pair<std::string, std::string>> attributes;
  Json options;                    ///< object; as it would stand in a configuration
  std::vector<std::string> files;  ///< "-": stdin; empty: stdin
};

/// Folders given by --plugin-dir, wherever they stand: they are needed before the rest is
/// understood.
std::vector<std::string> plugin_dirs_of(const std::vector<std::string>& words);

/// Reads the words. `find` looks a stage type up. Errors: usage, or what `find` says.
Result<StageCall> parse_stage_words(
    const std::vector<std::string>& words,
    const std::function<Result<const Component*>(const std::string& type)>& find);

}  // namespace sluice::core
