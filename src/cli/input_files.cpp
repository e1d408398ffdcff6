#include "cli/input_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::core {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

std::string reason_of_errno() {
  return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe)
}

/// Appends up to kReadBytes; false at the end of the file, or errno is set.
Result<bool> read_more(int descriptor, std::string& into) {
  const std::size_t had = into.size();
  into.resize(had + kReadBytes);
  ssize_t got = 0;
  do {
    got = ::read(descriptor, into.data() + had, kReadBytes);
  } while (got < 0 && errno == EINTR);
  into.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0)
    return fail(Errc::io, reason_of_errno());
  return got > 0;
}

}  // namespace

Result<void> check_files(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    struct stat status {};
    if (file == "-")
      continue;
    if (::stat(file.c_str(), &status) != 0 || ::access(file.c_str(), R_OK) != 0) {
      return fail(Errc::missing_input, fmt::format("{}: {}", file, reason_of_errno()));
    }
    if (S_ISDIR(status.st_mode))
      return fail(Errc::missing_input, fmt::format("{}: is a directory", file));
  }
  return {};
}

Result<int> open_file(const std::string& file) {
  const int descriptor = file == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                     : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return fail(Errc::missing_input, fmt::format("{}: {}", file, reason_of_errno()));
  return descriptor;
}

Result<std::string> read_file(const std::string& file, std::size_t bytes_max) {
  Result<void> readable = check_files({file});
  if (!readable)
    return std::unexpected(readable.error());
  const Result<int> descriptor = open_file(file);
  if (!descriptor)
    return std::unexpected(descriptor.error());
  std::string text;
  Result<bool> more = true;
  while (more && *more && text.size() <= bytes_max)
    more = read_more(*descriptor, text);
  ::close(*descriptor);
  if (!more)
    return fail(Errc::missing_input, fmt::format("{}: {}", file, more.error().message));
  text.resize(std::min(text.size(), bytes_max + 1));
  return text;
}

Place place_in(std::string_view name, std::string_view text, std::size_t offset,
               std::size_t first_line) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  std::string_view line = text.substr(begin, text.find('\n', before.size()) - begin);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
  const std::string_view to_place = before.substr(begin);
  const auto column =
      to_place.size() - static_cast<std::size_t>(std::ranges::count_if(to_place, continues)) + 1;
  return {fmt::format("{}:{}:{}", name, first_line + lines, column), std::string(line),
          to_place.size()};
}

LineReader::LineReader(int descriptor, std::size_t line_bytes_max)
    : descriptor_(descriptor), line_bytes_max_(line_bytes_max) {}

LineReader::~LineReader() {
  ::close(descriptor_);
}

InputLine LineReader::take(std::size_t text_bytes, std::size_t bytes) {
  const bool too_long = skipping_ || text_bytes > line_bytes_max_;
  const std::string_view text = std::string_view(buffer_).substr(begin_, text_bytes);
  begin_ = looked_ = begin_ + bytes;
  skipping_ = false;
  return {too_long ? std::string_view() : text, ++number_, too_long};
}

/// Reads on. False at the end of the input.
Result<bool> LineReader::fill() {
  // Longer than a line may be, CR included: only its end is still of interest.
  if (buffer_.size() - begin_ > line_bytes_max_ + 1) {
    skipping_ = true;
    begin_ = buffer_.size();
  }
  buffer_.erase(0, begin_);
  begin_ = 0;
  looked_ = buffer_.size();
  return read_more(descriptor_, buffer_);
}

Result<std::optional<InputLine>> LineReader::next(const std::function<bool()>& before_waiting) {
  for (;;) {
    const std::size_t end = buffer_.find('\n', looked_);
    if (end != std::string::npos) {
      const bool has_return = end > begin_ && buffer_[end - 1] == '\r';
      return take(end - begin_ - (has_return ? 1 : 0), end + 1 - begin_);
    }
    if (!before_waiting())
      return std::nullopt;
    const Result<bool> more = fill();
    if (!more)
      return std::unexpected(more.error());
    if (!*more) {
      const std::size_t rest = buffer_.size() - begin_;
      return rest > 0 || skipping_ ? std::optional(take(rest, rest)) : std::nullopt;
    }
  }
}

}  // namespace sluice::core
