// The program, as a table of contents: what each command does stands in the file of its name.
#include <csignal>
#include <exception>

#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace {

using namespace sluice::core;

struct Execute {
  int operator()(const Farewell& farewell) const {  // help, version, or a usage error
    if (farewell.exit == 0) {
      print(farewell.text);
    } else {
      print_error(farewell.text);
    }
    return farewell.exit;
  }
  int operator()(const RunArguments& arguments) const {
    return run_pipeline(arguments);
  }  // run.cpp
  int operator()(const ValidateArguments& arguments) const {
    return validate_configs(arguments);
  }  // validate.cpp
  int operator()(const GraphArguments& arguments) const {
    return print_graph(arguments);
  }  // validate.cpp
  int operator()(const StageArguments& arguments) const {
    return run_stage(arguments);
  }  // stage_command.cpp
  int operator()(const MatchArguments& arguments) const {
    return try_policy(arguments);
  }  // match_command.cpp
  int operator()(const ScaleArguments& arguments) const {
    return simulate_scaling(arguments);
  }  // scale_command.cpp
  int operator()(const QueueArguments& arguments) const {
    return operate_queues(arguments);
  }  // queue_command.cpp
  int operator()(const TableArguments& arguments) const {
    return look_at_table(arguments);
  }  // table_command.cpp
  int operator()(const EngineArguments& arguments) const {
    return operate_engine(arguments);
  }  // engine_command.cpp
  int operator()(const PluginsArguments& arguments) const {
    return list_plugins(arguments);
  }  // plugin_commands.cpp
  int operator()(const InspectArguments& arguments) const {
    return inspect_plugin(arguments);
  }  // plugin_commands.cpp
  int operator()(const SchemaArguments& arguments) const {
    return print_schema(arguments);
  }  // plugin_commands.cpp
};

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe, and a file that may not grow, are errors of the write, reported with 74.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  int exit = exit_code(Errc::internal);
  try {
    exit = std::visit(Execute{}, parse_arguments(argc, argv));
  } catch (const std::exception& exception) {
    print_error(exception.what());
  }
  return finish_output(exit);
}
