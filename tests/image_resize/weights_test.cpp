#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "image_resize/pictures.hpp"
#include "image_resize/weights.hpp"

namespace sluice::image_resize::test {
namespace {

constexpr Filter kFilters[] = {Filter::nearest,  Filter::box,      Filter::triangle, Filter::catmull_rom,
                               Filter::mitchell, Filter::lanczos2, Filter::lanczos3};
constexpr Layout kLayouts[] = {kVerticalBytes, kVerticalWords, kHorizontalWords, kHorizontalLongs};

Axis axis(std::uint32_t n, std::uint32_t m, Filter filter) { return {n, n, m, 0, static_cast<double>(n), filter}; }

TEST(weights, sum_to_a_power_of_two_for_every_filter_and_ratio) {
  for (Filter filter : kFilters) {
    for (auto [n, m] : {std::pair{1u, 1u}, {2u, 1u}, {1u, 7u}, {96u, 16u}, {599u, 600u}, {4928u, 852u}, {65500u, 3u}}) {
      for (const Layout& layout : kLayouts) {
        Taps taps = make_taps(axis(n, m, filter), layout);
        for (std::size_t i = 0; i < m; ++i) {
          auto begin = taps.weight.begin() + static_cast<std::ptrdiff_t>(i * taps.count);
          ASSERT_EQ(std::accumulate(begin, begin + taps.count, 0), 1 << taps.precision) << n << " to " << m;
          ASSERT_EQ(taps.first[i] % layout.align_first, 0u);
        }
        ASSERT_EQ(taps.count % layout.align_count, 0u);
      }
    }
  }
}

TEST(weights, stay_within_one_unit_of_the_real_ones) {
  for (Filter filter : kFilters) {
    for (auto [n, m] : {std::pair{96u, 16u}, {100u, 37u}, {37u, 100u}, {3000u, 16u}}) {
      Axis a = axis(n, m, filter);
      Taps taps = make_taps(a, kHorizontalWords);
      for (std::uint32_t i = 0; i < m; ++i) {
        RealTaps real = real_taps(a, i);
        for (std::size_t k = 0; k < real.values.size(); ++k) {
          double weight = taps.weight[i * std::size_t{taps.count} + real.first - taps.first[i] + k];
          ASSERT_NEAR(weight, real.values[k] * std::ldexp(1.0, taps.precision), 1.01);
        }
      }
    }
  }
}

TEST(weights, never_reach_beyond_the_samples) {
  for (auto [n, m] : {std::pair{1u, 5u}, {3u, 2u}, {17u, 5u}, {64u, 63u}, {255u, 16u}}) {
    Taps taps = make_taps(axis(n, m, Filter::lanczos3), kHorizontalWords);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t k = 0; k < taps.count; ++k) {
        if (taps.first[i] + k >= n) {
          ASSERT_EQ(taps.weight[i * taps.count + k], 0);
        }
      }
      ASSERT_LE(taps.first[i] + taps.count, std::max(n, taps.count) + 8);
    }
  }
}

TEST(weights, no_sum_can_leave_int32) {
  for (Filter filter : kFilters) {
    for (auto [n, m] : {std::pair{2u, 3u}, {3u, 200u}, {7u, 6u}, {1000u, 999u}, {4000u, 16u}}) {
      for (const Layout& layout : kLayouts) {
        Taps taps = make_taps(axis(n, m, filter), layout);
        for (std::size_t i = 0; i < m; ++i) {
          double sum = 0;
          for (std::size_t k = 0; k < taps.count; ++k) sum += std::abs(taps.weight[i * taps.count + k]);
          ASSERT_LT(sum * layout.largest_sample, 2147483647.0 - 32768);
        }
      }
    }
  }
}

TEST(weights, nearest_takes_the_pixel_under_the_centre) {
  for (auto [n, m] : {std::pair{10u, 3u}, {3u, 10u}, {96u, 16u}, {7u, 7u}}) {
    for (std::uint32_t i = 0; i < m; ++i) {
      RealTaps taps = real_taps(axis(n, m, Filter::nearest), i);
      ASSERT_EQ(taps.values.size(), 1u);
      ASSERT_EQ(taps.first, static_cast<std::uint32_t>((i + 0.5) * n / m));
    }
  }
}

TEST(weights, an_unchanged_axis_is_an_identity) {
  for (Filter filter : kFilters) {
    Taps taps = make_taps(axis(33, 33, filter), kHorizontalWords);
    EXPECT_TRUE(taps.identity);
    EXPECT_FALSE(make_taps(axis(33, 32, filter), kHorizontalWords).identity);
  }
}

/// What libjpeg's h2v1 "fancy" upsampling gives, without its rounding.
std::vector<double> upsampled(const std::vector<double>& samples, std::uint32_t pixels, Upsampling how) {
  std::vector<double> result(pixels);
  for (std::size_t x = 0; x < pixels; ++x) {
    std::size_t at = x / 2;
    std::size_t side = x % 2 == 0 ? (at == 0 ? 0 : at - 1) : std::min(at + 1, samples.size() - 1);
    result[x] = how == Upsampling::smoothed ? 0.75 * samples[at] + 0.25 * samples[side] : samples[at];
  }
  return result;
}

TEST(weights, folded_upsampling_is_upsampling_first) {
  for (Upsampling how : {Upsampling::doubled, Upsampling::smoothed}) {
    for (auto [pixels, m] : {std::pair{20u, 7u}, {21u, 7u}, {5u, 2u}, {64u, 31u}, {9u, 20u}}) {
      std::vector<double> samples((pixels + 1) / 2);
      for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<double>((i * 37) % 101);
      std::vector<double> full = upsampled(samples, pixels, how);
      auto stored = static_cast<std::uint32_t>(samples.size());
      for (std::uint32_t i = 0; i < m; ++i) {
        RealTaps folded = real_taps({stored, pixels, m, 0, static_cast<double>(pixels), Filter::lanczos3, how}, i);
        RealTaps plain = real_taps({pixels, pixels, m, 0, static_cast<double>(pixels), Filter::lanczos3}, i);
        double by_fold = 0, by_pixels = 0;
        for (std::size_t k = 0; k < folded.values.size(); ++k) by_fold += folded.values[k] * samples[folded.first + k];
        for (std::size_t k = 0; k < plain.values.size(); ++k) by_pixels += plain.values[k] * full[plain.first + k];
        ASSERT_NEAR(by_fold, by_pixels, 1e-9);
      }
    }
  }
}

TEST(weights, the_cache_gives_equal_tables_and_forgets_in_time) {
  TapsCache cache;
  auto first = cache.get(axis(96, 16, Filter::lanczos3), kHorizontalWords);
  EXPECT_EQ(cache.get(axis(96, 16, Filter::lanczos3), kHorizontalWords), first);
  EXPECT_NE(cache.get(axis(96, 16, Filter::box), kHorizontalWords), first);
  for (std::uint32_t m = 500; m < 560; ++m) cache.get(axis(60000, m, Filter::lanczos3), kHorizontalWords);
  auto again = cache.get(axis(96, 16, Filter::lanczos3), kHorizontalWords);
  EXPECT_EQ(again->weight, first->weight);
  EXPECT_NE(again, first);  // it was dropped, and the old pointer still lives
}

}  // namespace
}  // namespace sluice::image_resize::test
