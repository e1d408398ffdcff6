// One function for each command. Each returns the exit code (DESIGN §5) and leaves its output to
// finish_output(). [main-thread]
#pragma once

#include "cli/arguments.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {

int run_pipeline(const RunArguments& arguments);
int validate_configs(const ValidateArguments& arguments);
int print_graph(const GraphArguments& arguments);
int run_stage(const StageArguments& arguments);
int operate_queues(const QueueArguments& arguments);
int look_at_table(const TableArguments& arguments);
int operate_engine(const EngineArguments& arguments);
int try_policy(const MatchArguments& arguments);
int simulate_scaling(const ScaleArguments& arguments);
int list_plugins(const PluginsArguments& arguments);
int inspect_plugin(const InspectArguments& arguments);
int print_schema(const SchemaArguments& arguments);

}  // namespace sluice::core
