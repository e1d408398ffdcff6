#include "pipeline/queue_control.hpp"

#include <fmt/format.h>

#include "base/spelling.hpp"

namespace sluice::core {

std::unexpected<Error> no_queue(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string near = name.size() > 100 ? "" : did_you_mean(nearest_name(name, known));
  return fail(Errc::missing_input, fmt::format("there is no queue '{}'{}", name, near));
}

std::unexpected<Error> not_dead_letters(std::string_view queue) {
  return fail(
      Errc::usage,
      fmt::format("queue '{}' is no dead-letter queue: only dead letters can be redriven", queue));
}

Result<std::vector<std::string>> peek_letters(Storage& storage, const std::string& path,
                                              std::uint32_t count_max) {
  Result<LetterFile> file = LetterFile::open(storage, path);
  if (!file) {
    return std::unexpected(file.error());
  }
  std::vector<std::string> letters;
  std::size_t bytes = 0;
  Result<std::uint64_t> end = file->for_each(0, [&](const LetterLine& letter) {
    if (letters.size() == count_max || bytes >= kPeekBytesMax) {
      return false;
    }
    letters.emplace_back(letter.text);
    bytes += letter.text.size();
    return true;
  });
  if (!end) {
    return std::unexpected(end.error());
  }
  return letters;
}

}  // namespace sluice::core
