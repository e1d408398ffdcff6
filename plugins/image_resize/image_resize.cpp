// The stage `image_resize`: translates between the ABI and Resizer. README.md has the contract.
#include <sluice/plugin.hpp>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>

#include "image_resize/kernels.hpp"
#include "image_resize/resizer.hpp"
#include "image_resize/settings.hpp"

namespace sluice::image_resize {
namespace {

constexpr sluice_option kWidth = option(
    {.name = "width",
     .type = "int",
     .minimum = "1",
     .maximum = "16384",
     .help = "Width of the box in pixels. Without height: the height follows from the picture."});
constexpr sluice_option kHeight = option(
    {.name = "height",
     .type = "int",
     .minimum = "1",
     .maximum = "16384",
     .help = "Height of the box in pixels. Without width: the width follows from the picture."});
constexpr sluice_option kSizes = option(
    {.name = "sizes",
     .type = "json",
     .help =
         "Several boxes from one decode, instead of width and height: an array of sides (16 is 16 "
         "x 16) or of {\"width\", \"height\"}; one message is emitted for each, at most 32."});
constexpr sluice_option kFit =
    option({.name = "fit",
            .type = "enum",
            .default_json = "\"inside\"",
            .choices = "inside outside cover contain fill",
            .help = "How the picture meets the box: inside (whole picture, within the box), "
                    "outside (whole picture, covering the box), cover (fills the box, cropped), "
                    "contain (whole picture, padded to the box), fill (stretched)."});
constexpr sluice_option kPosition =
    option({.name = "position",
            .type = "enum",
            .default_json = "\"centre\"",
            .choices = "centre north northeast east southeast south southwest west northwest",
            .help = "What `cover` keeps and where `contain` puts the picture."});
constexpr sluice_option kBackground = option(
    {.name = "background",
     .type = "string",
     .help =
         "Colour behind `contain` and under transparent pixels of a JPEG: #rgb, #rrggbb, "
         "#rrggbbaa, white, black, transparent. Default: white for JPEG, transparent for PNG."});
constexpr sluice_option kEnlarge = option({.name = "enlarge",
                                           .type = "bool",
                                           .default_json = "false",
                                           .help = "Lets outputs be larger than the picture."});
constexpr sluice_option kFilter =
    option({.name = "filter",
            .type = "enum",
            .default_json = "\"lanczos3\"",
            .choices = "nearest box triangle catmull_rom mitchell lanczos2 lanczos3",
            .help = "Resampling filter; alpha is always premultiplied."});
constexpr sluice_option kFormat = option(
    {.name = "format",
     .type = "enum",
     .default_json = "\"same\"",
     .choices = "same png jpeg",
     .help =
         "Format of the outputs; same: that of the input, which is told from its first bytes."});
constexpr sluice_option kQuality =
    option({.name = "quality",
            .type = "int",
            .default_json = "80",
            .minimum = "1",
            .maximum = "100",
            .help = "JPEG quality. Chroma is stored at half size below 90."});
constexpr sluice_option kProgressive = option({.name = "progressive",
                                               .type = "bool",
                                               .default_json = "false",
                                               .help = "Writes progressive JPEG."});
constexpr sluice_option kLevel = option({.name = "compression_level",
                                         .type = "int",
                                         .default_json = "6",
                                         .minimum = "0",
                                         .maximum = "9",
                                         .help = "zlib level of PNG."});
constexpr sluice_option kAutorotate = option(
    {.name = "autorotate",
     .type = "bool",
     .default_json = "true",
     .help = "Turns the picture upright by its EXIF orientation. Outputs never carry metadata."});
constexpr sluice_option kFailOn = option({.name = "fail_on",
                                          .type = "enum",
                                          .default_json = "\"warning\"",
                                          .choices = "warning error",
                                          .help = "warning: any doubt about a JPEG's data rejects "
                                                  "it; error: what can be decoded is taken."});
constexpr sluice_option kMaxPixels =
    option({.name = "max_pixels",
            .type = "int",
            .default_json = "100000000",
            .minimum = "1",
            .maximum = "4294836225",
            .help = "Rejects pictures with more pixels, by their header."});
constexpr sluice_option kMaxInput = option({.name = "max_input_bytes",
                                            .type = "size",
                                            .default_json = "\"64MiB\"",
                                            .minimum = "1B",
                                            .help = "Rejects larger bodies."});
constexpr sluice_option kMaxMemory =
    option({.name = "max_memory",
            .type = "size",
            .default_json = "\"512MiB\"",
            .minimum = "1MiB",
            .help = "Rejects pictures that would take more memory, estimated from their header."});

constexpr const sluice_option* kOptions[] = {&kWidth, &kHeight, &kSizes, &kFit, &kPosition, &kBackground, &kEnlarge,
                                             &kFilter, &kFormat, &kQuality, &kProgressive, &kLevel, &kAutorotate,
                                             &kFailOn, &kMaxPixels, &kMaxInput, &kMaxMemory, nullptr};

/// The boxes asked for; reports what is wrong with them and returns none.
std::vector<Box> boxes_of(const Config& config) {
  auto width = config.find_integer("width");
  auto height = config.find_integer("height");
  auto sizes = config.find_json("sizes");
  if (sizes && (width || height)) {
    config.error("sizes", "'sizes' stands instead of 'width' and 'height': give one or the other");
    return {};
  }
  if (sizes) {
    auto boxes = parse_sizes(*sizes, Limits{}.output_side_max);
    if (boxes) return std::move(*boxes);
    config.error("sizes", "'sizes': " + boxes.error());
    return {};
  }
  if (!width && !height) {
    config.error("width", "a size is missing: give 'width', 'height' or both, or 'sizes'");
    return {};
  }
  Box box;
  if (width) box.width = static_cast<std::uint32_t>(*width);
  if (height) box.height = static_cast<std::uint32_t>(*height);
  return {box};
}

/// The options as settings; no boxes if something was reported. The host has checked types and ranges.
Settings settings_of(const Config& config) {
  Settings settings;
  settings.boxes = boxes_of(config);
  settings.fit = fit_of(config.text("fit")).value_or(settings.fit);
  settings.position = position_of(config.text("position")).value_or(settings.position);
  settings.filter = filter_of(config.text("filter")).value_or(settings.filter);
  settings.enlarge = config.boolean("enlarge");
  std::string_view format = config.text("format");
  if (format != "same") settings.format = format == "png" ? Format::png : Format::jpeg;
  settings.quality = static_cast<int>(config.integer("quality"));
  settings.progressive = config.boolean("progressive");
  settings.compression_level = static_cast<int>(config.integer("compression_level"));
  settings.autorotate = config.boolean("autorotate");
  settings.strict = config.text("fail_on") == "warning";
  settings.limits.pixels_max = static_cast<std::uint64_t>(config.integer("max_pixels"));
  settings.limits.input_bytes_max = static_cast<std::uint64_t>(config.integer("max_input_bytes"));
  settings.limits.memory_max = static_cast<std::uint64_t>(config.integer("max_memory"));
  if (auto text = config.find_text("background")) {
    auto colour = parse_colour(*text);
    if (colour) {
      settings.background = *colour;
    } else {
      config.error("background", "'background': " + colour.error());
      settings.boxes.clear();
    }
  }
  return settings;
}

/// A number as text, for an attribute.
class Digits {
 public:
  explicit Digits(std::uint64_t value) : end_(std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr) {}
  std::string_view view() const { return {text_.data(), end_}; }

 private:
  std::array<char, 20> text_;
  char* end_;
};

class ImageResize {
 public:
  explicit ImageResize(const Config& config) : settings_(settings_of(config)) {
    if (settings_.boxes.empty()) throw Failure(SLUICE_BAD_OPTION, "image_resize: wrong options");
    static std::atomic_flag told;
    if (told.test_and_set()) return;
    if (const char* bits = std::getenv("SLUICE_SIMD_DISABLE")) simd::disable_targets(std::strtoll(bits, nullptr, 0));
    config.log(SLUICE_LOG_DEBUG, std::string("image_resize uses ") + simd::target_name());
  }

  static bool check(const Config& config) { return !settings_of(config).boxes.empty(); }

  void process(const Batch& batch, Out& out) {
    for (std::uint32_t index = 0; index < batch.size(); ++index) {
      if (cancelled_.load(std::memory_order_relaxed)) throw Failure(SLUICE_CANCELLED, "cancelled");
      resize(batch[index], index, out);
    }
  }

  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  struct Call {
    ImageResize* stage;
    Out* out;
    std::uint32_t index;
    std::int32_t status = SLUICE_OK;  ///< of the last emit
  };

  void resize(const Message& message, std::uint32_t index, Out& out) {
    Call call{this, &out, index};
    Result<void> result = resizer_.run(message.body(), settings_, {emit, &call}, {stopped, &call});
    if (result) return;
    const Fault& fault = result.error();
    if (fault.code == Code::cancelled) {
      if (call.status == SLUICE_OK || call.status == SLUICE_CANCELLED) throw Failure(SLUICE_CANCELLED, "cancelled");
      if (call.status == SLUICE_TOO_LARGE) {
        out.reject(index, code_name(Code::limit_exceeded), "an output is larger than a message's body may be");
      } else {
        out.retry(index, "emit_failed", "the host did not take an output");
      }
      return;
    }
    if (fault.code == Code::out_of_memory) {
      out.retry(index, code_name(fault.code), fault.detail);
    } else {
      out.reject(index, code_name(fault.code), fault.detail);
    }
  }

  static bool emit(void* user, const Encoded& output) {
    Call& call = *static_cast<Call*>(user);
    Digits width(output.width);
    Digits height(output.height);
    sluice_attribute attributes[] = {attribute("width", width.view(), SLUICE_NUMBER),
                                     attribute("height", height.view(), SLUICE_NUMBER),
                                     attribute("content_type", content_type(output.format))};
    const sluice_attribute* pointers[] = {&attributes[0], &attributes[1], &attributes[2]};
    sluice_emission emission = sluice::emission(call.index);
    emission.body = output.bytes.data();
    emission.body_size = output.bytes.size();
    emission.attribute_count = 3;
    emission.attributes = pointers;
    call.status = call.out->emit(emission);
    return call.status == SLUICE_OK;
  }

  static bool stopped(void* user, std::uint64_t rows_done, std::uint64_t rows) {
    Call& call = *static_cast<Call*>(user);
    if (call.stage->cancelled_.load(std::memory_order_relaxed)) return true;
    return call.out->progress(call.index, rows_done, rows) == SLUICE_CANCELLED;
  }

  const Settings settings_;
  Resizer resizer_;                       // the worker's
  std::atomic<bool> cancelled_{false};    // any thread
};

constexpr const char* kHelp =
    "Resizes JPEG and PNG pictures. The input's format is told from its first bytes. Each size gives one message "
    "with the attributes width, height and content_type; its body has no metadata. A picture that cannot be taken "
    "is rejected with one of the reasons unsupported_format, unsupported_feature, bad_header, limit_exceeded, "
    "truncated, corrupt_data, encode_failed; a lack of memory is retried. Weights are int16, sums exact, the same "
    "bytes on every processor (grade fast).";

const sluice_component kStage = stage<ImageResize>("image_resize", kHelp, SLUICE_MAY_RETRY, kOptions);

}  // namespace
}  // namespace sluice::image_resize

SLUICE_PLUGIN("dev.sluice.image_resize", "1.0.0", &sluice::image_resize::kStage)
