#include "image_resize/jpeg_decoder.hpp"

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>
// after jpeglib.h
#include <jerror.h>

#include <algorithm>
#include <string>

#include "image_resize/buffer.hpp"

namespace sluice::image_resize {
namespace {

/// libjpeg's error manager and what it left behind. Plain data, since longjmp passes over it.
struct ErrorState {
  jpeg_error_mgr manager;  // first: libjpeg hands back its address
  jpeg_progress_mgr progress;
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
  int code;              ///< libjpeg's message code of what ended the work
  bool is_warning;       ///< it was a warning, strict mode
  bool limit;            ///< a limit of ours; `text` names it
  bool ended_early;      ///< the data ended before the picture
  bool strict;
  std::uint32_t warnings_max;
  std::uint32_t scans_max;
};

ErrorState& errors(j_common_ptr info) { return *reinterpret_cast<ErrorState*>(info->err); }

[[noreturn]] void give_up(j_common_ptr info) {
  ErrorState& state = errors(info);
  state.code = info->err->msg_code;
  if (!state.limit) info->err->format_message(info, state.text);
  std::longjmp(state.jump, 1);
}

void on_message(j_common_ptr info, int level) {
  ErrorState& state = errors(info);
  if (level >= 0) return;  // traces
  ++info->err->num_warnings;
  if (info->err->msg_code == JWRN_JPEG_EOF) state.ended_early = true;
  if (state.strict) {
    state.is_warning = true;
    give_up(info);
  }
  if (static_cast<std::uint64_t>(info->err->num_warnings) > state.warnings_max) {
    state.limit = true;
    std::snprintf(state.text, sizeof state.text, "more than %u warnings", state.warnings_max);
    give_up(info);
  }
}

void on_output(j_common_ptr) {}

void on_progress(j_common_ptr info) {
  ErrorState& state = errors(info);
  auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
  if (static_cast<std::uint32_t>(decompress->input_scan_number) > state.scans_max) {
    state.limit = true;
    std::snprintf(state.text, sizeof state.text, "more than %u scans", state.scans_max);
    give_up(info);
  }
}

void begin_errors(ErrorState& state, jpeg_decompress_struct& info) {
  state = {};
  info.err = jpeg_std_error(&state.manager);
  state.manager.error_exit = give_up;
  state.manager.emit_message = on_message;
  state.manager.output_message = on_output;
  state.progress.progress_monitor = on_progress;
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

}  // namespace

struct JpegDecoder::State {
  ErrorState error;
  jpeg_decompress_struct info;
  bool created = false;
  bool planar = false;
  Buffer<std::uint8_t> band;       ///< rows as libjpeg gives them
  Buffer<std::uint8_t> converted;  ///< one row of RGB from CMYK
  JSAMPROW rows[3][32];            ///< raw data: row pointers of each plane

  // Each of these may longjmp inside, and holds only plain data.
  bool read_header(const std::uint8_t* bytes, std::size_t size, std::uint64_t memory_max);
  bool calculate();
  bool start();
  bool next_rows(JSAMPARRAY into, JDIMENSION count, JDIMENSION* got);
  bool next_planes(JDIMENSION lines);
  bool end();

  Fault fault(bool in_header) const;
  Result<void> read_planes(Scaler& to, const Watch& watch);
  Result<void> read_lines(Scaler& to, const Watch& watch);
  void point_at_planes();
  std::size_t plane_stride(int component) const;
};

bool JpegDecoder::State::read_header(const std::uint8_t* bytes, std::size_t size, std::uint64_t memory_max) {
  if (setjmp(error.jump) != 0) return false;
  jpeg_create_decompress(&info);
  created = true;
  info.progress = &error.progress;
  info.mem->max_memory_to_use = static_cast<long>(memory_max);
  jpeg_mem_src(&info, bytes, size);
  jpeg_read_header(&info, TRUE);
  return true;
}

bool JpegDecoder::State::calculate() {
  if (setjmp(error.jump) != 0) return false;
  jpeg_calc_output_dimensions(&info);
  return true;
}

bool JpegDecoder::State::start() {
  if (setjmp(error.jump) != 0) return false;
  jpeg_start_decompress(&info);
  return true;
}

bool JpegDecoder::State::next_rows(JSAMPARRAY into, JDIMENSION count, JDIMENSION* got) {
  if (setjmp(error.jump) != 0) return false;
  JDIMENSION done = 0;
  while (done < count) {
    JDIMENSION now = jpeg_read_scanlines(&info, into + done, count - done);
    if (now == 0) break;
    done += now;
    *got = done;
  }
  return true;
}

bool JpegDecoder::State::next_planes(JDIMENSION lines) {
  if (setjmp(error.jump) != 0) return false;
  JSAMPARRAY planes[3] = {rows[0], rows[1], rows[2]};
  jpeg_read_raw_data(&info, planes, lines);
  return true;
}

bool JpegDecoder::State::end() {
  if (setjmp(error.jump) != 0) return false;
  jpeg_finish_decompress(&info);
  return true;
}

Fault JpegDecoder::State::fault(bool in_header) const {
  std::string text = error.text;
  if (error.limit) return {Code::limit_exceeded, text};
  if (error.ended_early) return {Code::truncated, text};
  if (error.is_warning) return {Code::corrupt_data, text};
  switch (error.code) {
    case JERR_OUT_OF_MEMORY: return {Code::out_of_memory, text};
    case JERR_NO_BACKING_STORE: return {Code::limit_exceeded, "more memory needed than max_memory allows"};
    case JERR_IMAGE_TOO_BIG: return {Code::limit_exceeded, text};
    case JERR_SOF_UNSUPPORTED:
    case JERR_NOT_COMPILED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_BAD_PRECISION: return {Code::unsupported_feature, text};
    case JERR_EMPTY_IMAGE:
      if (info.image_width != 0 && info.image_height == 0) {
        return {Code::unsupported_feature, "height is 0: given by a DNL marker, which is not supported"};
      }
      return {Code::bad_header, "width or height is 0"};
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY: return {Code::truncated, text};
    case JERR_SOF_DUPLICATE:
    case JERR_SOI_DUPLICATE:
    case JERR_SOS_NO_SOF:
    case JERR_NO_SOI:
    case JERR_NO_HUFF_TABLE:
    case JERR_NO_QUANT_TABLE:
    case JERR_BAD_HUFF_TABLE:
    case JERR_BAD_LENGTH:
    case JERR_BAD_COMPONENT_ID:
    case JERR_BAD_MCU_SIZE: return {Code::bad_header, text};
    default: return {in_header ? Code::bad_header : Code::corrupt_data, text};
  }
}

JpegDecoder::JpegDecoder() : state_(std::make_unique<State>()) {}
JpegDecoder::~JpegDecoder() {
  if (state_->created) jpeg_destroy_decompress(&state_->info);
}

Result<Size> JpegDecoder::open(std::span<const std::uint8_t> bytes, const Options& options) {
  State& state = *state_;
  // A new object each time: libjpeg keeps tables from picture to picture, which would complete a
  // damaged file with another one's.
  if (state.created) jpeg_destroy_decompress(&state.info);
  state.created = false;
  state.info = {};
  begin_errors(state.error, state.info);
  state.error.strict = options.strict;
  state.error.warnings_max = options.warnings_max;
  state.error.scans_max = options.scans_max;
  if (!state.read_header(bytes.data(), bytes.size(), options.memory_max)) return std::unexpected(state.fault(true));
  return Size{state.info.image_width, state.info.image_height};
}

namespace {

/// How many pixels each stored sample of the component stands for, at the chosen scale, by axis; 0: not whole.
std::uint32_t expansion(int component_factor, int component_size, int most_factor, int least_size) {
  int pixels = most_factor * least_size;
  int samples = component_factor * component_size;
  return samples > 0 && pixels % samples == 0 ? static_cast<std::uint32_t>(pixels / samples) : 0;
}

/// What libjpeg-turbo's upsampler does with these expansions (jdsample.c, jinit_upsampler).
bool upsampling_of(std::uint32_t across, std::uint32_t down, bool smooth, bool wide, Plane* plane) {
  if (across < 1 || across > 2 || down < 1 || down > 2) return false;
  bool fancy = smooth && (across == 1 || wide);
  if (across == 2) plane->across = fancy ? Upsampling::smoothed : Upsampling::doubled;
  if (down == 2) plane->down = fancy ? Upsampling::smoothed : Upsampling::doubled;
  return true;
}

bool plan_planes(const jpeg_decompress_struct& info, Frame* frame) {
  if (info.jpeg_color_space != JCS_YCbCr || info.num_components != 3) return false;
  for (int c = 0; c < 3; ++c) {
    const jpeg_component_info& component = info.comp_info[c];
    Plane& plane = frame->plane[static_cast<std::size_t>(c)];
    plane = {component.downsampled_width, component.downsampled_height};
    auto across = expansion(component.h_samp_factor, component.DCT_scaled_size, info.max_h_samp_factor,
                            info.min_DCT_scaled_size);
    auto down = expansion(component.v_samp_factor, component.DCT_scaled_size, info.max_v_samp_factor,
                          info.min_DCT_scaled_size);
    if (c == 0 && (across != 1 || down != 1)) return false;
    if (component.v_samp_factor * component.DCT_scaled_size > 32) return false;
    if (!upsampling_of(across, down, info.min_DCT_scaled_size > 1, plane.width > 2, &plane)) return false;
  }
  frame->model = Model::ycc;
  frame->planes = 3;
  return true;
}

}  // namespace

Frame JpegDecoder::plan(int denominator, bool planes) {
  jpeg_decompress_struct& info = state_->info;
  info.scale_num = 8 / static_cast<unsigned>(denominator);
  info.scale_denom = 8;
  bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  bool gray = info.jpeg_color_space == JCS_GRAYSCALE;
  info.out_color_space = cmyk ? JCS_CMYK : gray ? JCS_GRAYSCALE : JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  state_->calculate();  // fails only where the header was not read
  Frame frame;
  frame.model = gray ? Model::gray : Model::rgb;
  frame.width = info.output_width;
  frame.height = info.output_height;
  frame.true_width = static_cast<double>(info.image_width) / denominator;
  frame.true_height = static_cast<double>(info.image_height) / denominator;
  frame.plane[0] = {info.output_width, info.output_height};
  Frame planar = frame;
  state_->planar = planes && plan_planes(info, &planar);
  if (state_->planar) frame = planar;
  info.raw_data_out = state_->planar ? TRUE : FALSE;
  return frame;
}

std::uint64_t JpegDecoder::memory() const {
  const jpeg_decompress_struct& info = state_->info;
  std::uint64_t mcu_width = 8u * static_cast<std::uint64_t>(info.max_h_samp_factor);
  std::uint64_t mcu_height = 8u * static_cast<std::uint64_t>(info.max_v_samp_factor);
  std::uint64_t width = round_up(info.image_width, mcu_width);
  std::uint64_t height = round_up(info.image_height, mcu_height);
  std::uint64_t rows = width * static_cast<std::uint64_t>(info.num_components) * 64;
  bool whole = info.progressive_mode || jpeg_has_multiple_scans(const_cast<j_decompress_ptr>(&info));
  if (!whole) return rows;
  std::uint64_t coefficients = 0;
  for (int c = 0; c < info.num_components; ++c) {
    const jpeg_component_info& component = info.comp_info[c];
    coefficients += width * static_cast<std::uint64_t>(component.h_samp_factor) / static_cast<std::uint64_t>(info.max_h_samp_factor) *
                    height * static_cast<std::uint64_t>(component.v_samp_factor) / static_cast<std::uint64_t>(info.max_v_samp_factor);
  }
  return rows + coefficients * sizeof(JCOEF);
}

Result<void> JpegDecoder::read(Scaler& to, const Watch& watch) {
  State& state = *state_;
  if (!state.start()) return std::unexpected(state.fault(false));
  Result<void> result = state.planar ? state.read_planes(to, watch) : state.read_lines(to, watch);
  if (!result) return result;
  if (!state.end()) return std::unexpected(state.fault(false));
  to.finish();
  return {};
}

std::size_t JpegDecoder::State::plane_stride(int component) const {
  const jpeg_component_info& plane = info.comp_info[component];
  std::size_t blocks = round_up(plane.width_in_blocks, static_cast<std::uint64_t>(plane.h_samp_factor));
  return round_up(blocks * static_cast<std::size_t>(plane.DCT_scaled_size), 64) + 64;
}

void JpegDecoder::State::point_at_planes() {
  std::size_t total = 0;
  for (int c = 0; c < 3; ++c) {
    const jpeg_component_info& plane = info.comp_info[c];
    total += plane_stride(c) * static_cast<std::size_t>(plane.v_samp_factor * plane.DCT_scaled_size);
  }
  std::uint8_t* at = band.reserve(total);
  for (int c = 0; c < 3; ++c) {
    const jpeg_component_info& plane = info.comp_info[c];
    for (int r = 0; r < plane.v_samp_factor * plane.DCT_scaled_size; ++r) {
      rows[c][r] = at;
      at += plane_stride(c);
    }
  }
}

Result<void> JpegDecoder::State::read_planes(Scaler& to, const Watch& watch) {
  point_at_planes();
  auto lines = static_cast<JDIMENSION>(info.max_v_samp_factor * info.min_DCT_scaled_size);
  std::uint32_t left[3];
  for (int c = 0; c < 3; ++c) left[c] = info.comp_info[c].downsampled_height;
  std::uint32_t asked = 0;
  while (info.output_scanline < info.output_height) {
    if (!next_planes(lines)) return std::unexpected(fault(false));
    for (int c = 0; c < 3; ++c) {
      auto count = static_cast<std::uint32_t>(info.comp_info[c].v_samp_factor * info.comp_info[c].DCT_scaled_size);
      count = std::min(count, left[c]);
      left[c] -= count;
      to.push(static_cast<std::uint32_t>(c), rows[c][0], plane_stride(c), count);
    }
    if (info.output_scanline >= asked + 64) {
      asked = info.output_scanline;
      if (watch.stop(asked, info.output_height)) return fail(Code::cancelled, {});
    }
  }
  return {};
}

namespace {

/// 255 where there is no ink, as Adobe writes it; others the other way round.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::size_t pixels, bool inverted, std::uint8_t* rgb) {
  std::uint32_t flip = inverted ? 0 : 255;
  for (std::size_t x = 0; x < pixels; ++x) {
    std::uint32_t key = cmyk[4 * x + 3] ^ flip;
    for (std::size_t c = 0; c < 3; ++c) {
      rgb[3 * x + c] = static_cast<std::uint8_t>(((cmyk[4 * x + c] ^ flip) * key + 127) / 255);
    }
  }
}

}  // namespace

Result<void> JpegDecoder::State::read_lines(Scaler& to, const Watch& watch) {
  constexpr std::uint32_t kBand = 16;
  bool cmyk = info.out_color_space == JCS_CMYK;
  std::size_t stride = round_up(std::size_t{info.output_width} * static_cast<std::size_t>(info.output_components), 64) + 64;
  band.reserve(stride * kBand);
  if (cmyk) converted.reserve(std::size_t{info.output_width} * 3);
  JSAMPROW lines[kBand];
  for (std::uint32_t r = 0; r < kBand; ++r) lines[r] = band.data() + r * stride;
  std::uint32_t asked = 0;
  while (info.output_scanline < info.output_height) {
    JDIMENSION got = 0;
    JDIMENSION wanted = std::min<JDIMENSION>(kBand, info.output_height - info.output_scanline);
    if (!next_rows(lines, wanted, &got)) return std::unexpected(fault(false));
    if (cmyk) {
      for (std::uint32_t r = 0; r < got; ++r) {
        cmyk_to_rgb(lines[r], info.output_width, info.saw_Adobe_marker, converted.data());
        to.push(0, converted.data());
      }
    } else {
      to.push(0, band.data(), stride, got);
    }
    if (info.output_scanline >= asked + 64) {
      asked = info.output_scanline;
      if (watch.stop(asked, info.output_height)) return fail(Code::cancelled, {});
    }
  }
  return {};
}

}  // namespace sluice::image_resize
