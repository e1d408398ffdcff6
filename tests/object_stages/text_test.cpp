#include "support/text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::support {
namespace {

// aws-semantics.md §4, Key: the pairs of the table, one of them recorded from S3.
TEST(Keys, are_encoded_as_s3_does) {
  EXPECT_EQ(encode_key("icons/red flower.jpg"), "icons/red+flower.jpg");
  EXPECT_EQ(encode_key("icons/a+b.png"), "icons/a%2Bb.png");
  EXPECT_EQ(encode_key("icons/50%.png"), "icons/50%25.png");
  EXPECT_EQ(encode_key("icons/\xc3\xbc.png"), "icons/%C3%BC.png");
  EXPECT_EQ(encode_key("a@b"), "a%40b");
  EXPECT_EQ(encode_key("\"\\\n\xff\x01"), "%22%5C%0A%FF%01");
  EXPECT_EQ(encode_key("Az09-._*/"), "Az09-._*/");
}

TEST(Times, are_written_in_utc_with_milliseconds) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(iso_time(1'767'225'600'007), "2026-01-01T00:00:00.007Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(iso_time(INT64_MAX), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(iso_time(INT64_MIN), "0000-01-01T00:00:00.000Z");
}

TEST(JsonStrings, are_quoted_and_never_broken) {
  EXPECT_EQ(json_quote("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\n\\u0001\"");
  EXPECT_EQ(json_quote("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_TRUE(is_utf8("\xc3\xbc"));
  EXPECT_FALSE(is_utf8("\xc3"));
}

}  // namespace
}  // namespace sluice::support
