#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "image_resize/exif.hpp"
#include "image_resize/pictures.hpp"

namespace sluice::image_resize::test {
namespace {

/// A TIFF structure with one entry in IFD0.
struct Entry {
  bool big = false;
  std::uint32_t tag = 0x0112, type = 3, count = 1, value = 6, offset = 8, entries = 1;
};

void number(Bytes& to, std::uint32_t value, int bytes, bool big) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<std::uint8_t>(value >> 8 * (big ? bytes - 1 - i : i)));
}

Bytes tiff(const Entry& e) {
  Bytes out;
  for (int i = 0; i < 2; ++i) out.push_back(e.big ? 'M' : 'I');
  number(out, 42, 2, e.big);
  number(out, e.offset, 4, e.big);
  number(out, e.entries, 2, e.big);
  number(out, e.tag, 2, e.big);
  number(out, e.type, 2, e.big);
  number(out, e.count, 4, e.big);
  number(out, e.value, e.type == 3 ? 2 : 4, e.big);
  if (e.type == 3) number(out, 0, 2, e.big);
  number(out, 0, 4, e.big);
  return out;
}

TEST(exif, orientation_is_read_in_both_byte_orders_and_types) {
  for (bool big : {false, true}) {
    for (std::uint32_t type : {3u, 4u}) {
      for (std::uint32_t value = 1; value <= 8; ++value) {
        EXPECT_EQ(exif_orientation(tiff({.big = big, .type = type, .value = value})), static_cast<int>(value));
      }
    }
  }
}

TEST(exif, whatever_is_not_a_clear_orientation_means_upright) {
  const Entry bads[] = {{.value = 0},
                        {.value = 9},
                        {.value = 65535},
                        {.type = 2},
                        {.type = 5},
                        {.count = 0},
                        {.count = 2},
                        {.count = 0x80000000},
                        {.tag = 0x0113},
                        {.offset = 0xFFFFFFFF},
                        {.offset = 7000},
                        {.offset = 4},
                        {.entries = 0}};
  for (const Entry& bad : bads) EXPECT_EQ(exif_orientation(tiff(bad)), 1);
}

TEST(exif, every_truncation_is_harmless) {
  Bytes whole = tiff({});
  for (std::size_t n = 0; n < 22; ++n) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(std::min(n, whole.size())));
    EXPECT_EQ(exif_orientation(cut), n >= 22 ? 6 : 1) << n;
  }
  EXPECT_EQ(exif_orientation(tiff({.entries = 60000})), 6);  // found before the directory breaks off
}

Bytes segment(std::uint8_t marker, const Bytes& content) {
  Bytes out{0xFF, marker};
  number(out, static_cast<std::uint32_t>(content.size() + 2), 2, true);
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

Bytes exif_content(const Entry& e) {
  Bytes out{'E', 'x', 'i', 'f', 0, 0};
  Bytes inner = tiff(e);
  out.insert(out.end(), inner.begin(), inner.end());
  return out;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

TEST(exif, the_first_exif_segment_of_a_jpeg_wins) {
  Bytes start{0xFF, 0xD8};
  Bytes first = segment(0xE1, exif_content({.value = 8}));
  Bytes second = segment(0xE1, exif_content({.value = 3}));
  Bytes xmp = segment(0xE1, Bytes{'h', 't', 't', 'p', ':', '/', '/', 'n', 's'});
  EXPECT_EQ(jpeg_orientation(joined({start, xmp, first, second})), 8);
  EXPECT_EQ(jpeg_orientation(joined({start, segment(0xE2, Bytes(300)), {0xFF, 0xFF}, second})), 3);
}

TEST(exif, what_stands_behind_the_scan_is_not_looked_at) {
  Bytes scan = segment(0xDA, Bytes(6));
  EXPECT_EQ(jpeg_orientation(joined({{0xFF, 0xD8}, scan, segment(0xE1, exif_content({}))})), 1);
  EXPECT_EQ(jpeg_orientation(Bytes{0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xFF}), 1);
  EXPECT_EQ(jpeg_orientation(Bytes{}), 1);
}

}  // namespace
}  // namespace sluice::image_resize::test
