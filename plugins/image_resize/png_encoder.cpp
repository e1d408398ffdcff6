#include "image_resize/png_encoder.hpp"

#include <libdeflate.h>
#include <spng.h>

#include <cstdlib>
#include <cstring>

namespace sluice::image_resize {
namespace {

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

std::uint8_t colour_type(std::uint32_t channels) {
  switch (channels) {
    case 1: return SPNG_COLOR_TYPE_GRAYSCALE;
    case 2: return SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    case 3: return SPNG_COLOR_TYPE_TRUECOLOR;
    default: return SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  }
}

constexpr std::uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A};
constexpr std::size_t kChunkFrame = 12;  ///< length, type, CRC

std::uint8_t* put_u32(std::uint8_t* to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) *to++ = static_cast<std::uint8_t>(value >> shift);
  return to;
}

/// Frames a chunk whose `size` bytes already stand at to + 8. Returns its end.
std::uint8_t* close_chunk(std::uint8_t* to, const char* type, std::size_t size) {
  put_u32(to, static_cast<std::uint32_t>(size));
  std::memcpy(to + 4, type, 4);
  return put_u32(to + 8 + size, libdeflate_crc32(0, to + 4, size + 4));
}

}  // namespace

struct PngEncoder::Compressor {
  int level = -1;
  std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> handle{nullptr, libdeflate_free_compressor};
};

PngEncoder::PngEncoder() : compressor_(std::make_unique<Compressor>()) {}
PngEncoder::~PngEncoder() = default;

Result<std::span<const std::uint8_t>> PngEncoder::encode(const Picture& picture, int level) {
  return picture.bytes() <= kWholeBytes ? encode_whole(picture, level) : encode_rows(picture, level);
}

Result<std::span<const std::uint8_t>> PngEncoder::encode_whole(const Picture& picture, int level) {
  if (compressor_->level != level) {
    compressor_->handle.reset(libdeflate_alloc_compressor(level));
    compressor_->level = compressor_->handle ? level : -1;
    if (!compressor_->handle) return fail(Code::out_of_memory, "no memory for the compressor");
  }
  std::size_t row = picture.row_bytes();
  std::size_t raw = (row + 1) * picture.height;
  std::uint8_t* rows = rows_.reserve(raw);
  for (std::size_t y = 0; y < picture.height; ++y) {
    rows[y * (row + 1)] = SPNG_FILTER_NONE;
    std::memcpy(rows + y * (row + 1) + 1, picture.row(y), row);
  }
  std::size_t bound = libdeflate_zlib_compress_bound(compressor_->handle.get(), raw);
  std::uint8_t* begin = file_.reserve(sizeof kSignature + 3 * kChunkFrame + 13 + bound);
  std::memcpy(begin, kSignature, sizeof kSignature);
  std::uint8_t* at = begin + sizeof kSignature;
  std::uint8_t* field = put_u32(put_u32(at + 8, picture.width), picture.height);
  const std::uint8_t kind[5] = {8, colour_type(picture.channels), 0, 0, 0};
  std::memcpy(field, kind, sizeof kind);
  at = close_chunk(at, "IHDR", 13);
  std::size_t size = libdeflate_zlib_compress(compressor_->handle.get(), rows, raw, at + 8, bound);
  if (size == 0) return fail(Code::encode_failed, "the compressor gave nothing");
  at = close_chunk(at, "IDAT", size);
  at = close_chunk(at, "IEND", 0);
  return std::span<const std::uint8_t>(begin, at);
}

Result<std::span<const std::uint8_t>> PngEncoder::encode_rows(const Picture& picture, int level) {
  std::unique_ptr<spng_ctx, FreeContext> context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (context == nullptr) return fail(Code::out_of_memory, "no memory for the PNG encoder");
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, level);
  spng_set_option(context.get(), SPNG_FILTER_CHOICE, SPNG_DISABLE_FILTERING);
  spng_ihdr header{picture.width, picture.height, 8, colour_type(picture.channels), 0, 0, 0};
  int error = spng_set_ihdr(context.get(), &header);
  if (error == 0) {
    error = spng_encode_image(context.get(), picture.pixels.data(), picture.bytes(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  }
  std::size_t size = 0;
  if (error == 0) large_.reset(static_cast<std::uint8_t*>(spng_get_png_buffer(context.get(), &size, &error)));
  if (error != 0) return fail(error == SPNG_EMEM ? Code::out_of_memory : Code::encode_failed, spng_strerror(error));
  return std::span<const std::uint8_t>(large_.get(), size);
}

}  // namespace sluice::image_resize
