#include "image_resize/png_decoder.hpp"

#include <spng.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "image_resize/buffer.hpp"
#include "image_resize/plain_png.hpp"

namespace sluice::image_resize {
namespace {

/// Hands a file on without its ancillary chunks (tRNS is kept, it makes pixels). Where the chunks'
/// structure breaks, the rest is handed on as it is, for the library to judge.
class ChunkFilter {
 public:
  explicit ChunkFilter(std::span<const std::uint8_t> bytes) : bytes_(bytes), left_(std::min<std::size_t>(8, bytes.size())) {}

  /// libspng's read callback: all of `length` or SPNG_IO_EOF.
  static int read(spng_ctx*, void* user, void* to, std::size_t length) {
    return static_cast<ChunkFilter*>(user)->take(static_cast<std::uint8_t*>(to), length) ? 0 : SPNG_IO_EOF;
  }

 private:
  bool take(std::uint8_t* to, std::size_t length) {
    while (length > 0) {
      if (left_ == 0 && !next_chunk()) return false;
      std::size_t now = std::min(length, left_);
      std::memcpy(to, bytes_.data() + at_, now);
      at_ += now;
      left_ -= now;
      to += now;
      length -= now;
    }
    return true;
  }

  /// Sets left_ to the bytes of the next chunk to hand on.
  bool next_chunk() {
    while (at_ < bytes_.size()) {
      std::size_t rest = bytes_.size() - at_;
      const std::uint8_t* chunk = bytes_.data() + at_;
      if (rest < 12) {
        left_ = rest;
        return true;
      }
      std::size_t length = (std::size_t{chunk[0]} << 24 | chunk[1] << 16 | chunk[2] << 8 | chunk[3]) + 12;
      bool ancillary = (chunk[4] & 0x20) != 0 && std::memcmp(chunk + 4, "tRNS", 4) != 0;
      if (!ancillary || length > rest) {
        left_ = std::min(length, rest);
        return true;
      }
      at_ += length;
    }
    return false;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  std::size_t left_;  ///< bytes to hand on before the next chunk is looked at
};

Code code_of(int error, bool in_header) {
  switch (error) {
    case SPNG_IO_EOF:
    case SPNG_EOF: return Code::truncated;
    case SPNG_EMEM: return Code::out_of_memory;
    case SPNG_EOVERFLOW:
    case SPNG_EUSER_WIDTH:
    case SPNG_EUSER_HEIGHT:
    case SPNG_ECHUNK_LIMITS: return Code::limit_exceeded;
    case SPNG_EIDAT_TOO_SHORT:
    case SPNG_EIDAT_STREAM:
    case SPNG_EZLIB:
    case SPNG_EFILTER: return Code::corrupt_data;
    case SPNG_ENOIHDR:
    case SPNG_ECHUNK_POS:
    case SPNG_ECHUNK_TYPE:
    case SPNG_ECHUNK_UNKNOWN_CRITICAL:
    case SPNG_EDUP_PLTE:
    case SPNG_ENOPLTE: return Code::bad_header;
    default: return in_header ? Code::bad_header : Code::corrupt_data;
  }
}

std::unexpected<Fault> spng_fault(int error, bool in_header) {
  return fail(code_of(error, in_header), spng_strerror(error));
}

/// v / 257, exactly rounded.
std::uint8_t to_byte(std::uint32_t v) { return static_cast<std::uint8_t>((v * 255 + 32895) >> 16); }

void narrow(const std::uint8_t* from, std::size_t samples, std::uint8_t* to) {
  for (std::size_t i = 0; i < samples; ++i) {
    std::uint16_t value;
    std::memcpy(&value, from + 2 * i, sizeof value);
    to[i] = to_byte(value);
  }
}

}  // namespace

struct PngDecoder::State {
  struct FreeContext {
    void operator()(spng_ctx* context) const { spng_ctx_free(context); }
  };
  std::unique_ptr<spng_ctx, FreeContext> context;
  ChunkFilter input{{}};
  spng_ihdr header{};
  Model model = Model::rgb;
  int format = 0;
  int flags = 0;
  std::span<const std::uint8_t> bytes;
  PlainPng plain;
  bool wide = false;              ///< rows come with 16 bits a sample
  Buffer<std::uint8_t> rows;      ///< one row, or the whole picture where it is interlaced
  Buffer<std::uint8_t> narrowed;  ///< one row of 8 bits

  void choose_format(bool transparency);
  std::size_t row_bytes() const {
    return std::size_t{header.width} * channels_of(model) * (wide ? 2 : 1);
  }
  bool interlaced() const { return header.interlace_method != SPNG_INTERLACE_NONE; }
  bool may_be_plain() const;
  void hand_on(const std::uint8_t* row, Scaler& to);
  Result<void> read_plain(Scaler& to, const Watch& watch);
  Result<void> read_interlaced(Scaler& to, const Watch& watch);
  Result<void> read_rows(Scaler& to, const Watch& watch);
};

PngDecoder::PngDecoder() : state_(std::make_unique<State>()) {}
PngDecoder::~PngDecoder() = default;

void PngDecoder::State::choose_format(bool transparency) {
  bool gray = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE;
  bool alpha = transparency || header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
               header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  wide = header.bit_depth == 16;
  flags = transparency ? SPNG_DECODE_TRNS : 0;
  if (alpha) {
    model = Model::rgba;
    format = wide ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8;
  } else if (gray) {
    model = Model::gray;
    format = wide ? SPNG_FMT_PNG : SPNG_FMT_G8;
  } else {
    model = Model::rgb;
    format = wide ? SPNG_FMT_PNG : SPNG_FMT_RGB8;
  }
}

Result<Size> PngDecoder::open(std::span<const std::uint8_t> bytes, std::uint64_t pixels_max, std::uint32_t side_max) {
  State& state = *state_;
  state.context.reset(spng_ctx_new(0));
  if (state.context == nullptr) return fail(Code::out_of_memory, "no memory for the PNG decoder");
  spng_ctx* context = state.context.get();
  state.bytes = bytes;
  state.input = ChunkFilter(bytes);
  constexpr std::size_t kChunkBytes = 8 << 20, kCacheBytes = 16 << 20;
  spng_set_chunk_limits(context, kChunkBytes, kCacheBytes);
  spng_set_image_limits(context, INT32_MAX, INT32_MAX);  // ours are checked with better texts
  spng_set_crc_action(context, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
  if (int error = spng_set_png_stream(context, ChunkFilter::read, &state.input)) return spng_fault(error, true);
  if (int error = spng_get_ihdr(context, &state.header)) return spng_fault(error, true);
  Size size{state.header.width, state.header.height};
  if (std::max(size.width, size.height) > side_max || std::uint64_t{size.width} * size.height > pixels_max) return size;
  spng_trns transparency;
  int error = spng_get_trns(context, &transparency);
  if (error != 0 && error != SPNG_ECHUNKAVAIL) return spng_fault(error, true);
  state.choose_format(error == 0);
  return size;
}

Frame PngDecoder::frame() const { return whole_frame(state_->model, state_->header.width, state_->header.height); }

std::uint64_t PngDecoder::memory() const {
  const State& state = *state_;
  std::uint64_t row = std::uint64_t{state.header.width} * 8;  // libspng's widest row
  std::uint64_t rows = state.interlaced() ? state.header.height : 1;
  std::uint64_t inflated = state.may_be_plain() ? 2 * PlainPng::kInflatedBytesMax : 0;
  return state.row_bytes() * rows + 4 * row + (256 << 10) + inflated;
}

Result<void> PngDecoder::read(Scaler& to, const Watch& watch) {
  State& state = *state_;
  const spng_ihdr& header = state.header;
  if (state.may_be_plain() && state.plain.inflate(state.bytes, header.width, header.height, channels_of(state.model))) {
    return state.read_plain(to, watch);
  }
  if (state.wide) state.narrowed.reserve(std::size_t{state.header.width} * channels_of(state.model));
  Result<void> result = state.interlaced() ? state.read_interlaced(to, watch) : state.read_rows(to, watch);
  if (!result) return result;
  // The last IDAT's CRC is only looked at here. A missing IEND does no harm.
  int error = spng_decode_chunks(state.context.get());
  if (error != 0 && error != SPNG_IO_EOF) return spng_fault(error, false);
  to.finish();
  return {};
}

bool PngDecoder::State::may_be_plain() const {
  bool type = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE || header.color_type == SPNG_COLOR_TYPE_TRUECOLOR ||
              header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  return type && header.bit_depth == 8 && flags == 0 && !interlaced() &&
         PlainPng::fits(header.width, header.height, channels_of(model));
}

Result<void> PngDecoder::State::read_plain(Scaler& to, const Watch& watch) {
  for (std::uint32_t y = 0; y < header.height; ++y) {
    to.push(0, plain.row(y));
    if (y % 64 == 63 && watch.stop(y + 1, header.height)) return fail(Code::cancelled, {});
  }
  to.finish();
  return {};
}

void PngDecoder::State::hand_on(const std::uint8_t* row, Scaler& to) {
  if (wide) {
    narrow(row, std::size_t{header.width} * channels_of(model), narrowed.data());
    row = narrowed.data();
  }
  to.push(0, row);
}

Result<void> PngDecoder::State::read_interlaced(Scaler& to, const Watch& watch) {
  std::size_t bytes = row_bytes() * header.height;
  rows.reserve(bytes);
  if (int error = spng_decode_image(context.get(), rows.data(), bytes, format, flags)) return spng_fault(error, false);
  for (std::uint32_t y = 0; y < header.height; ++y) {
    hand_on(rows.data() + y * row_bytes(), to);
    if (y % 64 == 63 && watch.stop(y + 1, header.height)) return fail(Code::cancelled, {});
  }
  return {};
}

Result<void> PngDecoder::State::read_rows(Scaler& to, const Watch& watch) {
  rows.reserve(row_bytes());
  int error = spng_decode_image(context.get(), nullptr, 0, format, flags | SPNG_DECODE_PROGRESSIVE);
  if (error != 0) return spng_fault(error, false);
  for (std::uint32_t y = 0; y < header.height; ++y) {
    error = spng_decode_row(context.get(), rows.data(), row_bytes());
    if (error != 0 && error != SPNG_EOI) return spng_fault(error, false);
    hand_on(rows.data(), to);
    if (y % 64 == 63 && watch.stop(y + 1, header.height)) return fail(Code::cancelled, {});
  }
  return {};
}

}  // namespace sluice::image_resize
