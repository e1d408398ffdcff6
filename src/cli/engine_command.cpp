// `alarm` and `service`: what runs in an engine, asked through its admin address.
#include <fmt/format.h>

#include <chrono>

#include "admin/remote.hpp"
#include "base/storage.hpp"
#include "base/units.hpp"
#include "cli/admin_target.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/output.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"

namespace sluice::core {
namespace {

using Action = EngineArguments::Action;

Result<AdminTarget> find_engine(const EngineArguments& arguments) {
  if (is_admin_target(arguments.pipeline))
    return parse_admin_target(arguments.pipeline);
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return std::unexpected(folders.error());
  Registry registry(std::move(*folders));
  Diagnostics diagnostics;
  const Result<PipelineDescription> pipeline =
      load_pipeline(arguments.pipeline, arguments.overrides, registry, diagnostics);
  if (!pipeline) {
    print_raw_error(render(diagnostics, colour_on_stderr()));
    return std::unexpected(pipeline.error());
  }
  if (!file_storage().folder_is_locked(pipeline->state)) {
    return fail(Errc::unavailable,
                fmt::format("no engine runs pipeline '{}': start it with `sluice run {} --admin "
                            "127.0.0.1:9640`",
                            pipeline->name, arguments.pipeline));
  }
  return running_target(*pipeline);
}

/// The member as a cell of a table; "-" where there is none.
std::string cell(const Json& json, std::string_view member) {
  const Json* value = json.find(member);
  return value == nullptr || value->text.empty() ? "-" : value->text;
}

/// "2026-11-22T10:00:00Z"
std::string time_cell(const Json& json, std::string_view member) {
  const Json* value = json.find(member);
  if (value == nullptr || !value->integer)
    return "-";
  using namespace std::chrono;
  const sys_seconds time = floor<seconds>(sys_time<milliseconds>(milliseconds(*value->integer)));
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string alarms_table(const Json& alarms) {
  std::vector<std::vector<std::string>> rows{
      {"alarm", "state", "since", "queue", "metric", "value", "reason"}};
  for (const Json& alarm : alarms.items) {
    rows.push_back({cell(alarm, "name"), cell(alarm, "state"), time_cell(alarm, "since"),
                    cell(alarm, "queue"), cell(alarm, "metric_name"), cell(alarm, "value"),
                    cell(alarm, "reason")});
  }
  return columns_text(rows);
}

std::string services_table(const Json& services) {
  std::vector<std::vector<std::string>> rows{
      {"service", "workers", "leaving", "most", "processed", "retried", "rejected", "scaling"}};
  for (const Json& service : services.items) {
    const Json* scaling = service.find("scaling");
    rows.push_back({cell(service, "name"), cell(service, "workers"), cell(service, "leaving"),
                    cell(service, "workers_max"), cell(service, "processed"),
                    cell(service, "retried"), cell(service, "rejected"),
                    scaling ? cell(*scaling, "reason") : "-"});
  }
  return columns_text(rows);
}

int list(const Remote& remote, const EngineArguments& arguments) {
  const bool alarms = arguments.action == Action::list_alarms;
  const std::string_view what = alarms ? "alarms" : "services";
  const Result<Json> answer = remote.ask("GET", fmt::format("/api/v1/{}", what));
  if (!answer)
    return report(answer.error());
  const Json* all = answer->find(what);
  if (all == nullptr)
    return report(remote.not_sluice(what).error());
  print(arguments.json ? to_text(*answer) + "\n"
        : alarms       ? alarms_table(*all)
                       : services_table(*all));
  return 0;
}

int change_workers(const Remote& remote, const EngineArguments& arguments) {
  const bool starts = arguments.action == Action::start;
  const Result<Json> answer = remote.ask(
      "POST", fmt::format("/api/v1/services/{}/{}", arguments.service, starts ? "start" : "stop"),
      fmt::format("{{\"count\":{}}}", arguments.count));
  if (!answer)
    return report(answer.error());
  const Json* before = answer->find("before");
  const Json* now = answer->find("workers");
  if (before == nullptr || now == nullptr)
    return report(remote.not_sluice("workers").error());
  const std::int64_t changed = now->integer.value_or(0) - before->integer.value_or(0);
  const bool all = std::abs(changed) == arguments.count;
  print(fmt::format("{}: {} {}, {} now{}\n", arguments.service,
                    count_text(static_cast<std::uint64_t>(std::abs(changed)), "worker"),
                    starts ? "started" : "stopped", now->integer.value_or(0),
                    all      ? ""
                    : starts ? ", which is its max_capacity"
                             : ": no more ran"));
  return 0;
}

}  // namespace

int operate_engine(const EngineArguments& arguments) {
  const bool changes = arguments.action == Action::start || arguments.action == Action::stop;
  if (changes && !valid_name(arguments.service)) {
    return report(
        {Errc::usage, fmt::format("'{}' is no name of a service: 1 to 80 of A-Z a-z 0-9 _ -",
                                  arguments.service)});
  }
  Result<AdminTarget> target = find_engine(arguments);
  if (!target)
    return report(target.error());
  const Remote remote(std::move(target->host), std::move(target->port), {},
                      std::move(target->instance));
  return changes ? change_workers(remote, arguments) : list(remote, arguments);
}

}  // namespace sluice::core
