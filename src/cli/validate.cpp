// `validate` and `graph`: look at configurations without starting anything.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "config/graph.hpp"
#include "config/load.hpp"
#include "config/topology.hpp"
#include "queue/letter_file.hpp"

namespace sluice::core {
namespace {

/// A size for people: two digits behind the point where it is no whole number of its unit.
std::string human_size(std::int64_t bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return value == static_cast<double>(static_cast<std::int64_t>(value))
             ? fmt::format("{:.0f} {}", value, units[unit])
             : fmt::format("{:.2f} {}", value, units[unit]);
}

/// What a source keeps of each message that it would bring again, beside the message itself.
constexpr std::int64_t kUnacknowledgedBytes = 256;

/// No part of the bound: it goes by the messages on their way, in whatever queue they or their
/// descendants are.
std::string repeats_text(const PipelineDescription& pipeline) {
  std::string text;
  for (const SourceDescription& source : pipeline.sources) {
    if ((source.options->component->descriptor->flags & SLUICE_REPEATS) == 0)
      continue;
    text += fmt::format(
        "    {:>12}  more for each message of source {} that is not acknowledged, and its JSON where it cannot be "
        "read again (FIFO, standard input)\n",
        human_size(kUnacknowledgedBytes), source.name);
  }
  return text;
}

bool keeps_letters(const PipelineDescription& pipeline) {
  return std::ranges::any_of(pipeline.queues, [](const QueueDescription& queue) {
    return queue.redrive_policy.has_value();
  });
}

std::string memory_text(const PipelineDescription& pipeline) {
  const MemoryBound bound = memory_bound(pipeline);
  const auto line = [](std::int64_t bytes, const std::string& what) {
    return bytes == 0 ? std::string() : fmt::format("    {:>12}  {}\n", human_size(bytes), what);
  };
  return fmt::format("  memory bound {}\n", human_size(bound.total())) +
         line(bound.queues,
              count_text(pipeline.queues.size(), "queue") + ": the sum of capacity_bytes, and a quarter more where when_full is dead_letter") +
         line(bound.fifo, "FIFO queues: deduplication ids, and a lane for each message") +
         line(bound.timers, "what is delayed, or hidden after a failure, waits in the timers, if it were all messages") +
         line(bound.origins, "acknowledgement, if each message came in a chunk of its own") +
         line(bound.logs, "the logs of sources and of workers that publish, if a queue were 65 536 chunks behind") +
         line(bound.admin, "answers of the admin address that show messages") +
         line(bound.producers, "one chunk of each source and each worker that publishes, and the slabs that a source goes round in, or has begun") +
         line(bound.filters, "filter policies, compiled; twice that while they are changed") +
         line(bound.workers, "one batch in each worker's hands, if every body had max_body_bytes") +
         line(bound.emissions,
              "what a batch becomes in each worker that waits for nobody: 64 such bodies a message, "
              "published or rejected") +
         line(bound.parts, "parts that stages reject, and that are not stored yet") +
         (keeps_letters(pipeline)
              ? fmt::format("    {:>12}  more for each dead letter in a file: where it lies there\n",
                            human_size(LetterFile::kIndexBytes))
              : std::string()) +
         repeats_text(pipeline);
}

/// Which full queue makes which source wait.
std::string stalls_text(const PipelineDescription& pipeline) {
  std::string text;
  for (const SourceDescription& source : pipeline.sources) {
    std::string queues;
    for (const std::uint32_t queue : stalling_queues(pipeline, source)) {
      queues += (queues.empty() ? "" : ", ") + pipeline.queues[queue].name;
    }
    text += queues.empty()
                ? fmt::format("  source {} never waits for long: no queue that blocks gets its messages\n", source.name)
                : fmt::format("  source {} waits while one of these is full: {}\n", source.name,
                              queues);
    std::string letters;
    for (const std::uint32_t queue : queues_of(pipeline, source.publish_to)) {
      if (pipeline.queues[queue].when_full == WhenFull::dead_letter)
        letters += (letters.empty() ? "" : ", ") + pipeline.queues[queue].name;
    }
    if (!letters.empty())
      text += fmt::format("  source {} waits for the disk where it sends more than can be stored as dead letters of: {}\n",
                          source.name, letters);
  }
  return text;
}

/// 78 over 66 over 69 over 0.
int worse(int a, int b) {
  for (const int exit : {exit_code(Errc::config), exit_code(Errc::missing_input)}) {
    if (a == exit || b == exit)
      return exit;
  }
  return a == 0 ? b : a;
}

}  // namespace

int validate_configs(const ValidateArguments& arguments) {
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  int exit = 0;
  for (const std::string& config : arguments.configs) {
    Diagnostics diagnostics;
    const Result<PipelineDescription> pipeline =
        load_pipeline(config, arguments.overrides, registry, diagnostics);
    print_raw_error(render(diagnostics, colour_on_stderr()));
    if (!pipeline) {
      exit = worse(exit, report(pipeline.error()));
      continue;
    }
    print(fmt::format("{}: ok, {}\n{}{}", config, count_text(diagnostics.warnings(), "warning"),
                      memory_text(*pipeline), stalls_text(*pipeline)));
  }
  return exit;
}

int print_graph(const GraphArguments& arguments) {
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  Diagnostics diagnostics;
  const Result<PipelineDescription> pipeline =
      load_pipeline(arguments.config, arguments.overrides, registry, diagnostics);
  print_raw_error(render(diagnostics, colour_on_stderr()));
  if (!pipeline)
    return report(pipeline.error());
  print(graph_text(*pipeline));
  return 0;
}

}  // namespace sluice::core
