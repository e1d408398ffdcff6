// The command line as data. CLI11 stays behind arguments.cpp.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/listen_address.hpp"
#include "base/log.hpp"
#include "config/document.hpp"
#include "filter/policy.hpp"
#include "queue/redrive.hpp"

namespace sluice::core {

struct RunArguments {
  std::string config;
  std::vector<Override> overrides;
  std::vector<std::string> plugin_dirs;
  bool until_idle = false;
  bool summary_json = false;
  bool admin_given = false;            ///< else as configured
  std::optional<ListenAddress> admin;  ///< nullopt: off
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
};

struct ValidateArguments {
  std::vector<std::string> configs;
  std::vector<Override> overrides;
  std::vector<std::string> plugin_dirs;
};

struct GraphArguments {
  std::string config;
  std::vector<Override> overrides;
  std::vector<std::string> plugin_dirs;
};

struct QueueArguments {
  enum class Action { list, peek, redrive, purge } action = Action::list;
  std::string pipeline;  ///< its configuration, or the admin address as http://ADDR:PORT
  std::string queue;
  std::vector<Override> overrides;
  std::vector<std::string> plugin_dirs;
  bool json = false;
  std::uint32_t limit = 10;
  RedriveRequest request;
  bool status = false, cancel = false, no_wait = false;
};

struct TableArguments {
  enum class Action { get, list } action = Action::list;
  std::string config;
  std::string table;
  std::string key;  ///< get: a JSON object, or the value of a key of one column
  std::uint32_t limit = 100;
  std::string next_token;
  bool jsonl = false;
  std::vector<Override> overrides;
  std::vector<std::string> plugin_dirs;
};

/// `alarm` and `service`.
struct EngineArguments {
  enum class Action { list_alarms, list_services, start, stop } action = Action::list_alarms;
  std::string pipeline;  ///< its configuration, or the admin address as http://ADDR:PORT
  std::string service;
  std::uint32_t count = 1;  ///< of workers
  std::vector<Override> overrides;
  std::vector<std::string> plugin_dirs;
  bool json = false;
};

/// Everything behind `stage`: its options are the plugin's (stage_arguments.hpp).
struct StageArguments {
  std::vector<std::string> words;
};

struct MatchArguments {
  std::optional<std::string> policy;  ///< a file, or the text itself
  FilterScope scope = FilterScope::message_attributes;
  FilterProfile profile = FilterProfile::sns;
  bool explain = false;
  std::optional<std::string> cases;  ///< a file; then nothing of the above but `explain` is given
  std::vector<std::string> files;    ///< of messages; empty: stdin
};

struct ScaleArguments {
  std::string file;  ///< "-": stdin
  std::vector<Override> overrides;
  std::optional<std::string> plot;  ///< where its SVG goes
  bool explain = false;
};

struct PluginsArguments {
  std::vector<std::string> plugin_dirs;
};

struct InspectArguments {
  std::string type;
  std::vector<std::string> plugin_dirs;
};

struct SchemaArguments {
  std::vector<std::string> plugin_dirs;
};

/// A text (help, version, or what is wrong) and how to end.
struct Farewell {
  int exit;
  std::string text;
};

using Arguments = std::variant<Farewell, RunArguments, ValidateArguments, GraphArguments,
                               StageArguments, MatchArguments, ScaleArguments, QueueArguments,
                               TableArguments, EngineArguments, PluginsArguments,
                               InspectArguments, SchemaArguments>;

/// Usage errors become a Farewell with 64, help and version one with 0.
Arguments parse_arguments(int argc, const char* const* argv);

}  // namespace sluice::core
