#include "image_resize/plain_png.hpp"

#include <libdeflate.h>

#include <cstring>

#include "image_resize/kernels.hpp"

namespace sluice::image_resize {
namespace {

std::uint32_t u32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

bool is(const std::uint8_t* chunk, const char* type) { return std::memcmp(chunk + 4, type, 4) == 0; }

constexpr std::uint8_t kLastFilter = 4;

}  // namespace

struct PlainPng::Decompressor {
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> handle{libdeflate_alloc_decompressor(),
                                                                                           libdeflate_free_decompressor};
};

PlainPng::PlainPng() : decompressor_(std::make_unique<Decompressor>()) {}
PlainPng::~PlainPng() = default;

bool PlainPng::fits(std::uint32_t width, std::uint32_t height, std::uint32_t channels) {
  return (std::uint64_t{width} * channels + 1) * (std::uint64_t{height} + 1) <= kInflatedBytesMax;
}

/// Walks the chunks; leaves the compressed data in one piece. Nothing but IHDR, PLTE, one run of IDAT, IEND and
/// ancillary chunks is taken.
bool PlainPng::gather(std::span<const std::uint8_t> png) {
  enum class Part { before, data, after } part = Part::before;
  std::size_t total = 0;
  std::size_t pieces = 0;
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::uint8_t* chunk = png.data() + at;
    std::size_t size = u32(chunk);
    if (size > png.size() - at - 12) return false;
    bool data = is(chunk, "IDAT");
    bool critical = (chunk[4] & 0x20) == 0;
    if (critical && libdeflate_crc32(0, chunk + 4, size + 4) != u32(chunk + 8 + size)) return false;
    if (is(chunk, "IHDR") != (at == 8) || is(chunk, "tRNS")) return false;
    if (data) {
      if (part == Part::after || total + size > kInflatedBytesMax) return false;
      part = Part::data;
      if (pieces == 0) compressed_ = {chunk + 8, size};
      if (pieces == 1) std::memcpy(joined_.reserve(png.size()), compressed_.data(), total);
      if (pieces >= 1) std::memcpy(joined_.data() + total, chunk + 8, size);
      total += size;
      ++pieces;
    } else if (part == Part::data) {
      part = Part::after;
    }
    if (is(chunk, "IEND")) {
      if (pieces > 1) compressed_ = {joined_.data(), total};
      return pieces > 0;
    }
    if (critical && !data && at != 8 && !(is(chunk, "PLTE") && part == Part::before)) return false;
    at += size + 12;
  }
  return false;
}

bool PlainPng::inflate(std::span<const std::uint8_t> png, std::uint32_t width, std::uint32_t height, std::uint32_t channels) {
  if (!decompressor_->handle || !gather(png)) return false;
  row_bytes_ = std::size_t{width} * channels;
  channels_ = channels;
  std::size_t line = row_bytes_ + 1;
  std::uint8_t* rows = rows_.reserve(line * (height + std::size_t{1}));
  std::memset(rows, 0, line);
  // Without room for a count, libdeflate takes nothing but exactly as many bytes as asked for.
  if (libdeflate_zlib_decompress(decompressor_->handle.get(), compressed_.data(), compressed_.size(), rows + line,
                                 line * height, nullptr) != LIBDEFLATE_SUCCESS) {
    return false;
  }
  for (std::uint32_t y = 1; y <= height; ++y) {
    if (rows[y * line] > kLastFilter) return false;
  }
  return true;
}

const std::uint8_t* PlainPng::row(std::uint32_t y) {
  std::size_t line = row_bytes_ + 1;
  std::uint8_t* row = rows_.data() + line * (y + std::size_t{1});
  const std::uint8_t* above = row - line + 1;
  simd::unfilter(row[0], above, row_bytes_, channels_, row + 1);
  return row + 1;
}

}  // namespace sluice::image_resize
