// `scale`: a scaling policy tried on a load, in simulated time.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/input_files.hpp"
#include "cli/output.hpp"
#include "config/scaling.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kFileBytesMax = 16 << 20;
constexpr std::uint64_t kSamplesBetweenLooks = 1024;  // at whether anybody reads on

/// As a number of JSON.
std::string seconds_text(std::int64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000)
                        : fmt::format("{}", static_cast<double>(ms) / 1000);
}
std::string maybe_text(std::optional<double> number) {
  return number ? fmt::format("{}", *number) : "null";
}
std::string_view action_text(ScalingDecision::Action action) {
  return action == ScalingDecision::Action::out  ? "out"
         : action == ScalingDecision::Action::in ? "in"
                                                 : "";
}

std::string sample_line(const ScalingPolicy& policy, const SimulatedSample& simulated,
                        bool explained) {
  const auto& [sample, decision] = simulated;
  std::string line = fmt::format(
      R"({{"t":{},"visible":{},"in_flight":{},"count":{},"metric":{},"desired":{},"action":"{}")",
      seconds_text(sample.time_ms), sample.visible, sample.in_flight, sample.count,
      maybe_text(decision.metric), decision.desired, action_text(decision.action));
  if (explained) {
    line += fmt::format(
        R"(,"judged":{},"scale_out_cooldown_left":{},"scale_in_cooldown_left":{},"reason":{})",
        maybe_text(decision.judged), seconds_text(decision.scale_out_cooldown_left_ms),
        seconds_text(decision.scale_in_cooldown_left_ms),
        json_quote(reason_text(policy, decision)));
  }
  return line + "}\n";
}

std::string summary_line(const SimulationSummary& summary) {
  return fmt::format(
      R"({{"summary":{{"total":{},"finished_at":{},"ended_at":{},"max_count":{},"scale_outs":{},"scale_ins":{},"task_seconds":{}}}}})"
      "\n",
      summary.total, summary.finished_at_ms ? seconds_text(*summary.finished_at_ms) : "null",
      seconds_text(summary.ended_at_ms), summary.max_count, summary.scale_outs, summary.scale_ins,
      seconds_text(summary.worker_ms));
}

/// In errors.
std::string shown_name(const std::string& file) {
  return file == "-" ? "stdin" : file;
}

Result<ScalingSimulation> read_simulation(const ScaleArguments& arguments) {
  Result<std::string> text = read_file(arguments.file, kFileBytesMax);
  if (!text)
    return std::unexpected(text.error());
  Diagnostics diagnostics;
  Result<ScalingSimulation> simulation =
      parse_simulation(std::move(*text), shown_name(arguments.file), arguments.overrides,
                       process_environment, diagnostics);
  print_raw_error(render(diagnostics, colour_on_stderr()));
  return simulation;
}

void run(const ScaleArguments& arguments, const ScalingSimulation& simulation) {
  std::uint64_t samples = 0;
  const SimulationSummary summary = simulate(simulation, [&](const SimulatedSample& sample) {
    print(sample_line(simulation.policy, sample, arguments.explain));
    return ++samples % kSamplesBetweenLooks != 0 || flush_output();
  });
  print(summary_line(summary));
}

}  // namespace

int simulate_scaling(const ScaleArguments& arguments) {
  const Result<ScalingSimulation> simulation = read_simulation(arguments);
  if (!simulation)
    return report(simulation.error());
  run(arguments, *simulation);
  return 0;
}

}  // namespace sluice::core
