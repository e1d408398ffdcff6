#include "image_resize/jpeg_encoder.hpp"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>
// after jpeglib.h
#include <jerror.h>

#include <string>

namespace sluice::image_resize {
namespace {

constexpr std::uint32_t kOptimiseUpTo = 64;
constexpr int kFullChromaFrom = 90;
constexpr std::size_t kFirstBytes = 64 << 10;

}  // namespace

/// Plain data while libjpeg runs: longjmp passes over it.
struct JpegEncoder::State {
  jpeg_error_mgr manager;  // first: libjpeg hands back its address
  jpeg_destination_mgr destination;
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
  jpeg_compress_struct info;
  unsigned char* bytes;  // malloc's, so that it can grow inside libjpeg's callbacks
  std::size_t capacity;
  std::size_t size;

  bool run(const Picture& picture, const Options& options);
};

namespace {

struct Callbacks {
  template <class State>
  [[noreturn]] static void give_up(j_common_ptr info) {
    auto* state = reinterpret_cast<State*>(info->err);
    info->err->format_message(info, state->text);
    std::longjmp(state->jump, 1);
  }
  template <class State>
  static void begin(j_compress_ptr info) {
    auto* state = reinterpret_cast<State*>(info->err);
    info->dest->next_output_byte = state->bytes;
    info->dest->free_in_buffer = state->capacity;
  }
  template <class State>
  static boolean grow(j_compress_ptr info) {  // all of the buffer is full
    auto* state = reinterpret_cast<State*>(info->err);
    auto* larger = static_cast<unsigned char*>(std::realloc(state->bytes, state->capacity * 2));
    if (larger == nullptr) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
    state->bytes = larger;
    info->dest->next_output_byte = larger + state->capacity;
    info->dest->free_in_buffer = state->capacity;
    state->capacity *= 2;
    return TRUE;
  }
  template <class State>
  static void end(j_compress_ptr info) {
    auto* state = reinterpret_cast<State*>(info->err);
    state->size = state->capacity - info->dest->free_in_buffer;
  }
  static void message(j_common_ptr, int) {}
  static void output(j_common_ptr) {}
};

}  // namespace

JpegEncoder::JpegEncoder() : state_(new State()) {
  State& state = *state_;
  state.info.err = jpeg_std_error(&state.manager);
  state.manager.error_exit = Callbacks::give_up<State>;
  state.manager.emit_message = Callbacks::message;
  state.manager.output_message = Callbacks::output;
  state.destination.init_destination = Callbacks::begin<State>;
  state.destination.empty_output_buffer = Callbacks::grow<State>;
  state.destination.term_destination = Callbacks::end<State>;
}

JpegEncoder::~JpegEncoder() { std::free(state_->bytes); }

bool JpegEncoder::State::run(const Picture& picture, const Options& options) {
  if (setjmp(jump) != 0) {
    jpeg_destroy_compress(&info);
    return false;
  }
  jpeg_create_compress(&info);
  info.dest = &destination;
  info.image_width = picture.width;
  info.image_height = picture.height;
  info.input_components = static_cast<int>(picture.channels);
  info.in_color_space = picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, options.quality, TRUE);
  if (options.quality >= kFullChromaFrom) {
    info.comp_info[0].h_samp_factor = 1;
    info.comp_info[0].v_samp_factor = 1;
  }
  info.dct_method = JDCT_ISLOW;
  info.optimize_coding = picture.width <= kOptimiseUpTo && picture.height <= kOptimiseUpTo;
  if (options.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW lines[16];
    JDIMENSION count = 0;
    for (; count < 16 && info.next_scanline + count < info.image_height; ++count) {
      lines[count] = const_cast<JSAMPROW>(picture.row(info.next_scanline + count));
    }
    jpeg_write_scanlines(&info, lines, count);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return true;
}

Result<std::span<const std::uint8_t>> JpegEncoder::encode(const Picture& picture, const Options& options) {
  State& state = *state_;
  if (state.bytes == nullptr) {
    state.bytes = static_cast<unsigned char*>(std::malloc(kFirstBytes));
    if (state.bytes == nullptr) return fail(Code::out_of_memory, "no memory for the encoded picture");
    state.capacity = kFirstBytes;
  }
  if (!state.run(picture, options)) {
    bool memory = state.manager.msg_code == JERR_OUT_OF_MEMORY;
    return fail(memory ? Code::out_of_memory : Code::encode_failed, state.text);
  }
  return std::span<const std::uint8_t>(state.bytes, state.size);
}

}  // namespace sluice::image_resize
