#include "image_resize/scaler.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <numeric>

#include "image_resize/kernels.hpp"

namespace sluice::image_resize {
namespace {

/// A ratio at which a second resize from the first one's result adds no visible error.
constexpr std::uint32_t kCascade = 4;

/// Row pairs by which one plane may be ahead of another: an MCU row is 32 rows at most.
constexpr std::size_t kPlaneAhead = 17;

TapsView view(const Taps& taps) {
  return {taps.first.data(), taps.weight.data(), taps.outputs, taps.count, taps.precision};
}

bool is_whole(const Target& target) {
  return target.crop.width == target.scaled.width && target.crop.height == target.scaled.height;
}

bool exceeds(const Target& large, const Target& small) {
  return is_whole(large) && is_whole(small) && large.scaled.width >= std::uint64_t{kCascade} * small.scaled.width &&
         large.scaled.height >= std::uint64_t{kCascade} * small.scaled.height;
}

std::uint64_t area(const Target& target) { return std::uint64_t{target.crop.width} * target.crop.height; }

/// For each target, the target that it is made from (its own index: from the picture).
std::vector<std::size_t> parents_of(const Frame& frame, std::span<const Target> targets, Filter filter) {
  std::vector<std::size_t> parents(targets.size());
  std::iota(parents.begin(), parents.end(), 0);
  if (filter == Filter::nearest) return parents;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    for (std::size_t k = 0; k < targets.size(); ++k) {
      bool smaller = targets[k].scaled.width <= frame.width && targets[k].scaled.height <= frame.height;
      if (!smaller || !exceeds(targets[k], targets[i])) continue;
      if (parents[i] == i || area(targets[k]) < area(targets[parents[i]])) parents[i] = k;
    }
  }
  return parents;
}

Frame frame_of(const Picture& picture) {
  Model model = picture.channels == 1 ? Model::gray : picture.channels == 4 ? Model::rgba : Model::rgb;
  return whole_frame(model, picture.width, picture.height);
}

std::uint32_t channels_in(Model model) { return model == Model::ycc ? 1 : channels_of(model); }

std::uint64_t axis_taps(double length, std::uint32_t outputs, Filter filter) {
  double stretch = std::max(1.0, length / outputs);
  return static_cast<std::uint64_t>(2 * std::max(0.5, filter_support(filter)) * stretch) + 12;
}

}  // namespace

std::uint32_t channels_of(Model model) {
  switch (model) {
    case Model::gray: return 1;
    case Model::rgba: return 4;
    case Model::rgb:
    case Model::ycc: return 3;
  }
  return 3;
}

std::uint64_t scaler_bytes(const Frame& frame, std::span<const Target> targets, Filter filter) {
  std::uint64_t widest = 0;
  std::uint64_t total = 0;
  for (const Target& target : targets) {
    std::uint64_t down = axis_taps(frame.true_height, target.scaled.height, filter);
    std::uint64_t across = axis_taps(frame.true_width, target.scaled.width, filter);
    widest = std::max(widest, std::min<std::uint64_t>(down, frame.height + 4));
    total += (down * target.crop.height + across * target.crop.width) * (sizeof(std::int16_t) + 1);
    total += area(target) * 4 + std::uint64_t{target.crop.width} * 40;
    total += is_whole(target) ? std::uint64_t{target.crop.width} * 4 * 60 : 0;  // rings of what is made from it
  }
  std::uint64_t sample = frame.model == Model::rgba ? 2 : 1;
  std::uint64_t planes = std::max(channels_of(frame.model), frame.planes);
  return total + (widest + 4) * frame.width * planes * sample + std::uint64_t{frame.width} * planes * 16;
}

/// One output of a source, and the source of what is made from it.
struct Scaler::Output {
  std::array<std::shared_ptr<const Taps>, 3> down;
  std::array<std::shared_ptr<const Taps>, 3> across;
  Picture* picture = nullptr;
  std::uint32_t next_row = 0;
  bool feeds = false;
  Scaler smaller;
};

Scaler::Scaler() = default;
Scaler::~Scaler() = default;

void Scaler::begin(const Frame& frame, std::span<const Target> targets, Filter filter, TapsCache& cache,
                   std::span<Picture* const> outputs) {
  assert(targets.size() == outputs.size());
  frame_ = frame;
  used_ = 0;
  std::vector<std::size_t> parents = parents_of(frame, targets, filter);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Target& target = targets[i];
    outputs[i]->begin(target.crop.width, target.crop.height, channels_of(frame.model));
    if (parents[i] != i) continue;
    if (used_ == outputs_.size()) outputs_.push_back(std::make_unique<Output>());
    Output& output = *outputs_[used_++];
    output.picture = outputs[i];
    output.next_row = 0;
    plan_planes(output, target, filter, cache);
    std::vector<Target> smaller;
    std::vector<Picture*> pictures;
    // Whatever stands on this one, directly or through another: the next level finds its own parents.
    for (std::size_t k = 0; k < targets.size(); ++k) {
      std::size_t root = k;
      while (parents[root] != root) root = parents[root];
      if (k == i || root != i) continue;
      smaller.push_back(targets[k]);
      pictures.push_back(outputs[k]);
    }
    output.feeds = !smaller.empty();
    if (output.feeds) output.smaller.begin(frame_of(*output.picture), smaller, filter, cache, pictures);
  }
  begin_rings();
}

void Scaler::plan_planes(Output& output, const Target& target, Filter filter, TapsCache& cache) {
  bool alpha = frame_.model == Model::rgba;
  double scale_x = frame_.true_width / target.scaled.width;
  double scale_y = frame_.true_height / target.scaled.height;
  for (std::uint32_t p = 0; p < frame_.planes; ++p) {
    const Plane& plane = frame_.plane[p];
    Axis x{plane.width, plane.across == Upsampling::none ? plane.width : frame_.width, target.crop.width,
           target.crop.x * scale_x, target.crop.width * scale_x, filter, plane.across};
    Axis y{plane.height, plane.down == Upsampling::none ? plane.height : frame_.height, target.crop.height,
           target.crop.y * scale_y, target.crop.height * scale_y, filter, plane.down};
    output.across[p] = cache.get(x, alpha ? kHorizontalLongs : kHorizontalWords);
    output.down[p] = cache.get(y, alpha ? kVerticalWords : kVerticalBytes);
  }
}

void Scaler::begin_rings() {
  std::size_t most_samples = 0;
  std::size_t most_pairs = 0;
  std::size_t most_outputs = 0;
  for (std::uint32_t p = 0; p < frame_.planes; ++p) {
    const Plane& plane = frame_.plane[p];
    std::size_t samples = std::size_t{plane.width} * channels_in(frame_.model);
    std::size_t capacity = 1;
    for (std::size_t i = 0; i < used_; ++i) {
      capacity = std::max<std::size_t>(capacity, outputs_[i]->down[p]->count / 2 + 1);
      most_outputs = std::max<std::size_t>(most_outputs, outputs_[i]->picture->width);
    }
    capacity = std::min<std::size_t>(capacity, (plane.height + 1) / 2);
    // A plane may run ahead of the others by the rows that a decoder gives at once.
    if (frame_.model == Model::ycc) capacity += kPlaneAhead;
    most_samples = std::max(most_samples, samples);
    most_pairs = std::max(most_pairs, capacity);
    if (frame_.model == Model::rgba) {
      words_.begin(samples, plane.height, capacity);
    } else {
      bytes_[p].begin(samples, plane.height, capacity);
    }
  }
  std::size_t room = most_outputs * 4;
  row_.reserve(room);
  if (frame_.model == Model::rgba) {
    premultiplied_.reserve(most_samples);
    middle_rgba_.reserve(most_samples);
    done_rgba_.reserve(room);
    word_pairs_.resize(most_pairs);
    return;
  }
  middle_.reserve(most_samples);
  for (auto& row : done_) row.reserve(most_outputs);
  if (frame_.model == Model::rgb) {
    for (auto& row : split_) row.reserve(frame_.width);
  }
  byte_pairs_.resize(most_pairs);
}

void Scaler::push(std::uint32_t plane, const std::uint8_t* row) { push(plane, row, 0, 1); }

void Scaler::push(std::uint32_t plane, const std::uint8_t* rows, std::size_t stride, std::size_t count) {
  for (std::size_t i = 0; i < count;) {
    const std::uint8_t* row = rows + i * stride;
    std::size_t taken = 1;
    if (frame_.model == Model::rgba) {
      simd::premultiply(row, frame_.width, premultiplied_.data());
      words_.push(premultiplied_.data());
    } else if (i + 1 < count && bytes_[plane].even()) {
      bytes_[plane].push_pair(row, row + stride);
      taken = 2;
    } else {
      bytes_[plane].push(row);
    }
    i += taken;
    advance();
  }
}

void Scaler::finish() {
  words_.finish();
  for (auto& ring : bytes_) ring.finish();
  advance();
  for (std::size_t i = 0; i < used_; ++i) {
    assert(outputs_[i]->next_row == outputs_[i]->picture->height);
    if (outputs_[i]->feeds) outputs_[i]->smaller.finish();
  }
}

void Scaler::advance() {
  for (std::size_t i = 0; i < used_; ++i) {
    Output& output = *outputs_[i];
    while (output.next_row < output.picture->height && ready(output)) make_row(output);
  }
}

bool Scaler::ready(const Output& output) const {
  for (std::uint32_t p = 0; p < frame_.planes; ++p) {
    const Taps& taps = *output.down[p];
    std::size_t end = (std::size_t{taps.first[output.next_row]} + taps.count) / 2;
    bool alpha = frame_.model == Model::rgba;
    std::size_t all = alpha ? words_.pairs_in_all() : bytes_[p].pairs_in_all();
    std::size_t have = alpha ? words_.pairs() : bytes_[p].pairs();
    if (have < std::min(end, all)) return false;
  }
  return true;
}

/// Leaves the row in middle_, or in middle_rgba_.
void Scaler::vertical(std::uint32_t plane, const Taps& taps, std::uint32_t row) {
  const std::int16_t* weights = taps.weight.data() + std::size_t{row} * taps.count;
  std::size_t first = taps.first[row] / 2;
  if (frame_.model == Model::rgba) {
    std::size_t count = std::min<std::size_t>(taps.count / 2, words_.pairs_in_all() - first);
    for (std::size_t i = 0; i < count; ++i) word_pairs_[i] = words_.pair(first + i);
    simd::vertical_words({word_pairs_.data(), weights, count, taps.precision}, words_.samples(), middle_rgba_.data());
    return;
  }
  const PairRing<std::uint8_t>& ring = bytes_[plane];
  std::size_t count = std::min<std::size_t>(taps.count / 2, ring.pairs_in_all() - first);
  for (std::size_t i = 0; i < count; ++i) byte_pairs_[i] = ring.pair(first + i);
  simd::vertical_bytes({byte_pairs_.data(), weights, count, taps.precision}, ring.samples(), middle_.data());
}

void Scaler::across(Output& output, std::uint32_t plane, const std::int16_t* words, std::int16_t* to) {
  const Taps& taps = *output.across[plane];
  if (taps.identity) {
    std::memcpy(to, words, taps.outputs * sizeof *to);
  } else {
    simd::horizontal_words(words, view(taps), to);
  }
}

void Scaler::across_rgba(Output& output) {
  const Taps& taps = *output.across[0];
  const std::int32_t* row = middle_rgba_.data();
  if (!taps.identity) {
    simd::horizontal_longs(row, view(taps), done_rgba_.data());
    row = done_rgba_.data();
  }
  simd::unpremultiply(row, taps.outputs, row_.data());
}

void Scaler::make_row(Output& output) {
  std::size_t width = output.picture->width;
  std::uint32_t y = output.next_row++;
  if (frame_.model == Model::ycc) {
    for (std::uint32_t p = 0; p < 3; ++p) {
      vertical(p, *output.down[p], y);
      across(output, p, middle_.data(), done_[p].data());
    }
    simd::finish_ycc(done_[0].data(), done_[1].data(), done_[2].data(), width, row_.data());
  } else {
    vertical(0, *output.down[0], y);
    if (frame_.model == Model::gray) {
      across(output, 0, middle_.data(), done_[0].data());
      simd::finish_gray(done_[0].data(), width, row_.data());
    } else if (frame_.model == Model::rgb) {
      simd::split3(middle_.data(), frame_.width, split_[0].data(), split_[1].data(), split_[2].data());
      for (std::size_t c = 0; c < 3; ++c) across(output, 0, split_[c].data(), done_[c].data());
      simd::finish_rgb(done_[0].data(), done_[1].data(), done_[2].data(), width, row_.data());
    } else {
      across_rgba(output);
    }
  }
  std::memcpy(output.picture->row(y), row_.data(), output.picture->row_bytes());
  if (output.feeds) output.smaller.push(0, row_.data());
}

}  // namespace sluice::image_resize
