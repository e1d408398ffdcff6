#include "image_resize/png_encoder.hpp"

#include <spng.h>

#include <cstdlib>

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

}  // namespace

Result<std::span<const std::uint8_t>> PngEncoder::encode(const Picture& picture, int level) {
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
  if (error == 0) bytes_.reset(static_cast<std::uint8_t*>(spng_get_png_buffer(context.get(), &size, &error)));
  if (error != 0) return fail(error == SPNG_EMEM ? Code::out_of_memory : Code::encode_failed, spng_strerror(error));
  return std::span<const std::uint8_t>(bytes_.get(), size);
}

}  // namespace sluice::image_resize
