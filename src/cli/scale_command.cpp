// `scale`: a scaling policy tried on a load, in simulated time.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/input_files.hpp"
#include "cli/output.hpp"
#include "cli/scale_plot.hpp"
#include "config/scaling.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kFileBytesMax = 16 << 20;
constexpr std::uint64_t kSamplesBetweenLooks = 1024;  // at whether anybody reads on

/// A file that is written in one go.
class OutputFile {
 public:
  /// Error: io.
  static Result<OutputFile> create(std::string path) {
    OutputFile created(std::move(path));
    if (created.file_ == nullptr)
      return created.fault();
    return Result<OutputFile>(std::move(created));
  }

  Result<void> write(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
        std::fflush(file_.get()) != 0)
      return fault();
    return {};
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  explicit OutputFile(std::string path)
      : path_(std::move(path)), file_(std::fopen(path_.c_str(), "we")) {}

  std::unexpected<Error> fault() const {
    return fail(Errc::io, fmt::format("{}: cannot write the plot: {}", path_,
                                      std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

/// As a number of JSON.
std::string seconds_text(std::int64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000)
                        : fmt::format("{}", static_cast<double>(ms) / 1000);
}
std::string maybe_text(std::optional<double> number) {
  return number ? fmt::format("{}", *number) : "null";
}

std::string sample_line(const ScalingPolicy& policy, const SimulatedSample& simulated,
                        bool explained) {
  const auto& [sample, decision] = simulated;
  std::string line = fmt::format(
      R"({{"t":{},"visible":{},"in_flight":{},"count":{},"metric":{},"desired":{},"action":"{}")",
      seconds_text(sample.time_ms), sample.visible, sample.in_flight, sample.count,
      maybe_text(decision.metric), decision.desired, name_of(decision.action));
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

/// In errors, and its last part above the plot.
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

Result<void> run(const ScaleArguments& arguments, const ScalingSimulation& simulation) {
  std::optional<OutputFile> file;
  if (arguments.plot) {
    Result<OutputFile> created = OutputFile::create(*arguments.plot);
    if (!created)
      return std::unexpected(created.error());
    file = std::move(*created);
  }
  ScalePlot plot(simulation, std::filesystem::path(shown_name(arguments.file)).filename().string());
  std::uint64_t samples = 0;
  const SimulationSummary summary = simulate(simulation, [&](const SimulatedSample& sample) {
    print(sample_line(simulation.policy, sample, arguments.explain));
    if (file)
      plot.add(sample);
    return file || ++samples % kSamplesBetweenLooks != 0 || flush_output();
  });
  print(summary_line(summary));
  return file ? file->write(plot.svg()) : Result<void>();
}

}  // namespace

int simulate_scaling(const ScaleArguments& arguments) {
  const Result<ScalingSimulation> simulation = read_simulation(arguments);
  if (!simulation)
    return report(simulation.error());
  const Result<void> done = run(arguments, *simulation);
  return done ? 0 : report(done.error());
}

}  // namespace sluice::core
