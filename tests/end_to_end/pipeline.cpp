#include "end_to_end/pipeline.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "sample_pictures.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

std::string text_of(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string shipped_config() {
  return source_root() + "/configs/icons.json";
}
std::string test_plugins() {
  return build_root() + "/tests/end_to_end";
}

}  // namespace

std::string icon_png(std::uint64_t seed, std::uint32_t side) {
  return text_of(samples::to_png(samples::make_icon(seed, side)));
}
std::string photo_png(std::uint32_t width, std::uint32_t height) {
  return text_of(samples::to_png(samples::make_photo(1, width, height)));
}
std::string photo_jpeg(std::uint32_t width, std::uint32_t height) {
  return text_of(samples::to_jpeg(samples::make_photo(1, width, height), 90));
}

PixelSize png_size(const std::string& png) {
  // PNG specification 5.2, 11.2.2 and 11.2.5: signature, then IHDR; IEND is the last chunk.
  const bool whole = png.size() > 45 && png.starts_with("\x89PNG\r\n\x1a\n") &&
                     png.substr(12, 4) == "IHDR" && png.substr(png.size() - 8, 4) == "IEND";
  if (!whole)
    return {};
  return {big_endian(png, 16), big_endian(png, 20)};
}

Pipeline::Pipeline() {
  fs::create_directories(bucket() / "icons");
}

Command Pipeline::icons(const Words& more) const {
  Command command{{"run", shipped_config(), "--summary", "json", "--plugin-dir", test_plugins(),
                   "--set", "/state=" + file("state")},
                  {{"ICONS_FOLDER", bucket().string()}}};
  command.words.insert(command.words.end(), more.begin(), more.end());
  return command;
}

Command Pipeline::icons_until_idle(Words more) const {
  more.emplace_back("--until-idle");
  return icons(more);
}

Command Pipeline::own(const std::string& config, const Words& more) const {
  std::string text = config;
  for (std::size_t at = 0; (at = text.find('@', at)) != std::string::npos;)
    text.replace(at, 1, folder().string());
  put_file(folder() / "pipeline.json", text);
  Command command{
      {"run", file("pipeline.json"), "--summary", "json", "--plugin-dir", test_plugins()}, {}};
  command.words.insert(command.words.end(), more.begin(), more.end());
  return command;
}

Words Pipeline::probe_16(const Json& options) {
  const Json config = Json::parse(read_file(shipped_config()));
  Json stages = config["services"]["resize-16"]["stages"];
  Json probe = options;
  probe["type"] = "probe";
  stages.insert(stages.begin(), probe);
  return {"--set", "/services/resize-16/stages=" + stages.dump()};
}

std::set<std::string> Pipeline::keys(const std::string& prefix) const {
  std::set<std::string> found;
  std::error_code none;
  for (fs::recursive_directory_iterator at(bucket() / prefix, none), end; at != end;
       at.increment(none)) {
    const bool counts =
        at->is_regular_file(none) && !at->path().filename().string().starts_with(".sluice-tmp-");
    if (counts)
      found.insert(at->path().lexically_relative(bucket()).string());
  }
  return found;
}

std::size_t Pipeline::results(int side) const {
  return keys("icons-size-" + std::to_string(side)).size();
}

std::vector<std::string> Pipeline::lines(const std::string& name) const {
  std::istringstream text(read_file(folder() / name));
  std::vector<std::string> found;
  for (std::string line; std::getline(text, line);)
    found.push_back(line);
  return found;
}

std::vector<Json> Pipeline::dead_letters(const std::string& queue) const {
  std::vector<Json> found;
  for (const std::string& line : lines("state/dead-letters/" + queue + ".jsonl"))
    found.push_back(Json::parse(line));
  return found;
}

Json summary_of(const Ended& ended) {
  const std::size_t end = ended.out.find_last_not_of('\n');
  const std::size_t begin = end == std::string::npos ? 0 : ended.out.rfind('\n', end) + 1;
  const Json summary = Json::parse(ended.out.substr(begin), nullptr, false);
  if (!summary.is_object())
    throw std::runtime_error("no summary; it said: " + ended.out + ended.err);
  return summary;
}

void expect_conservation(const Json& summary) {
  for (const auto& [name, queue] : summary["queues"].items()) {
    const auto sum = [&queue = queue](std::initializer_list<const char*> keys) {
      std::uint64_t total = 0;
      for (const char* key : keys)
        total += queue.at(key).get<std::uint64_t>();
      return total;
    };
    EXPECT_EQ(sum({"sent", "moved_in"}),
              sum({"visible", "in_flight", "delayed", "deleted", "moved_to_dead_letter", "expired",
                   "dropped", "purged"}))
        << name << ": " << queue;
  }
}

}  // namespace sluice::test
