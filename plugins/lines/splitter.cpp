#include "splitter.hpp"

#include <cassert>
#include <cstring>
#include <utility>

namespace sluice::lines {

namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

}  // namespace

Splitter::Splitter(std::size_t line_bytes_max, std::uint64_t offset, std::uint64_t number)
    : line_bytes_max_(line_bytes_max), offset_(offset), number_(number) {}

std::span<char> Splitter::room() {
  // No line end in what is held: more than a line may have, so only its length is still of
  // interest.
  if (looked_ == filled_ && filled_ - begin_ > line_bytes_max_ + 1) {
    dropped_ += filled_ - begin_;
    begin_ = looked_ = filled_ = 0;
  }
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, filled_ - begin_);
    looked_ -= begin_;
    filled_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < filled_ + kReadBytes)
    buffer_.resize(filled_ + kReadBytes);
  return {buffer_.data() + filled_, kReadBytes};
}

std::optional<Line> Splitter::next() {
  const void* found = std::memchr(buffer_.data() + looked_, '\n', filled_ - looked_);
  if (found == nullptr) {
    looked_ = filled_;
    return std::nullopt;
  }
  const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
  std::size_t text_bytes = end - begin_;
  if (text_bytes > 0 && buffer_[end - 1] == '\r')
    --text_bytes;
  return take(text_bytes, end + 1 - begin_);
}

std::optional<Line> Splitter::rest() {
  assert(looked_ == filled_);
  if (filled_ == begin_ && dropped_ == 0)
    return std::nullopt;
  Line line = take(filled_ - begin_, filled_ - begin_);
  line.unterminated = true;
  return line;
}

Line Splitter::take(std::size_t text_bytes, std::size_t bytes) {
  Line line;
  line.begin = offset_;
  line.end = offset_ + dropped_ + bytes;
  line.number = number_++;
  line.too_long = dropped_ > 0 || text_bytes > line_bytes_max_;
  if (!line.too_long)
    line.text = {buffer_.data() + begin_, text_bytes};
  offset_ = line.end;
  dropped_ = 0;
  begin_ += bytes;
  looked_ = begin_;
  return line;
}

}  // namespace sluice::lines
