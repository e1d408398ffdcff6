#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <random>
#include <vector>

#include "image_resize/buffer.hpp"
#include "image_resize/kernels.hpp"
#include "image_resize/pictures.hpp"
#include "image_resize/weights.hpp"

namespace sluice::image_resize::test {
namespace {

/// `count` elements and the slack that kernels may touch, `shift` bytes off alignment, and then a page
/// that nobody may touch.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t count) : count_(count) {
    auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::size_t bytes = ((count + kSlack) * sizeof(T) + page - 1) / page * page;
    size_ = bytes + page;
    memory_ = static_cast<std::uint8_t*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + bytes, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(memory_ + bytes - (count + kSlack) * sizeof(T));
  }
  ~Guarded() { munmap(memory_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  T* data() { return data_; }
  std::vector<T> values() const { return {data_, data_ + count_}; }
  void fill(std::mt19937& random, int low, int high) {
    for (std::size_t i = 0; i < count_ + kSlack; ++i) {
      data_[i] = static_cast<T>(low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1)));
    }
  }

 private:
  std::size_t count_;
  std::size_t size_;
  std::uint8_t* memory_;
  T* data_;
};

/// Sizes around every vector length: 0 .. 3 vectors of 64 bytes and 1, and some beyond.
std::vector<std::size_t> sizes() {
  std::vector<std::size_t> result;
  for (std::size_t n = 0; n <= 193; ++n) result.push_back(n);
  for (std::size_t n : {255, 256, 257, 1000}) result.push_back(n);
  return result;
}

/// Runs `simd(to)` and `scalar(to)` and compares `count` results, on every target and at the guard.
template <class T, class Simd, class Scalar>
void expect_same(std::size_t count, Simd&& simd, Scalar&& scalar) {
  Guarded<T> expected(count);
  scalar(expected.data());
  for_each_target([&](const char* name) {
    Guarded<T> actual(count);
    simd(actual.data());
    ASSERT_EQ(actual.values(), expected.values()) << name << ", size " << count;
  });
}

TEST(kernels, interleaving_is_the_scalar_one_on_every_target) {
  std::mt19937 random(1);
  for (std::size_t n : sizes()) {
    Guarded<std::uint8_t> a(n), b(n);
    Guarded<std::int16_t> c(n), d(n);
    a.fill(random, 0, 255);
    b.fill(random, 0, 255);
    c.fill(random, -32768, 32767);
    d.fill(random, -32768, 32767);
    expect_same<std::uint8_t>(2 * n, [&](auto* to) { simd::interleave_bytes(a.data(), b.data(), n, to); },
                              [&](auto* to) { scalar::interleave_bytes(a.data(), b.data(), n, to); });
    expect_same<std::int16_t>(2 * n, [&](auto* to) { simd::interleave_words(c.data(), d.data(), n, to); },
                              [&](auto* to) { scalar::interleave_words(c.data(), d.data(), n, to); });
  }
}

/// Weights of `pairs` row pairs that sum to 2^14, some negative.
std::vector<std::int16_t> weights(std::mt19937& random, std::size_t pairs) {
  std::vector<std::int16_t> result(2 * pairs);
  int sum = 0;
  for (auto& w : result) {
    w = static_cast<std::int16_t>(static_cast<int>(random() % 1200) - 400);
    sum += w;
  }
  result[0] = static_cast<std::int16_t>(result[0] + (1 << 14) - sum);
  return result;
}

TEST(kernels, vertical_passes_are_the_scalar_ones_on_every_target) {
  std::mt19937 random(2);
  for (std::size_t n : sizes()) {
    std::size_t pairs = 1 + random() % 12;
    auto w = weights(random, pairs);
    std::vector<std::unique_ptr<Guarded<std::uint8_t>>> bytes;
    std::vector<std::unique_ptr<Guarded<std::int16_t>>> words;
    std::vector<const std::uint8_t*> byte_rows;
    std::vector<const std::int16_t*> word_rows;
    for (std::size_t p = 0; p < pairs; ++p) {
      byte_rows.push_back((bytes.emplace_back(std::make_unique<Guarded<std::uint8_t>>(2 * n)))->data());
      word_rows.push_back((words.emplace_back(std::make_unique<Guarded<std::int16_t>>(2 * n)))->data());
      bytes.back()->fill(random, 0, 255);
      words.back()->fill(random, -32512, 32513);
    }
    PairsView<std::uint8_t> byte_view{byte_rows.data(), w.data(), pairs, 14};
    PairsView<std::int16_t> word_view{word_rows.data(), w.data(), pairs, 14};
    expect_same<std::int16_t>(n, [&](auto* to) { simd::vertical_bytes(byte_view, n, to); },
                              [&](auto* to) { scalar::vertical_bytes(byte_view, n, to); });
    expect_same<std::int32_t>(n, [&](auto* to) { simd::vertical_words(word_view, n, to); },
                              [&](auto* to) { scalar::vertical_words(word_view, n, to); });
  }
}

TEST(kernels, horizontal_passes_are_the_scalar_ones_on_every_target) {
  std::mt19937 random(3);
  for (std::uint32_t n : {1u, 2u, 7u, 8u, 9u, 31u, 64u, 100u, 257u}) {
    for (std::uint32_t m : {1u, 2u, 3u, 4u, 5u, 8u, 13u, 33u, 120u}) {
      for (Filter filter : {Filter::nearest, Filter::box, Filter::lanczos3}) {
        Axis axis{n, n, m, 0, static_cast<double>(n), filter};
        Taps words = make_taps(axis, kHorizontalWords);
        Taps longs = make_taps(axis, kHorizontalLongs);
        TapsView word_view{words.first.data(), words.weight.data(), words.outputs, words.count, words.precision};
        TapsView long_view{longs.first.data(), longs.weight.data(), longs.outputs, longs.count, longs.precision};
        Guarded<std::int16_t> row(n);
        Guarded<std::int32_t> pixels(4 * n);
        row.fill(random, -5000, 21000);
        pixels.fill(random, -41000, 41000);
        expect_same<std::int16_t>(m, [&](auto* to) { simd::horizontal_words(row.data(), word_view, to); },
                                  [&](auto* to) { scalar::horizontal_words(row.data(), word_view, to); });
        expect_same<std::int32_t>(4 * m, [&](auto* to) { simd::horizontal_longs(pixels.data(), long_view, to); },
                                  [&](auto* to) { scalar::horizontal_longs(pixels.data(), long_view, to); });
      }
    }
  }
}

TEST(kernels, alpha_kernels_are_the_scalar_ones_on_every_target) {
  std::mt19937 random(4);
  for (std::size_t n : sizes()) {
    Guarded<std::uint8_t> rgba(4 * n);
    Guarded<std::int32_t> longs(4 * n);
    rgba.fill(random, 0, 255);
    longs.fill(random, -kLongMax, kLongMax);
    expect_same<std::int16_t>(4 * n, [&](auto* to) { simd::premultiply(rgba.data(), n, to); },
                              [&](auto* to) { scalar::premultiply(rgba.data(), n, to); });
    expect_same<std::uint8_t>(4 * n, [&](auto* to) { simd::unpremultiply(longs.data(), n, to); },
                              [&](auto* to) { scalar::unpremultiply(longs.data(), n, to); });
  }
}

TEST(kernels, finishing_kernels_are_the_scalar_ones_on_every_target) {
  std::mt19937 random(5);
  for (std::size_t n : sizes()) {
    Guarded<std::int16_t> a(n), b(n), c(n), three(3 * n);
    for (auto* row : {&a, &b, &c}) row->fill(random, -32768, 32767);
    three.fill(random, -32768, 32767);
    expect_same<std::uint8_t>(n, [&](auto* to) { simd::finish_gray(a.data(), n, to); },
                              [&](auto* to) { scalar::finish_gray(a.data(), n, to); });
    expect_same<std::uint8_t>(3 * n, [&](auto* to) { simd::finish_rgb(a.data(), b.data(), c.data(), n, to); },
                              [&](auto* to) { scalar::finish_rgb(a.data(), b.data(), c.data(), n, to); });
    expect_same<std::uint8_t>(3 * n, [&](auto* to) { simd::finish_ycc(a.data(), b.data(), c.data(), n, to); },
                              [&](auto* to) { scalar::finish_ycc(a.data(), b.data(), c.data(), n, to); });
    Guarded<std::int16_t> y(n), z(n);
    expect_same<std::int16_t>(n, [&](auto* to) { simd::split3(three.data(), n, to, y.data(), z.data()); },
                              [&](auto* to) { scalar::split3(three.data(), n, to, y.data(), z.data()); });
    expect_same<std::int16_t>(n, [&](auto* to) { simd::split3(three.data(), n, y.data(), to, z.data()); },
                              [&](auto* to) { scalar::split3(three.data(), n, y.data(), to, z.data()); });
    expect_same<std::int16_t>(n, [&](auto* to) { simd::split3(three.data(), n, y.data(), z.data(), to); },
                              [&](auto* to) { scalar::split3(three.data(), n, y.data(), z.data(), to); });
  }
}

TEST(kernels, png_filters_are_undone_as_the_scalar_ones_do) {
  std::mt19937 random(7);
  for (std::size_t pixel : {1u, 3u, 4u}) {
    for (std::size_t n : sizes()) {
      for (int filter = 0; filter <= 4; ++filter) {
        Guarded<std::uint8_t> above(pixel * n), row(pixel * n);
        above.fill(random, 0, 255);
        row.fill(random, 0, 255);
        std::vector<std::uint8_t> expected(row.data(), row.data() + pixel * n + kSlack);
        scalar::unfilter(filter, above.data(), pixel * n, pixel, expected.data());
        for_each_target([&](const char* name) {
          std::vector<std::uint8_t> actual(row.data(), row.data() + pixel * n + kSlack);
          simd::unfilter(filter, above.data(), pixel * n, pixel, actual.data());
          ASSERT_EQ(actual, expected) << name << ", filter " << filter << ", " << n << " of " << pixel;
        });
      }
    }
  }
}

TEST(kernels, every_misalignment_gives_the_same) {
  std::mt19937 random(6);
  constexpr std::size_t kCount = 150;
  std::vector<std::uint8_t> bytes(4 * kCount + 64 + 2 * kSlack);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
  std::vector<std::uint8_t> same(4 * kCount + kSlack);
  std::vector<std::int16_t> expected(4 * kCount + kSlack), actual(4 * kCount + 64 + kSlack);
  for (std::size_t shift = 0; shift < 64; ++shift) {
    scalar::premultiply(bytes.data() + shift, kCount, expected.data());
    scalar::interleave_bytes(bytes.data() + shift, bytes.data() + 64 - shift, kCount, same.data());
    for_each_target([&](const char* name) {
      simd::premultiply(bytes.data() + shift, kCount, actual.data() + shift);
      ASSERT_TRUE(std::equal(expected.begin(), expected.begin() + 4 * kCount, actual.begin() + static_cast<std::ptrdiff_t>(shift)))
          << name << ", " << shift << " off";
      std::vector<std::uint8_t> mine(2 * kCount + 64 + kSlack);
      simd::interleave_bytes(bytes.data() + shift, bytes.data() + 64 - shift, kCount, mine.data() + shift);
      ASSERT_TRUE(std::equal(same.begin(), same.begin() + 2 * kCount, mine.begin() + static_cast<std::ptrdiff_t>(shift))) << name;
    });
  }
}

TEST(kernels, premultiplied_colour_returns_exactly) {
  // Given every colour under every alpha, when there and back, then it is unchanged (0,0,0,0 under 0).
  Buffer<std::uint8_t> rgba, back;
  Buffer<std::int16_t> words;
  Buffer<std::int32_t> longs;
  rgba.reserve(1024);
  back.reserve(1024);
  words.reserve(1024);
  longs.reserve(1024);
  for (int alpha = 0; alpha < 256; ++alpha) {
    for (std::size_t colour = 0; colour < 256; ++colour) {
      for (std::size_t c = 0; c < 3; ++c) rgba.data()[4 * colour + c] = static_cast<std::uint8_t>(colour);
      rgba.data()[4 * colour + 3] = static_cast<std::uint8_t>(alpha);
    }
    simd::premultiply(rgba.data(), 256, words.data());
    std::copy_n(words.data(), 1024, longs.data());
    simd::unpremultiply(longs.data(), 256, back.data());
    for (std::size_t i = 0; i < 1024; ++i) ASSERT_EQ(back.data()[i], alpha == 0 ? 0 : rgba.data()[i]) << alpha << " " << i;
  }
}

}  // namespace
}  // namespace sluice::image_resize::test
