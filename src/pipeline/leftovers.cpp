#include "pipeline/leftovers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/storage.hpp"
#include "base/units.hpp"
#include "queue/letter_file.hpp"

namespace sluice::core {
namespace {

namespace fs = std::filesystem;

bool is_dead_letter_queue(const PipelineDescription& pipeline, const std::string& name) {
  return std::ranges::any_of(pipeline.queues, [&](const QueueDescription& queue) {
    return queue.redrive_policy &&
           pipeline.queues[queue.redrive_policy->dead_letter_queue].name == name;
  });
}

std::string text_of(const fs::path& file, std::uint64_t letters) {
  return fmt::format(
      "'{0}' holds {1} of queue '{2}', which is no dead-letter queue of this pipeline any more: "
      "each "
      "line is a message as JSON with its reason; to have them back in the queue, declare '{2}' "
      "and "
      "name it as \"dead_letter_queue\" in a redrive_policy; or move the file away",
      file.string(), count_text(letters, "dead letter"), file.stem().string());
}

}  // namespace

std::vector<std::string> forgotten_dead_letters(const PipelineDescription& pipeline) {
  std::vector<std::string> texts;
  std::error_code fault;
  const fs::path folder = fs::path(pipeline.state) / "dead-letters";
  for (fs::directory_iterator entry(folder, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    const fs::path& file = entry->path();
    std::error_code ignored;
    if (file.extension() != ".jsonl" || !entry->is_regular_file(ignored) ||
        is_dead_letter_queue(pipeline, file.stem().string()))
      continue;
    const Result<LetterFile> letters = LetterFile::open(file_storage(), file.string());
    if (!letters)
      texts.push_back(letters.error().message);
    else if (letters->count() != 0)
      texts.push_back(text_of(file, letters->count()));
  }
  std::ranges::sort(texts);
  return texts;
}

}  // namespace sluice::core
