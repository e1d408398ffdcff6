// libFuzzer's way into the file of a dead-letter queue: scripts/fuzz.sh. Whatever stands in it, opening it and
// compacting it agree on which letters there are, nothing of it is lost, and each letter can be a message again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

#include "message/evacuator.hpp"
#include "message/message_view.hpp"
#include "queue/letter_file.hpp"
#include "queue/letter_parts.hpp"
#include "support/test_storage.hpp"

namespace {

using namespace sluice::core;

constexpr const char* kPath = "dead.jsonl";

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

std::string name_of(const LetterKey& letter) { return to_text(letter.id) + " of " + *letter.source; }

/// Letters by name: their lines.
std::map<std::string, std::string> letters_of(LetterFile& file) {
  std::map<std::string, std::string> letters;
  const auto end = file.for_each(0, [&](const LetterLine& letter) {
    require(letters.emplace(name_of(letter.key), letter.text).second);
    return true;
  });
  require(end.has_value() && letters.size() == file.count());
  return letters;
}

std::map<std::string, std::string> marks_of(const LetterFile& file) {
  std::map<std::string, std::string> marks;
  for (const auto& [letter, queue] : file.marked()) {
    marks.emplace(name_of(letter), queue);
  }
  return marks;
}

/// As the dead-letter queue delivers it and writes it again.
void require_a_message(const MessageText& text) {
  ChunkPool pool;
  Evacuator evacuator(pool);
  const LetterParts letter(text);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.body.data());
  const Evacuator::Copy copy = evacuator.store({bytes, text.body.size()}, letter.parts, text.sent_ms, Lineage{});
  require(copy.chunk != nullptr);
  ChunkViews views;
  views.show(*copy.chunk, std::uint64_t{1} << copy.index);
  const auto json = parse_json(message_to_json(*views.pointers()[copy.index]));
  require(json.has_value());
  const auto again = message_from_json(*json);
  require(again && again->id == text.id && again->body == text.body && again->group_id == text.group_id);
  release_chunk(copy.chunk, 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::test::TestStorage storage;
  storage.put(kPath, std::string(reinterpret_cast<const char*>(data), size));
  auto file = LetterFile::open(storage, kPath);
  require(file.has_value());
  const std::map<std::string, std::string> letters = letters_of(*file);
  const std::map<std::string, std::string> marked = marks_of(*file);
  require(file->for_each(0, [](const LetterLine& letter) {
    require_a_message(letter.message);
    return true;
  }).has_value());
  require(file->prepare().has_value());
  require(letters_of(*file) == letters);
  auto again = LetterFile::open(storage, kPath);
  require(again && letters_of(*again) == letters && marks_of(*again) == marked && again->foreign() == file->foreign());
  const std::string compacted = storage.content(kPath);
  require(again->prepare().has_value());
  require(storage.content(kPath) == compacted);
  return 0;
}
