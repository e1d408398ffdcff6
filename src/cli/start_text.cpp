#include "cli/start_text.hpp"

#include <fmt/format.h>

#include "base/units.hpp"
#include "config/component_reader.hpp"

namespace sluice::core {
namespace {

/// Sources that are named; more are counted.
constexpr std::size_t kSourcesShown = 4;

/// "uploads watches graphics/icons/", "lines: generate".
std::string source_text(const SourceDescription& source) {
  const std::string bucket = option_text_of_type(*source.options, "bucket");
  if (bucket.empty())
    return fmt::format("{}: {}", source.name, source.options->component->descriptor->type);
  const std::string prefix = option_text(*source.options, "prefix");
  return fmt::format("{} watches {}{}{}", source.name, bucket, prefix.empty() ? "" : ", prefix ",
                     prefix);
}

std::string sources_text(const PipelineDescription& pipeline) {
  std::string text = count_text(pipeline.sources.size(), "source");
  for (std::size_t i = 0; i < pipeline.sources.size() && i < kSourcesShown; ++i)
    text += (i == 0 ? " (" : "; ") + source_text(pipeline.sources[i]);
  if (pipeline.sources.size() > kSourcesShown)
    text += fmt::format("; and {} more", pipeline.sources.size() - kSourcesShown);
  return text + (pipeline.sources.empty() ? "" : ")");
}

}  // namespace

std::string start_text(const PipelineDescription& pipeline) {
  std::uint64_t workers = 0;
  for (const ServiceDescription& service : pipeline.services)
    workers += service.scaling.desired_capacity;
  return fmt::format(
      "{} runs, state in '{}': {}, {}, {}, {} with {}", pipeline.name, pipeline.state,
      sources_text(pipeline), count_text(pipeline.topics.size(), "topic"),
      count_text(pipeline.queues.size(), "queue"), count_text(pipeline.services.size(), "service"),
      count_text(workers, "worker"));
}

}  // namespace sluice::core
