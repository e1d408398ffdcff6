// What operators need to know of texts: addresses, and letters without their case.
#include <gtest/gtest.h>

#include "filter/address.hpp"
#include "filter/case_folding.hpp"

namespace sluice::test {
namespace {

using core::block_of;
using core::fold_case;
using core::parse_address;

TEST(Address, is_equal_however_it_is_spelt) {
  EXPECT_EQ(parse_address("10.0.0.1"), parse_address("010.000.000.001"));
  EXPECT_EQ(parse_address("::1"), parse_address("0:0:0:0:0:0:0:1"));
  EXPECT_EQ(parse_address("2001:DB8::a"), parse_address("2001:0db8:0::000A"));
  EXPECT_NE(parse_address("::"), parse_address("0.0.0.0"));
}

TEST(Address, is_no_other_text) {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "10.0.0.1 ", "10.0.0.1.1", "10..0.1",
                           "+1.0.0.1", "0x1.0.0.1", "0000010.0.0.1.1", "1:2", "::1::", ":::",
                           "12345::", "::g", "::ffff:10.0.0.1", "fe80::1%1", "1:2:3:4:5:6:7:8:9"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(Address, lies_in_a_block_when_its_leading_bits_do) {
  const auto block = block_of(*parse_address("192.0.2.77"), 25);
  EXPECT_TRUE(block.contains(*parse_address("192.0.2.127")));
  EXPECT_FALSE(block.contains(*parse_address("192.0.2.128")));
  EXPECT_FALSE(block_of(*parse_address("::"), 0).contains(*parse_address("10.0.0.1")));
  EXPECT_TRUE(block_of(*parse_address("ff::"), 0).contains(*parse_address("::1")));
  const auto one = block_of(*parse_address("2001:db8::1"), 128);
  EXPECT_TRUE(one.contains(*parse_address("2001:db8::1")));
  EXPECT_FALSE(one.contains(*parse_address("2001:db8::")));
}

TEST(CaseFolding, is_the_simple_one_of_every_code_point) {
  EXPECT_EQ(fold_case("Hello [\\]^ @Z"), "hello [\\]^ @z");
  EXPECT_EQ(fold_case("ÉÀÿŸ ЖЯё ΣΩς"), "éàÿÿ жяё σωσ");
  EXPECT_EQ(fold_case("\u212A\u1E9E\u0130\u0131"), "kß\u0130\u0131");  // Kelvin, capital sharp s
  EXPECT_EQ(fold_case("\U00010400\U0001E921"), "\U00010428\U0001E943");
  EXPECT_EQ(fold_case("日本 ñ ß"), "日本 ñ ß");
  EXPECT_EQ(fold_case(U'Ā'), U'ā');
  EXPECT_EQ(fold_case(U'ā'), U'ā');
}

TEST(CaseFolding, leaves_bytes_that_are_no_utf8) {
  EXPECT_EQ(fold_case("A\xFF\xC3"), "a\xFF\xC3");
  EXPECT_EQ(fold_case("\xED\xA0\x80X"), "\xED\xA0\x80x");
}

TEST(CaseFolding, done_twice_is_done_once) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    ASSERT_EQ(fold_case(fold_case(code)), fold_case(code)) << static_cast<std::uint32_t>(code);
  }
}

}  // namespace
}  // namespace sluice::test
