#include "image_resize/resizer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "image_resize/exif.hpp"
#include "image_resize/jpeg_decoder.hpp"
#include "image_resize/jpeg_encoder.hpp"
#include "image_resize/png_decoder.hpp"
#include "image_resize/png_encoder.hpp"
#include "image_resize/scaler.hpp"

namespace sluice::image_resize {
namespace {

using Bytes = std::span<const std::uint8_t>;

/// What the header says and what follows from it for the request.
struct Plan {
  Format input = Format::png;
  Size stored;
  int orientation = 1;
  std::vector<Placement> placements;  ///< upright
  std::vector<Target> targets;        ///< as stored
  Frame frame;
};

std::unexpected<Fault> over(const char* limit, std::uint64_t value, std::uint64_t most) {
  return fail(Code::limit_exceeded, fmt::format("{} is {}, the limit is {}", limit, value, most));
}

Result<void> check_input(Size stored, const Limits& limits) {
  std::uint32_t side = std::max(stored.width, stored.height);
  std::uint64_t pixels = std::uint64_t{stored.width} * stored.height;
  if (side > limits.side_max) return over("the picture's longer side", side, limits.side_max);
  if (pixels > limits.pixels_max) return over("max_pixels: the picture's size in pixels", pixels, limits.pixels_max);
  return {};
}

Result<void> check_output(const Placement& placement, const Limits& limits) {
  // `outside` and `cover` of a narrow picture can ask for much more than the box.
  std::uint32_t side = std::max(placement.canvas.width, placement.canvas.height);
  std::uint64_t pixels = std::uint64_t{placement.canvas.width} * placement.canvas.height;
  if (side > limits.output_side_max) return over("an output's longer side", side, limits.output_side_max);
  if (pixels > limits.output_pixels_max) return over("an output's size in pixels", pixels, limits.output_pixels_max);
  return {};
}

Result<void> place_outputs(const Settings& settings, Plan* plan) {
  Size upright = turned(plan->stored, plan->orientation);
  plan->placements.clear();
  plan->targets.clear();
  for (const Box& box : settings.boxes) {
    Placement placement = place(upright, box, settings.fit, settings.position, settings.enlarge);
    if (auto good = check_output(placement, settings.limits); !good) return good;
    plan->placements.push_back(placement);
    plan->targets.push_back({turned(placement.scaled, plan->orientation),
                             as_stored(placement.crop, placement.scaled, plan->orientation)});
  }
  return {};
}

/// The least number of stored pixels per output pixel, over axes and outputs.
double least_ratio(const Plan& plan) {
  double ratio = 1e9;
  for (const Target& target : plan.targets) {
    ratio = std::min({ratio, static_cast<double>(plan.stored.width) / target.scaled.width,
                      static_cast<double>(plan.stored.height) / target.scaled.height});
  }
  return ratio;
}

Colour background_for(const Settings& settings, Format output) {
  if (output == Format::jpeg) {
    Colour colour = settings.background.value_or(Colour{255, 255, 255, 255});
    // A background that is itself transparent stands on white.
    auto over_white = [&](std::uint32_t c) {
      return static_cast<std::uint8_t>((c * colour.alpha + 255u * (255u - colour.alpha) + 127) / 255);
    };
    return {over_white(colour.red), over_white(colour.green), over_white(colour.blue), 255};
  }
  return settings.background.value_or(Colour{0, 0, 0, 0});
}

}  // namespace

std::optional<Format> sniff(Bytes bytes) {
  static constexpr std::uint8_t kPng[8] = {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A};
  static constexpr std::uint8_t kJpeg[3] = {0xFF, 0xD8, 0xFF};
  if (bytes.size() >= sizeof kPng && std::memcmp(bytes.data(), kPng, sizeof kPng) == 0) return Format::png;
  if (bytes.size() >= sizeof kJpeg && std::memcmp(bytes.data(), kJpeg, sizeof kJpeg) == 0) return Format::jpeg;
  return std::nullopt;
}

struct Resizer::State {
  TapsCache taps;
  Scaler scaler;
  JpegDecoder jpeg;
  PngDecoder png;
  JpegEncoder jpeg_encoder;
  PngEncoder png_encoder;
  std::vector<std::unique_ptr<Picture>> pictures;
  Picture oriented;
  Picture padded;
  Plan plan;
  std::uint64_t memory = 0;  ///< estimate for the picture at hand

  Result<void> make_plan(Bytes bytes, const Settings& settings);
  Frame plan_jpeg(const Settings& settings);
  Result<void> decode(const Settings& settings, const Watch& watch);
  Result<void> finish(std::size_t index, const Settings& settings, const Sink& sink);
};

Resizer::Resizer() : state_(std::make_unique<State>()) {}
Resizer::~Resizer() = default;

Result<void> Resizer::run(Bytes bytes, const Settings& settings, const Sink& sink, const Watch& watch) {
  // What a giant needed is not kept for the icons after it.
  constexpr std::uint64_t kKeepBytes = 64 << 20;
  try {
    Result<void> result = try_run(bytes, settings, sink, watch);
    if (state_->memory > kKeepBytes) state_ = std::make_unique<State>();
    return result;
  } catch (const std::bad_alloc&) {
    state_ = std::make_unique<State>();
    return fail(Code::out_of_memory, "no memory for the picture");
  }
}

Result<void> Resizer::try_run(Bytes bytes, const Settings& settings, const Sink& sink, const Watch& watch) {
  State& state = *state_;
  if (auto good = state.make_plan(bytes, settings); !good) return good;
  if (auto good = state.decode(settings, watch); !good) return good;
  for (std::size_t i = 0; i < settings.boxes.size(); ++i) {
    if (auto good = state.finish(i, settings, sink); !good) return good;
  }
  return {};
}

Result<void> Resizer::State::make_plan(Bytes bytes, const Settings& settings) {
  const Limits& limits = settings.limits;
  memory = 0;
  if (bytes.empty()) return fail(Code::unsupported_format, "the body is empty");
  if (bytes.size() > limits.input_bytes_max) return over("max_input_bytes: the body's size", bytes.size(), limits.input_bytes_max);
  std::optional<Format> format = sniff(bytes);
  if (!format) return fail(Code::unsupported_format, "neither JPEG nor PNG by its first bytes");
  plan.input = *format;
  Result<Size> opened = *format == Format::jpeg
                            ? jpeg.open(bytes, {settings.strict, limits.scans_max, limits.warnings_max, limits.memory_max})
                            : png.open(bytes, limits.pixels_max, limits.side_max);
  if (!opened) return std::unexpected(opened.error());
  plan.stored = *opened;
  if (auto good = check_input(plan.stored, limits); !good) return good;
  plan.orientation = 1;
  if (settings.autorotate) plan.orientation = *format == Format::jpeg ? jpeg_orientation(bytes) : png_orientation(bytes);
  if (auto good = place_outputs(settings, &plan); !good) return good;
  plan.frame = *format == Format::jpeg ? plan_jpeg(settings) : png.frame();
  memory = (*format == Format::jpeg ? jpeg.memory() : png.memory()) +
                         scaler_bytes(plan.frame, plan.targets, settings.filter);
  for (const Placement& placement : plan.placements) {
    memory += std::uint64_t{placement.canvas.width} * placement.canvas.height * 4;
  }
  if (memory > limits.memory_max) return over("max_memory: the estimated bytes of memory", memory, limits.memory_max);
  return {};
}

Frame Resizer::State::plan_jpeg(const Settings& settings) {
  constexpr double kPlanesFrom = 2;  // below, libjpeg's own RGB, to the bit
  if (settings.filter == Filter::nearest) return jpeg.plan(1, false);
  double ratio = least_ratio(plan);
  return jpeg.plan(dct_denominator(ratio), ratio >= kPlanesFrom);
}

Result<void> Resizer::State::decode(const Settings& settings, const Watch& watch) {
  while (pictures.size() < plan.targets.size()) pictures.push_back(std::make_unique<Picture>());
  std::vector<Picture*> outputs;
  for (std::size_t i = 0; i < plan.targets.size(); ++i) outputs.push_back(pictures[i].get());
  scaler.begin(plan.frame, plan.targets, settings.filter, taps, outputs);
  return plan.input == Format::jpeg ? jpeg.read(scaler, watch) : png.read(scaler, watch);
}

Result<void> Resizer::State::finish(std::size_t index, const Settings& settings, const Sink& sink) {
  const Placement& placement = plan.placements[index];
  Format format = settings.format.value_or(plan.input);
  Colour background = background_for(settings, format);
  Picture* picture = pictures[index].get();
  if (plan.orientation != 1) {
    orient(*picture, plan.orientation, oriented);
    picture = &oriented;
  }
  if (format == Format::jpeg && picture->channels == 4) flatten(*picture, background);
  if (picture->size() != placement.canvas) {
    pad(*picture, placement.canvas, placement.x, placement.y, background, padded);
    picture = &padded;
  }
  if (format == Format::png) reduce_channels(*picture);
  auto bytes = format == Format::png ? png_encoder.encode(*picture, settings.compression_level)
                                     : jpeg_encoder.encode(*picture, {settings.quality, settings.progressive});
  if (!bytes) return std::unexpected(bytes.error());
  if (!sink.take(sink.user, {index, picture->width, picture->height, format, *bytes})) return fail(Code::cancelled, {});
  return {};
}

}  // namespace sluice::image_resize
