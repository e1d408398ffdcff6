// bench/resize: pictures in, thumbnails out, beside Debian's libvips and the bare codecs; and the
// resize alone beside zimg. One thread each.
//
//   resize/photo-N/WHO           a 5-megapixel JPEG to N x N (inside), JPEG quality 80
//   resize/photo-five-sizes/WHO  the same to 1024, 512, 256, 128 and 64 (libvips: five thumbnails)
//   resize/icon-N/WHO            a PNG icon with alpha to N x N, PNG level 6, no filter
//   resize/icon-four-sizes/WHO   the same to 16, 32, 48 and 64
//   resize/kernel-rgb8/WHO       4928 x 3280 to 852 x 567, Lanczos3, pixels in memory
//   resize/kernel-rgba8/WHO      the same with alpha, premultiplied (zimg: four plain planes)
//
// WHO: sluice; libvips (thumbnail_buffer, concurrency 1, no cache); decode-encode (what libjpeg-turbo
// and libspng take alone, at the same DCT scale, for the same outputs); zimg. items are pictures, in
// the kernel cases source pixels. Photos and icons are the corpus' where it is found
// (SLUICE_CORPORA), else drawn: 5 megapixels with grain, 96 px icons.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <spng.h>
#include <vips/vips.h>
#include <zimg.h>

#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "image_resize/jpeg_encoder.hpp"
#include "image_resize/resizer.hpp"
#include "image_resize/scaler.hpp"
#include "sample_pictures.hpp"

namespace {

namespace ir = sluice::image_resize;
using Bytes = std::vector<std::uint8_t>;

// --- input ---

Bytes file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// Files of a folder of the corpus, in order, as long as `take` wants them.
std::vector<Bytes> corpus(const char* folder, const std::function<bool(const Bytes&)>& take) {
  std::vector<Bytes> found;
  const char* root = std::getenv("SLUICE_CORPORA");
  if (root == nullptr) root = BENCH_CORPORA;
  std::error_code error;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(root) / "images" / folder, error)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    Bytes bytes = file_bytes(path);
    if (take(bytes)) found.push_back(std::move(bytes));
  }
  return found;
}

bool has_alpha(const Bytes& png) { return png.size() > 26 && png[1] == 'P' && png[25] == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA; }

/// Between 4 and 7 megapixels.
bool is_five_megapixels(const Bytes& jpeg) {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  if (jpeg.size() < 3 || jpeg[0] != 0xFF) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, jpeg.data(), jpeg.size());
  jpeg_read_header(&info, TRUE);
  double pixels = static_cast<double>(info.image_width) * info.image_height;
  jpeg_destroy_decompress(&info);
  return pixels >= 4e6 && pixels <= 7e6;
}

const std::vector<Bytes>& photos() {
  static const std::vector<Bytes> pictures = [] {
    std::vector<Bytes> found = corpus("photos", is_five_megapixels);
    if (found.empty()) found.push_back(sluice::samples::to_jpeg(sluice::samples::make_photo(1, 2592, 1944), 88));
    return found;
  }();
  return pictures;
}

const std::vector<Bytes>& icons() {
  static const std::vector<Bytes> pictures = [] {
    std::vector<Bytes> found = corpus("icons", has_alpha);
    for (std::uint64_t i = 0; found.size() < 16 && i < 16; ++i) {
      found.push_back(sluice::samples::to_png(sluice::samples::make_icon(i, 96)));
    }
    return found;
  }();
  return pictures;
}

/// One case: the pictures and the sizes wanted.
struct Job {
  const std::vector<Bytes>& (*pictures)();
  std::vector<std::uint32_t> sizes;
  ir::Format format;
};

/// Runs `once` on the pictures in turn.
template <class Once>
void run(benchmark::State& state, const Job& job, Once&& once) {
  const std::vector<Bytes>& pictures = job.pictures();
  for (const Bytes& picture : pictures) once(picture);  // warm
  std::size_t turn = 0;
  for (auto _ : state) {
    if (!once(pictures[turn++ % pictures.size()])) {
      state.SkipWithError("a picture was refused");
      return;
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

// --- sluice ---

void resize_by_sluice(benchmark::State& state, const Job& job) {
  ir::Settings settings;
  for (std::uint32_t size : job.sizes) settings.boxes.push_back({size, size});
  settings.format = job.format;
  ir::Resizer resizer;
  ir::Sink sink{[](void*, const ir::Encoded& output) {
                  benchmark::DoNotOptimize(output.bytes.data());
                  return true;
                },
                nullptr};
  run(state, job, [&](const Bytes& picture) { return resizer.run(picture, settings, sink).has_value(); });
}

// --- libvips ---

bool thumbnail_by_vips(const Bytes& picture, std::uint32_t size, ir::Format format) {
  VipsImage* image = nullptr;
  auto side = static_cast<int>(size);
  if (vips_thumbnail_buffer(const_cast<std::uint8_t*>(picture.data()), picture.size(), &image, side, "height", side,
                            "size", VIPS_SIZE_DOWN, nullptr) != 0) {
    return false;
  }
  void* bytes = nullptr;
  std::size_t count = 0;
  int failed = format == ir::Format::png
                   ? vips_pngsave_buffer(image, &bytes, &count, "compression", 6, "filter",
                                         VIPS_FOREIGN_PNG_FILTER_NONE, "strip", TRUE, nullptr)
                   : vips_jpegsave_buffer(image, &bytes, &count, "Q", 80, "optimize_coding", size <= 64 ? TRUE : FALSE,
                                          "strip", TRUE, nullptr);
  g_free(bytes);
  g_object_unref(image);
  return failed == 0;
}

void resize_by_vips(benchmark::State& state, const Job& job) {
  run(state, job, [&](const Bytes& picture) {
    return std::all_of(job.sizes.begin(), job.sizes.end(),
                       [&](std::uint32_t size) { return thumbnail_by_vips(picture, size, job.format); });
  });
}

// --- bare decode and encode ---

/// Decodes at the DCT scale that leaves twice `size`.
void decode_jpeg(const Bytes& jpeg, std::uint32_t size, std::vector<std::uint8_t>& rows) {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, jpeg.data(), jpeg.size());
  jpeg_read_header(&info, TRUE);
  double ratio = static_cast<double>(std::max(info.image_width, info.image_height)) / size;
  info.scale_num = 8 / static_cast<unsigned>(ir::dct_denominator(ratio));
  info.scale_denom = 8;
  jpeg_start_decompress(&info);
  rows.resize(std::size_t{info.output_width} * 3);
  JSAMPROW row = rows.data();
  while (info.output_scanline < info.output_height) jpeg_read_scanlines(&info, &row, 1);
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
}

void decode_png(const Bytes& png, std::vector<std::uint8_t>& pixels) {
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(0), spng_ctx_free);
  spng_set_png_buffer(context.get(), png.data(), png.size());
  spng_ihdr header{};
  spng_get_ihdr(context.get(), &header);
  pixels.resize(std::size_t{header.width} * header.height * 4);
  spng_decode_image(context.get(), pixels.data(), pixels.size(), SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
}

std::size_t encode_png(const ir::Picture& picture) {
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, 6);
  spng_set_option(context.get(), SPNG_FILTER_CHOICE, SPNG_DISABLE_FILTERING);
  spng_ihdr header{picture.width, picture.height, 8, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 0, 0, 0};
  spng_set_ihdr(context.get(), &header);
  spng_encode_image(context.get(), picture.pixels.data(), picture.bytes(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  std::size_t size = 0;
  int error = 0;
  std::free(spng_get_png_buffer(context.get(), &size, &error));
  return size;
}

/// Our own output of `picture`, decoded again: what the bare codecs encode.
std::unique_ptr<ir::Picture> our_output(const Bytes& picture, std::uint32_t size, std::uint32_t channels) {
  struct Result {
    std::unique_ptr<ir::Picture> picture = std::make_unique<ir::Picture>();
    std::uint32_t channels;
  } result;
  result.channels = channels;
  ir::Settings settings;
  settings.boxes.push_back({size, size});
  settings.format = ir::Format::png;
  ir::Resizer resizer;
  ir::Sink sink{[](void* user, const ir::Encoded& encoded) {
                  auto& into = *static_cast<Result*>(user);
                  std::vector<std::uint8_t> rgba;
                  decode_png(Bytes(encoded.bytes.begin(), encoded.bytes.end()), rgba);
                  into.picture->begin(encoded.width, encoded.height, into.channels);
                  for (std::size_t i = 0; i < rgba.size() / 4; ++i) {
                    std::copy_n(&rgba[4 * i], into.channels, into.picture->pixels.data() + i * into.channels);
                  }
                  return true;
                },
                &result};
  if (!resizer.run(picture, settings, sink)) return nullptr;
  return std::move(result.picture);
}

void resize_by_nobody(benchmark::State& state, const Job& job) {
  std::vector<std::vector<std::unique_ptr<ir::Picture>>> outputs;  // made before the clock runs
  std::vector<std::uint8_t> pixels;
  bool png = job.format == ir::Format::png;
  for (const Bytes& picture : job.pictures()) {
    auto& made = outputs.emplace_back();
    for (std::uint32_t size : job.sizes) made.push_back(our_output(picture, size, png ? 4 : 3));
  }
  ir::JpegEncoder jpeg_encoder;
  std::size_t turn = 0;
  for (auto _ : state) {
    std::size_t which = turn++ % outputs.size();
    const Bytes& picture = job.pictures()[which];
    if (png) {
      decode_png(picture, pixels);
    } else {
      decode_jpeg(picture, *std::max_element(job.sizes.begin(), job.sizes.end()), pixels);
    }
    for (const auto& output : outputs[which]) {
      std::size_t bytes = png ? encode_png(*output) : jpeg_encoder.encode(*output, {})->size();
      benchmark::DoNotOptimize(bytes);
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

// --- the kernel alone ---

constexpr ir::Size kLarge{4928, 3280};
constexpr ir::Size kSmall{852, 567};

const std::vector<std::uint8_t>& large_pixels(std::uint32_t channels) {
  static std::vector<std::uint8_t> pixels[5];
  std::vector<std::uint8_t>& wanted = pixels[channels];
  if (wanted.empty()) {
    wanted.resize(std::size_t{kLarge.width} * kLarge.height * channels + ir::kSlack);
    std::uint32_t x = 1;
    for (std::uint8_t& sample : wanted) {
      x = x * 1664525 + 1013904223;
      sample = static_cast<std::uint8_t>(x >> 24);
    }
  }
  return wanted;
}

void kernel_by_sluice(benchmark::State& state, std::uint32_t channels) {
  const std::vector<std::uint8_t>& pixels = large_pixels(channels);
  ir::Frame frame;
  frame.model = channels == 4 ? ir::Model::rgba : ir::Model::rgb;
  frame.width = kLarge.width;
  frame.height = kLarge.height;
  frame.true_width = kLarge.width;
  frame.true_height = kLarge.height;
  frame.plane[0] = {kLarge.width, kLarge.height};
  ir::Target target{kSmall, {0, 0, kSmall.width, kSmall.height}};
  ir::TapsCache cache;
  ir::Scaler scaler;
  ir::Picture picture;
  ir::Picture* output = &picture;
  std::size_t row = std::size_t{kLarge.width} * channels;
  for (auto _ : state) {
    scaler.begin(frame, {&target, 1}, ir::Filter::lanczos3, cache, {&output, 1});
    for (std::uint32_t y = 0; y < kLarge.height; y += 16) {
      scaler.push(0, pixels.data() + y * row, row, std::min(16u, kLarge.height - y));
    }
    scaler.finish();
    benchmark::DoNotOptimize(picture.pixels.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kLarge.width * kLarge.height);
}

zimg_image_format zimg_planes(ir::Size size, bool gray) {
  zimg_image_format format;
  zimg_image_format_default(&format, ZIMG_API_VERSION);
  format.width = size.width;
  format.height = size.height;
  format.pixel_type = ZIMG_PIXEL_BYTE;
  format.color_family = gray ? ZIMG_COLOR_GREY : ZIMG_COLOR_RGB;
  format.matrix_coefficients = gray ? ZIMG_MATRIX_UNSPECIFIED : ZIMG_MATRIX_RGB;
  format.pixel_range = ZIMG_RANGE_FULL;
  return format;
}

struct ZimgGraph {
  zimg_filter_graph* graph = nullptr;
  std::vector<std::uint8_t> scratch;

  explicit ZimgGraph(bool gray) {
    zimg_graph_builder_params params;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter = ZIMG_RESIZE_LANCZOS;
    params.resample_filter_uv = ZIMG_RESIZE_LANCZOS;
    params.filter_param_a = 3;
    params.filter_param_a_uv = 3;
    params.cpu_type = ZIMG_CPU_AUTO_64B;
    zimg_image_format from = zimg_planes(kLarge, gray);
    zimg_image_format to = zimg_planes(kSmall, gray);
    graph = zimg_filter_graph_build(&from, &to, &params);
    std::size_t bytes = 0;
    zimg_filter_graph_get_tmp_size(graph, &bytes);
    scratch.resize(bytes + 64);
  }
  ~ZimgGraph() { zimg_filter_graph_free(graph); }
  ZimgGraph(const ZimgGraph&) = delete;
  ZimgGraph& operator=(const ZimgGraph&) = delete;

  void run(std::uint8_t* const* from, std::uint8_t* const* to, int planes, std::ptrdiff_t from_stride,
           std::ptrdiff_t to_stride) {
    zimg_image_buffer_const in{};
    zimg_image_buffer out{};
    in.version = ZIMG_API_VERSION;
    out.version = ZIMG_API_VERSION;
    for (int p = 0; p < planes; ++p) {
      in.plane[p] = {from[p], from_stride, ZIMG_BUFFER_MAX};
      out.plane[p] = {to[p], to_stride, ZIMG_BUFFER_MAX};
    }
    auto at = reinterpret_cast<std::uintptr_t>(scratch.data());
    zimg_filter_graph_process(graph, &in, &out, reinterpret_cast<void*>((at + 63) / 64 * 64), nullptr, nullptr, nullptr,
                              nullptr);
  }
};

void kernel_by_zimg(benchmark::State& state, std::uint32_t channels) {
  constexpr std::size_t kStride = (kLarge.width + 63) / 64 * 64;
  constexpr std::size_t kSmallStride = (kSmall.width + 63) / 64 * 64;
  auto* from = static_cast<std::uint8_t*>(std::aligned_alloc(64, kStride * kLarge.height * channels));
  auto* to = static_cast<std::uint8_t*>(std::aligned_alloc(64, kSmallStride * (kSmall.height + 1) * channels));
  const std::vector<std::uint8_t>& pixels = large_pixels(channels);
  std::copy_n(pixels.data(), std::size_t{kLarge.width} * kLarge.height * channels, from);
  std::uint8_t* in[4];
  std::uint8_t* out[4];
  for (std::uint32_t p = 0; p < channels; ++p) {
    in[p] = from + p * kStride * kLarge.height;
    out[p] = to + p * kSmallStride * kSmall.height;
  }
  ZimgGraph colour(false);
  ZimgGraph alpha(true);
  for (auto _ : state) {
    colour.run(in, out, 3, kStride, kSmallStride);
    if (channels == 4) alpha.run(in + 3, out + 3, 1, kStride, kSmallStride);
    benchmark::DoNotOptimize(to);
  }
  std::free(from);
  std::free(to);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kLarge.width * kLarge.height);
}

// --- cases ---

template <class Function, class... Arguments>
void add(const std::string& name, Function function, Arguments... arguments) {
  benchmark::RegisterBenchmark(fmt::format("resize/{}", name).c_str(),
                               [=](benchmark::State& state) { function(state, arguments...); })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

void add_job(const std::string& name, const Job& job) {
  add(name + "/sluice", resize_by_sluice, job);
  add(name + "/libvips", resize_by_vips, job);
  add(name + "/decode-encode", resize_by_nobody, job);
}

}  // namespace

int main(int argc, char** argv) {
  // First, so that flags on the command line win.
  std::vector<char*> arguments(argv, argv + argc);
  char interleaved[] = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, interleaved);
  auto count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 64;
  if (VIPS_INIT(argv[0]) != 0) return 69;
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  for (std::uint32_t size : {64u, 256u, 1024u}) {
    add_job(fmt::format("photo-{}", size), {photos, {size}, ir::Format::jpeg});
  }
  add_job("photo-five-sizes", {photos, {1024, 512, 256, 128, 64}, ir::Format::jpeg});
  for (std::uint32_t size : {16u, 64u}) add_job(fmt::format("icon-{}", size), {icons, {size}, ir::Format::png});
  add_job("icon-four-sizes", {icons, {16, 32, 48, 64}, ir::Format::png});
  for (std::uint32_t channels : {3u, 4u}) {
    std::string name = channels == 3 ? "kernel-rgb8" : "kernel-rgba8";
    add(name + "/sluice", kernel_by_sluice, channels);
    add(name + "/zimg", kernel_by_zimg, channels);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  vips_shutdown();
}
