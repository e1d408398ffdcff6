#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "admin/routes.hpp"
#include "base/spelling.hpp"
#include "cli/match_policy.hpp"
#include "cli/version.hpp"

namespace sluice::core {
namespace {

/// Of a first word, behind `path`, that is neither a command nor an option; empty if it is one.
std::string unknown_command(const CLI::App& app, std::string_view word, std::string_view path) {
  std::vector<std::string_view> known;
  for (const CLI::App* command : app.get_subcommands({}))
    known.push_back(command->get_name());
  if (word.starts_with("-") || std::find(known.begin(), known.end(), word) != known.end())
    return {};
  const std::string near = word.size() > 100 ? "" : did_you_mean(nearest_name(word, known));
  const std::string all =
      path.empty() ? "" : fmt::format(" ({}takes {})", path, fmt::join(known, ", "));
  return fmt::format("there is no command {}{}{} (see sluice {}--help)", in_quotes(word), all, near,
                     path);
}

/// What CLI11 fills in before it becomes Arguments.
struct Raw {
  RunArguments run;
  ValidateArguments validate;
  GraphArguments graph;
  StageArguments stage;
  MatchArguments match;
  ScaleArguments scale;
  QueueArguments queue;
  TableArguments table;
  EngineArguments engine;
  PluginsArguments plugins;
  InspectArguments inspect;
  SchemaArguments schema;
  std::vector<std::string> sets;
  std::optional<std::string> admin;
  std::string log_level = "info", log_format = "text", summary = "text";
  std::string scope = "MessageAttributes", profile = "sns";
};

CLI::App& command(CLI::App& app, const char* name, const char* help, const char* examples) {
  CLI::App& result = *app.add_subcommand(name, help);
  result.footer(examples);
  return result;
}

void add_plugin_dirs(CLI::App& app, std::vector<std::string>& folders) {
  app.add_option("--plugin-dir", folders,
                 "Folder with plugins, searched before the ones beside the program")
      ->type_name("DIR")
      ->take_all()
      ->allow_extra_args(false);  // one each time; what follows is another argument
}

void add_sets(CLI::App& app, std::vector<std::string>& sets) {
  app.add_option("--set", sets,
                 "Override a value by its JSON pointer; VALUE is JSON, or else a string")
      ->type_name("PTR=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

void add_run(CLI::App& app, Raw& raw) {
  CLI::App& run =
      command(app, "run", "Run a pipeline",
              "Examples:\n"
              "  sluice run configs/icons.json\n"
              "  sluice run configs/icons.json --until-idle --summary json\n"
              "  sluice run configs/icons.json --set /services/resize-16/batch_size=1\n"
              "Ctrl-C finishes what is in hand and stops; a second Ctrl-C stops at once.\n"
              "SIGHUP reads CONFIG again and puts its subscriptions and filter policies into force "
              "while it\n"
              "runs; where its terminal has hung up it stops.\n"
              "Exit codes: 0 nothing left but dead letters, 64 usage, 66 input missing, 69 plugin "
              "or endpoint\n"
              "unavailable, 73 state folder in use, 74 I/O, 75 what is left comes again, 76 it "
              "does not, 78 configuration");
  run.add_option("CONFIG", raw.run.config, "The pipeline's configuration")->required();
  run.add_flag("--until-idle", raw.run.until_idle,
               "End when the sources are exhausted and the queues with a service are empty");
  add_sets(run, raw.sets);
  add_plugin_dirs(run, raw.run.plugin_dirs);
  run.add_option("--admin", raw.admin,
                 "Where to answer for health and queues, as 127.0.0.1:9640, or off (default: as "
                 "configured)")
      ->type_name("ADDR:PORT|off");
  run.add_option("--log-level", raw.log_level, "debug, info, warning or error (default: info)")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  run.add_option("--log-format", raw.log_format, "text or json, one line each (default: text)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
  run.add_option("--summary", raw.summary,
                 "text, or json: one object, the last line of stdout (default: text)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
}

void add_checks(CLI::App& app, Raw& raw) {
  CLI::App& validate =
      command(app, "validate", "Check configurations: all errors and warnings; touches no endpoint",
              "Example:\n  sluice validate configs/*.json\n"
              "Prints the memory bound and which queue can make which source wait.");
  validate.add_option("CONFIG", raw.validate.configs, "Configurations")->required();
  add_sets(validate, raw.sets);
  add_plugin_dirs(validate, raw.validate.plugin_dirs);

  CLI::App& graph = command(app, "graph", "Print a pipeline as DOT, for graphviz",
                            "Example:\n  sluice graph configs/icons.json | dot -Tsvg -o icons.svg");
  graph.add_option("CONFIG", raw.graph.config, "The pipeline's configuration")->required();
  add_sets(graph, raw.sets);
  add_plugin_dirs(graph, raw.graph.plugin_dirs);
}

constexpr const char* kMatchHelp =
    R"(Reads messages as lines of JSON, {"body":..., "attributes":{NAME: VALUE, ...}}, from files or stdin, and
prints true or false for each. A VALUE is {"type":"String","value":"signup"}, or in short a string, a
number or an array. Examples:
  echo '{"attributes":{"event":"signup"}}' | sluice match --policy '{"event":["signup","login"]}'
  echo '{"body":{"price":{"usd":120}}}' | sluice match --scope MessageBody --explain \
      --policy '{"price":{"usd":[{"numeric":[">",100]}]}}'
  sluice match --policy policy.json --profile extended messages.jsonl
  sluice match --cases filter-policies.jsonl
--explain adds, below each answer, a line for each clause of the policy: "+" it holds, and by which value;
"-" it does not, what the message has at that path, and what is wanted. With $or, each branch is told.
A line of --cases is {"id","scope","policy","message","expect","profile"}: the policy as text; expect is
true, false or "invalid-policy" (then "error" may hold a part of the reason); profile is sns, ruler (which
is extended) or both. Each disagreement is a line, and the last line is "N passed, M failed". Tier C is told
apart. A line that is no message or no case is named on stderr, and the others are still done.
Exit codes: 0 done, 1 a case failed, 64 usage, 65 a bad line or policy, 66 input missing, 74 I/O)";

void add_match(CLI::App& app, Raw& raw) {
  CLI::App& match = command(app, "match", "Try a filter policy on messages", kMatchHelp);
  CLI::Option* policy =
      match
          .add_option("--policy", raw.match.policy,
                      "The filter policy: a file, or its JSON text; empty takes every message")
          ->type_name("FILE|JSON");
  CLI::Option* scope =
      match
          .add_option("--scope", raw.scope,
                      "MessageAttributes or MessageBody (default: MessageAttributes)")
          ->type_name("SCOPE")
          ->check(CLI::IsMember({"MessageAttributes", "MessageBody"}));
  CLI::Option* profile =
      match
          .add_option(
              "--profile", raw.profile,
              "sns: what Amazon SNS takes; extended: all operators of event-ruler (default: sns)")
          ->type_name("PROFILE")
          ->check(CLI::IsMember({"sns", "extended"}));
  match.add_flag("--explain", raw.match.explain, "Say which clause failed, or what matched");
  CLI::Option* files = match.add_option("FILE", raw.match.files, "Messages; none, or -: stdin");
  CLI::Option* cases =
      match.add_option("--cases", raw.match.cases, "Policies with what is expected of them")
          ->type_name("FILE");
  for (CLI::Option* other : {policy, scope, profile, files})
    cases->excludes(other);
}

constexpr const char* kScaleHelp =
    R"(Simulates a service whose number of workers follows its queue, and prints each sample with the decision on it
as a line of JSON, then a summary. FILE, or - for stdin, is for example:
  {"scaling": {"policy": "target_tracking", "min_capacity": 1, "max_capacity": 5, "target_value": 100,
               "period": "10s", "scale_out_cooldown": "60s", "scale_in_cooldown": "30s",
               "metric": {"type": "backlog_per_worker", "acceptable_messages_per_worker": 5,
                          "overprovision_penalty": 0.5, "maximum": 5},
               "evaluation": {"type": "direct", "low_samples": 3}},
   "load": {"arrivals": [[0, 1000], [300, 50]], "service_time": "5s", "batch_size": 5, "start_delay": "2s"},
   "until": "20m"}
scaling   without "policy", "desired_capacity" workers run all the time
metric    backlog_per_worker: min(1 + visible / (acceptable * workers + 1) - penalty, maximum) * 100, the penalty
          where nothing is visible and more than one worker runs; visible, visible_and_in_flight: such messages
          for each worker; age_of_oldest: seconds; latency_backlog: how long the visible messages will take, in
          percent of "acceptable_latency" ("time_per_message": by default as measured)
          above "target_value" workers are added, below 0.9 of it ("low_fraction") taken away, unless
          "disable_scale_in" is true: desired = workers * metric / target, rounded up
evaluation  direct: each sample counts, "low_samples" low ones in a row for a scale-in; or as CloudWatch does it:
          {"type": "alarms", "period": "60s", "high_datapoints": 3, "low_datapoints": 15}
load      arrivals are [second, messages]; service_time is a worker's for one message
Examples:
  sluice scale configs/simulations/burst.json --plot burst.svg
  sluice scale configs/simulations/burst.json --explain --set /scaling/max_capacity=10 | grep '"out"\|"in"'
In the summary finished_at is when the last message was deleted, ended_at when the fewest workers were left
after it, or the end. task_seconds are the workers' seconds up to ended_at: what they cost.
Exit codes: 0 done, 64 usage, 66 input missing, 74 I/O, 78 FILE is wrong)";

void add_scale(CLI::App& app, Raw& raw) {
  CLI::App& scale = command(app, "scale", "Simulate how a service scales under a load", kScaleHelp);
  scale.add_option("FILE", raw.scale.file, "The policy, the load and the end, as below")
      ->required();
  scale.add_option("--plot", raw.scale.plot, "Draw visible messages, metric and workers over time")
      ->type_name("FILE.svg");
  scale.add_flag("--explain", raw.scale.explain,
                 "Add to each sample what was judged, the cooldowns left, and the reason");
  add_sets(scale, raw.sets);
}

constexpr const char* kQueueHelp =
    R"(Looks at the queues of a pipeline and operates them: through the admin address of the engine that runs it, or,
where none does, on what its state folder holds, which are the dead letters. PIPELINE is its configuration, or
the admin address itself, as 127.0.0.1:9640. Examples:
  sluice queue list configs/icons.json
  sluice queue peek configs/icons.json resize-16-dead --limit 3
  sluice queue redrive configs/icons.json resize-16-dead --reason access_denied --dry-run
  sluice queue redrive configs/icons.json resize-16-dead --max-rate 100
  sluice queue purge configs/icons.json resize-16-dead
Exit codes: 0 done, 64 usage, 65 stored letters that cannot be read, 66 no such queue or file, 69 the engine does not answer or cannot do it now, 74 I/O,
75 a redrive was cancelled, 78 configuration)";

CLI::App& queue_command(CLI::App& queue, Raw& raw, const char* name, const char* help,
                        const char* examples) {
  CLI::App& action = command(queue, name, help, examples);
  action
      .add_option("PIPELINE", raw.queue.pipeline,
                  "Its configuration, or its admin address, as 127.0.0.1:9640")
      ->required();
  add_sets(action, raw.sets);
  add_plugin_dirs(action, raw.queue.plugin_dirs);
  return action;
}

void add_queue_name(CLI::App& action, Raw& raw) {
  action.add_option("QUEUE", raw.queue.queue, "The queue's name")->required();
}

void add_redrive(CLI::App& queue, Raw& raw) {
  CLI::App& redrive = queue_command(
      queue, raw, "redrive", "Move dead letters back to the queues they came from, or elsewhere",
      "Each letter keeps its id and is received anew from 0; it stays stored until its end. One "
      "that fails again is a\n"
      "dead letter again and is not moved a second time. Rejected parts stay. Where no engine runs "
      "the letters are\n"
      "marked, and go when it starts; --status shows how many, --cancel takes the marks away.\n"
      "Ctrl-C ends the waiting, not the redrive.");
  add_queue_name(redrive, raw);
  CLI::Option* to =
      redrive.add_option("--to", raw.queue.request.to, "Another queue than the one each came from")
          ->type_name("QUEUE");
  CLI::Option* reason = redrive
                            .add_option("--reason", raw.queue.request.reason,
                                        "Only letters whose reason or detail holds this text")
                            ->type_name("TEXT");
  redrive
      .add_option("--max-rate", raw.queue.request.messages_per_second,
                  "Messages per second (default: no limit)")
      ->type_name("N")
      ->check(CLI::Range(1U, kRedriveRateMax));
  CLI::Option* dry_run = redrive.add_flag("--dry-run", raw.queue.request.dry_run,
                                          "Count what would be moved, and where to");
  redrive.add_flag("--no-wait", raw.queue.no_wait, "Begin, and return");
  CLI::Option* status =
      redrive.add_flag("--status", raw.queue.status, "Show how the last redrive goes");
  CLI::Option* cancel =
      redrive.add_flag("--cancel", raw.queue.cancel, "Stop it; what was moved stays moved");
  status->excludes(cancel);
  for (CLI::Option* of_a_new_one : {to, reason, dry_run}) {
    status->excludes(of_a_new_one);
    cancel->excludes(of_a_new_one);
  }
  redrive.add_flag("--json", raw.queue.json, "The result as one JSON object");
}

void add_queue(CLI::App& app, Raw& raw) {
  CLI::App& queue = command(app, "queue", "List, peek into, redrive and purge queues", kQueueHelp);
  queue.require_subcommand(1);
  CLI::App& list = queue_command(queue, raw, "list", "Show what is in each queue",
                                 "Example:\n  sluice queue list configs/icons.json");
  list.add_flag("--json", raw.queue.json, "As one JSON object, with the names of SQS");
  CLI::App& peek = queue_command(
      queue, raw, "peek",
      "Print the oldest visible messages as lines of JSON; it spends no receive",
      "One that takes more than 1 MiB is shown without its body: \"body_bytes\" is its size.\n"
      "Example:\n  sluice queue peek configs/icons.json resize-16-dead --limit 3");
  add_queue_name(peek, raw);
  peek.add_option("--limit", raw.queue.limit, "At most so many (default: 10)")
      ->type_name("N")
      ->check(CLI::Range(1U, kPeekMax));
  add_redrive(queue, raw);
  CLI::App& purge =
      queue_command(queue, raw, "purge", "Delete all messages of a queue",
                    "What is delayed or hidden is deleted, too; what a worker has in hand when it comes back.\n"
                    "Example:\n  sluice queue purge configs/icons.json resize-16-dead");
  add_queue_name(purge, raw);
}

QueueArguments queue_arguments(const CLI::App& app, Raw&& raw) {
  using Action = QueueArguments::Action;
  const std::string action = app.get_subcommand("queue")->get_subcommands().front()->get_name();
  raw.queue.action = action == "list"      ? Action::list
                     : action == "peek"    ? Action::peek
                     : action == "redrive" ? Action::redrive
                                           : Action::purge;
  return std::move(raw.queue);
}

constexpr const char* kTableHelp =
    R"(Looks at the items of a table, whether the pipeline runs or not. Examples:
  sluice table list pipeline.json todos --limit 10
  sluice table list pipeline.json todos --limit 10 --next-token eyJ0b2RvSWQiOiI3In0=
  sluice table get pipeline.json todos 7
  sluice table get pipeline.json lines '{"order": 12, "line": 1}'
list prints one JSON object, {"items":[...],"nextToken":"..."}, each item on a line of its own; without a nextToken
that was all. Items come in the order of their keys where the table has one.
Exit codes: 0 done, 64 usage, 66 no such item or file, 69 the table does not answer, 74 it is damaged, 78 configuration)";

CLI::App& table_command(CLI::App& table, Raw& raw, const char* name, const char* help,
                        const char* examples) {
  CLI::App& action = command(table, name, help, examples);
  action.add_option("CONFIG", raw.table.config, "The pipeline's configuration")->required();
  action.add_option("TABLE", raw.table.table, "The table's name in it")->required();
  add_sets(action, raw.sets);
  add_plugin_dirs(action, raw.table.plugin_dirs);
  return action;
}

void add_table(CLI::App& app, Raw& raw) {
  CLI::App& table = command(app, "table", "Get and list the items of tables", kTableHelp);
  table.require_subcommand(1);
  CLI::App& get = table_command(table, raw, "get", "Print the item with a key as a line of JSON",
                                "Example:\n  sluice table get pipeline.json todos 7");
  get.add_option("KEY", raw.table.key,
                 "The key's columns as a JSON object, or the value of a key of one column")
      ->required();
  CLI::App& list =
      table_command(table, raw, "list", "Print items as one JSON object, page by page",
                    "Example:\n  sluice table list pipeline.json todos --limit 10");
  list.add_option("--limit", raw.table.limit, "At most so many (default: 100)")
      ->type_name("N")
      ->check(CLI::Range(1U, 4'000'000'000U));
  list.add_option("--next-token", raw.table.next_token, "Go on where the last page ended")
      ->type_name("TOKEN");
  list.add_flag("--jsonl", raw.table.jsonl, "A line of JSON for each item, and nothing around it");
}

TableArguments table_arguments(const CLI::App& app, Raw&& raw) {
  raw.table.action = app.get_subcommand("table")->got_subcommand("get") ? TableArguments::Action::get
                                                                       : TableArguments::Action::list;
  return std::move(raw.table);
}

constexpr const char* kAlarmHelp =
    R"(Shows the alarms of a pipeline that runs: state, since when, the last value, and why. PIPELINE is its
configuration, or the admin address, as 127.0.0.1:9640. Example:
  sluice alarm list configs/drain-on-alarm.json
Exit codes: 0 done, 64 usage, 66 no such file, 69 no engine answers, 78 configuration)";
constexpr const char* kServiceHelp =
    R"(Shows the services of a pipeline that runs, and starts and stops workers of those with "min_capacity": 0.
PIPELINE is its configuration, or the admin address, as 127.0.0.1:9640. Examples:
  sluice service list configs/drain-on-alarm.json
  sluice service start configs/drain-on-alarm.json drain --count 4
  sluice service stop configs/drain-on-alarm.json drain --count 4
Exit codes: 0 done, 64 usage, 66 no such service or file, 69 no engine answers, 78 configuration)";

CLI::App& engine_command(CLI::App& parent, Raw& raw, const char* name, const char* help,
                         const char* examples) {
  CLI::App& action = command(parent, name, help, examples);
  action
      .add_option("PIPELINE", raw.engine.pipeline,
                  "Its configuration, or its admin address, as 127.0.0.1:9640")
      ->required();
  add_sets(action, raw.sets);
  add_plugin_dirs(action, raw.engine.plugin_dirs);
  return action;
}

void add_count(CLI::App& action, Raw& raw, const char* help) {
  action.add_option("SERVICE", raw.engine.service, "The service's name")->required();
  action.add_option("--count", raw.engine.count, help)
      ->type_name("N")
      ->check(CLI::Range(1U, kStartMax));
}

void add_alarm_and_service(CLI::App& app, Raw& raw) {
  CLI::App& alarm = command(app, "alarm", "Show the alarms of a pipeline that runs", kAlarmHelp);
  alarm.require_subcommand(1);
  engine_command(alarm, raw, "list", "Show each alarm, its state and why",
                 "Example:\n  sluice alarm list configs/drain-on-alarm.json")
      .add_flag("--json", raw.engine.json, "As one JSON object");
  CLI::App& service =
      command(app, "service", "Show services that run, start and stop workers", kServiceHelp);
  service.require_subcommand(1);
  engine_command(service, raw, "list", "Show how many workers each service has",
                 "Example:\n  sluice service list configs/drain-on-alarm.json")
      .add_flag("--json", raw.engine.json, "As one JSON object");
  add_count(engine_command(service, raw, "start", "Start workers beside those that run",
                           "No more than the service's max_capacity run.\n"
                           "Example:\n  sluice service start configs/drain-on-alarm.json drain --count 4"),
            raw, "So many (default: 1)");
  add_count(engine_command(service, raw, "stop", "Let workers leave",
                           "Each finishes the batch that it holds.\n"
                           "Example:\n  sluice service stop configs/drain-on-alarm.json drain --count 4"),
            raw, "At most so many (default: 1)");
}

EngineArguments engine_arguments(const CLI::App& app, Raw&& raw) {
  using Action = EngineArguments::Action;
  const CLI::App& parent = *app.get_subcommands().front();
  const std::string action = parent.get_subcommands().front()->get_name();
  raw.engine.action = parent.get_name() == "alarm" ? Action::list_alarms
                      : action == "start"          ? Action::start
                      : action == "stop"           ? Action::stop
                                                   : Action::list_services;
  return std::move(raw.engine);
}

void add_plugin_commands(CLI::App& app, Raw& raw) {
  command(app, "stage", "Run one stage plugin from the shell",
          "Example:\n  sluice stage image_resize --width 64 --height 64 photo.jpg > small.png\n"
          "`sluice stage --help` and `sluice stage TYPE --help` tell more.");
  CLI::App& plugins = command(app, "plugins", "List what can be loaded, and what cannot and why",
                              "Example:\n  sluice plugins --plugin-dir ./my-plugins");
  add_plugin_dirs(plugins, raw.plugins.plugin_dirs);
  CLI::App& inspect = command(app, "inspect", "Explain a plugin: its contract and its options",
                              "Example:\n  sluice inspect image_resize");
  inspect.add_option("TYPE", raw.inspect.type, "What stands as \"type\" in a configuration")
      ->required();
  add_plugin_dirs(inspect, raw.inspect.plugin_dirs);
  CLI::App& schema = command(app, "schema", "Print the JSON Schema of configurations, for editors",
                             "Example:\n  sluice schema > docs/pipeline.schema.json");
  add_plugin_dirs(schema, raw.schema.plugin_dirs);
}

/// "queue peek ", of the command that was begun.
std::string help_path(const CLI::App& app) {
  std::string path;
  for (const CLI::App* at = &app; !at->get_subcommands().empty(); path += at->get_name() + " ")
    at = at->get_subcommands().front();
  return path;
}

Arguments chosen(const CLI::App& app, Raw&& raw) {
  std::vector<Override> overrides;
  for (const std::string& set : raw.sets) {
    Result<Override> parsed = parse_override(set);
    if (!parsed)
      return Farewell{exit_code(Errc::usage), parsed.error().message};
    overrides.push_back(std::move(*parsed));
  }
  raw.run.overrides = raw.validate.overrides = raw.graph.overrides = raw.queue.overrides =
      raw.table.overrides = raw.engine.overrides = raw.scale.overrides = overrides;
  if (raw.admin && *raw.admin != "off") {
    Result<ListenAddress> address = parse_listen_address(*raw.admin);
    if (!address)
      return Farewell{exit_code(Errc::usage), "--admin: " + address.error().message};
    raw.run.admin = std::move(*address);
  }
  raw.run.admin_given = raw.admin.has_value();
  raw.run.summary_json = raw.summary == "json";
  raw.run.log_level = *log_level_from(raw.log_level);
  raw.match.scope = *filter_scope_from(raw.scope);
  raw.match.profile = raw.profile == "sns" ? FilterProfile::sns : FilterProfile::extended;
  raw.run.log_format = *log_format_from(raw.log_format);
  if (app.got_subcommand("run"))
    return std::move(raw.run);
  if (app.got_subcommand("validate"))
    return std::move(raw.validate);
  if (app.got_subcommand("graph"))
    return std::move(raw.graph);
  if (app.got_subcommand("match")) {
    if (!raw.match.policy && !raw.match.cases) {
      return Farewell{exit_code(Errc::usage),
                      "match needs --policy FILE|JSON, or --cases FILE (see sluice match --help)"};
    }
    return std::move(raw.match);
  }
  if (app.got_subcommand("scale"))
    return std::move(raw.scale);
  if (app.got_subcommand("queue"))
    return queue_arguments(app, std::move(raw));
  if (app.got_subcommand("table"))
    return table_arguments(app, std::move(raw));
  if (app.got_subcommand("alarm") || app.got_subcommand("service"))
    return engine_arguments(app, std::move(raw));
  if (app.got_subcommand("plugins"))
    return std::move(raw.plugins);
  if (app.got_subcommand("inspect"))
    return std::move(raw.inspect);
  return std::move(raw.schema);
}

}  // namespace

Arguments parse_arguments(int argc, const char* const* argv) {
  // The options of `stage` are its plugin's: they are not known here.
  if (argc >= 2 && std::string_view(argv[1]) == "stage")
    return StageArguments{{argv + 2, argv + argc}};

  Raw raw;
  CLI::App app(
      "Runs message pipelines: sources, topics, queues, services of stages, in one process.",
      "sluice");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  app.footer(
      "Example:\n  sluice run configs/icons.json --until-idle\n"
      "`sluice COMMAND --help` explains a command with an example.");
  add_run(app, raw);
  add_checks(app, raw);
  add_queue(app, raw);
  add_table(app, raw);
  add_alarm_and_service(app, raw);
  add_match(app, raw);
  add_scale(app, raw);
  add_plugin_commands(app, raw);
  if (argc < 2)
    return Farewell{
        exit_code(Errc::usage),
        "a command is needed, such as: sluice run configs/icons.json (see sluice --help)"};
  const std::string first = argv[1];
  const bool has_action =
      argc > 2 && (first == "queue" || first == "table" || first == "alarm" || first == "service");
  const std::string unknown =
      has_action ? unknown_command(*app.get_subcommand(first), argv[2], first + " ")
                 : unknown_command(app, first, "");
  if (!unknown.empty())
    return Farewell{exit_code(Errc::usage), unknown};
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    return Farewell{0, std::string(version.what()) + "\n"};
  } catch (const CLI::Success&) {
    return Farewell{0, app.help()};  // of the command, where one was named
  } catch (const CLI::ParseError& error) {
    return Farewell{exit_code(Errc::usage),
                    fmt::format("{} (see sluice {}--help)", error.what(), help_path(app))};
  }
  return chosen(app, std::move(raw));
}

}  // namespace sluice::core
