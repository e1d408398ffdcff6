// The rows that a vertical pass still needs.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "image_resize/buffer.hpp"
#include "image_resize/kernels.hpp"

namespace sluice::image_resize {

/// A ring of row pairs, interleaved as the vertical kernels read them: the work of bringing two rows
/// side by side is done once, though each row is part of several outputs. Holds the last `capacity`
/// pairs. One thread.
template <class Sample>
class PairRing {
 public:
  /// `samples` a row, `rows` in all. Throws std::bad_alloc.
  void begin(std::size_t samples, std::size_t rows, std::size_t capacity) {
    samples_ = samples;
    pairs_in_all_ = (rows + 1) / 2;
    capacity_ = capacity;
    rows_ = 0;
    stride_ = (2 * samples + 63) / 64 * 64 + kOverrun;
    slots_.reserve(stride_ * capacity_);
    held_.reserve(samples);
  }

  /// Bytes that begin() would take.
  static std::size_t bytes(std::size_t samples, std::size_t capacity) {
    return ((2 * samples + 64 + kOverrun) * capacity + samples + 2 * kSlack) * sizeof(Sample);
  }

  /// The next row; copied.
  void push(const Sample* row) {
    if (rows_ % 2 == 0) {
      std::memcpy(held_.data(), row, samples_ * sizeof(Sample));
    } else {
      store(held_.data(), row);
    }
    ++rows_;
  }

  /// The next two rows. REQUIRES: an even number was pushed before.
  void push_pair(const Sample* first, const Sample* second) {
    assert(rows_ % 2 == 0);
    store(first, second);
    rows_ += 2;
  }

  /// No row follows: an odd last row is paired with itself (its partner's weight is 0).
  void finish() {
    if (rows_ % 2 != 0) push(held_.data());
  }

  std::size_t pairs() const { return rows_ / 2; }
  std::size_t pairs_in_all() const { return pairs_in_all_; }
  std::size_t samples() const { return samples_; }
  bool even() const { return rows_ % 2 == 0; }
  /// REQUIRES: `pair` is among the last `capacity` of pairs().
  const Sample* pair(std::size_t pair) const {
    assert(pair < pairs());
    assert(pair + capacity_ >= pairs());
    return slots_.data() + pair % capacity_ * stride_;
  }

 private:
  static constexpr std::size_t kOverrun = 128;  ///< a kernel's last store may run over by two vectors

  void store(const Sample* first, const Sample* second) {
    Sample* to = slots_.data() + rows_ / 2 % capacity_ * stride_;
    if constexpr (std::is_same_v<Sample, std::uint8_t>) {
      simd::interleave_bytes(first, second, samples_, to);
    } else {
      simd::interleave_words(first, second, samples_, to);
    }
  }

  Buffer<Sample> slots_;
  Buffer<Sample> held_;  ///< the first row of a pair that is not complete
  std::size_t samples_ = 0;
  std::size_t pairs_in_all_ = 0;
  std::size_t capacity_ = 0;
  std::size_t stride_ = 0;
  std::size_t rows_ = 0;
};

}  // namespace sluice::image_resize
