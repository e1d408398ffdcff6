#include "checkpoint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "file.hpp"

namespace sluice::lines {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kHashedBytes = 4096;

/// Of what lies in [begin, begin + kHashedBytes) and before `end`; of less where the file is
/// shorter.
std::string hash_of(int descriptor, std::uint64_t begin, std::uint64_t end) {
  std::array<char, kHashedBytes> bytes;
  const std::size_t wanted = std::min(kHashedBytes, end - begin);
  std::size_t got = 0;
  while (got < wanted) {
    const ssize_t more =
        ::pread(descriptor, bytes.data() + got, wanted - got, static_cast<off_t>(begin + got));
    if (more < 0 && errno == EINTR)
      continue;
    if (more < 0)
      fail_io(SLUICE_IO, "read", "the file of lines");
    if (more == 0)
      break;
    got += static_cast<std::size_t>(more);
  }
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), got);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string head_of(int descriptor, std::uint64_t offset) {
  return hash_of(descriptor, 0, offset);
}

std::string tail_of(int descriptor, std::uint64_t offset) {
  return hash_of(descriptor, offset - std::min(offset, kHashedBytes), offset);
}

std::uint64_t size_of(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0)
    fail_io(SLUICE_IO, "look at", "the file of lines");
  return static_cast<std::uint64_t>(status.st_size);
}

std::optional<std::string> content_of(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT)
    return std::nullopt;
  if (!file)
    fail_io(SLUICE_IO, "open", path);
  std::string content;
  std::array<char, 65536> block;
  while (const ssize_t got = ::read(file.get(), block.data(), block.size())) {
    if (got < 0 && errno != EINTR)
      fail_io(SLUICE_IO, "read", path);
    content.append(block.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  return content;
}

/// Throws nlohmann's exceptions.
Position position_of(const Json& kept) {
  Position position{
      kept.at("offset").get<std::uint64_t>(), kept.at("line").get<std::uint64_t>(), {}};
  for (const Json& range : kept.at("done")) {
    position.done.push_back({range.at(0).get<std::uint64_t>(), range.at(1).get<std::uint64_t>()});
  }
  return position;
}

}  // namespace

Checkpoint::Checkpoint(std::string_view state_folder)
    : path_(std::string(state_folder) + "/checkpoint") {}

Checkpoint::Kept Checkpoint::load(int descriptor) const {
  const std::optional<std::string> content = content_of(path_);
  if (!content)
    return {};
  try {
    const Json kept = Json::parse(*content);
    Position position = position_of(kept);
    const std::uint64_t end = position.end();
    const bool same = size_of(descriptor) >= end && kept.at("head") == head_of(descriptor, end) &&
                      kept.at("tail") == tail_of(descriptor, end);
    return same ? Kept{State::same, std::move(position)} : Kept{State::other, {}};
  } catch (const Json::exception&) {
    return {State::damaged, {}};
  }
}

bool Checkpoint::save(int descriptor, const Position& position, std::uint64_t read, bool sync) {
  if (saved_ == position && !sync)
    return true;
  if (size_of(descriptor) < read)
    return false;
  Json kept{{"offset", position.offset},
            {"line", position.line},
            {"head", head_of(descriptor, position.end())},
            {"tail", tail_of(descriptor, position.end())},
            {"done", Json::array()}};
  for (const Range& range : position.done)
    kept["done"].push_back({range.begin, range.end});
  replace_file(path_, kept.dump() + "\n", sync);
  saved_ = position;
  return true;
}

}  // namespace sluice::lines
