#include "base/json.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/utf8.hpp"

namespace sluice::core {
namespace {

/// Touches what a document can hold, so that its truncations meet every state of the reader.
constexpr std::string_view kEverything =
    R"({"name": "icons", "empty": {}, "none": [], "list": [1, -2.5e3, true, false, null, "x"],
  "escapes": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00", "text": "é€😀", "deep": {"a": [{"b": [[]]}]}})";

Json parsed(std::string_view text) {
  auto result = parse_json(text);
  EXPECT_TRUE(result.has_value()) << text << ": " << (result ? "" : result.error().message);
  return result.value_or(Json{});
}

TEST(Json, every_value_and_member_name_knows_its_byte) {
  const std::string text = R"( {"a" : [ 1,"two" , {"c":null}], "b":true})";
  const Json root = parsed(text);
  EXPECT_EQ(root.offset, text.find('{'));
  EXPECT_EQ(root.members[0].offset, text.find("\"a\""));
  EXPECT_EQ(root.find("a")->offset, text.find('['));
  EXPECT_EQ(root.find("a")->items[0].offset, text.find('1'));
  EXPECT_EQ(root.find("a")->items[1].offset, text.find("\"two\""));
  EXPECT_EQ(root.find("a")->items[2].members[0].offset, text.find("\"c\""));
  EXPECT_EQ(root.find("a")->items[2].members[0].value.offset, text.find("null"));
  EXPECT_EQ(root.members[1].value.offset, text.find("true"));
}

TEST(Json, strings_are_unescaped) {
  const Json root = parsed(kEverything);
  EXPECT_EQ(root.find("escapes")->text, "\"\\/\b\f\n\r\té😀");
  EXPECT_EQ(root.find("text")->text, "é€😀");
  EXPECT_EQ(root.find("absent"), nullptr);
}

TEST(Json, numbers_keep_their_literal_and_are_integers_where_they_are_whole) {
  struct Case {
    std::string_view text;
    std::optional<std::int64_t> integer;
    double number;
  };
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const Case cases[] = {
      {"0", 0, 0},
      {"-0", 0, 0},
      {"-17", -17, -17},
      {"9223372036854775807", kMax, 9223372036854775807.0},
      {"-9223372036854775808", -kMax - 1, -9223372036854775808.0},
      {"9223372036854775808", std::nullopt, 9223372036854775808.0},
      {"123456789012345678901234567890", std::nullopt, 123456789012345678901234567890.0},
      {"1e3", 1000, 1000},
      {"2.50", std::nullopt, 2.5},
      {"1e-400", 0, 0},
      {"1e300", std::nullopt, 1e300}};
  for (const Case& c : cases) {
    const Json value = parsed(c.text);
    EXPECT_EQ(value.type, Json::Type::number) << c.text;
    EXPECT_EQ(value.text, c.text);
    EXPECT_EQ(value.integer, c.integer) << c.text;
    EXPECT_DOUBLE_EQ(value.number, c.number) << c.text;
  }
}

TEST(Json, any_value_may_stand_alone) {
  EXPECT_EQ(parsed(" true ").type, Json::Type::boolean);
  EXPECT_EQ(parsed("null").type, Json::Type::null);
  EXPECT_EQ(parsed("\n\"a\\\"b\"\n").text, "a\"b");
  EXPECT_EQ(parsed(" 12 ").integer, 12);
  EXPECT_EQ(parsed("[]").type, Json::Type::array);
  EXPECT_EQ(parsed("{}").type, Json::Type::object);
}

struct Bad {
  std::string_view text;
  std::uint32_t offset;
  std::string_view says;
};

class BadJson : public testing::TestWithParam<Bad> {};

TEST_P(BadJson, is_refused_at_its_place) {
  const auto result = parse_json(GetParam().text);
  ASSERT_FALSE(result.has_value()) << GetParam().text;
  EXPECT_EQ(result.error().offset, GetParam().offset) << result.error().message;
  EXPECT_NE(result.error().message.find(GetParam().says), std::string::npos)
      << result.error().message;
}

using namespace std::string_view_literals;
INSTANTIATE_TEST_SUITE_P(
    Table, BadJson,
    testing::Values(Bad{"", 0, "empty"}, Bad{"   ", 0, "empty"},
                    Bad{"\xEF\xBB\xBF{}", 0, "byte order mark"}, Bad{"{", 1, "ends inside"},
                    Bad{"[1, 2", 5, "ends inside"}, Bad{"]", 0, "not ']'"},
                    Bad{"{} x", 3, "after the end"}, Bad{"1 2", 2, "after the end"},
                    Bad{"\"a\" \"b\"", 4, "after the end"}, Bad{"[1]]", 3, "after the end"},
                    Bad{"{}\0"sv, 2, "after the end"}, Bad{R"({"a":1 "b":2})", 7, "','"},
                    Bad{R"({"a" 1})", 5, ""}, Bad{R"({"a":})", 5, "expected a value"},
                    Bad{R"({"a":1,})", 7, "member name"}, Bad{"[1,]", 3, "expected a value"},
                    Bad{"[1 2]", 3, "',' or ']'"}, Bad{"[1}", 2, "',' or ']'"},
                    Bad{"[,1]", 1, "expected a value"}, Bad{"{1:2}", 1, "member name"},
                    Bad{R"(["a":1])", 4, "',' or ']'"}, Bad{"[1:2]", 2, "',' or ']'"},
                    Bad{"[True]", 1, "no JSON value"}, Bad{"[truex]", 1, "no JSON value"},
                    Bad{"'a'", 0, "no JSON value"}, Bad{"[01]", 1, "no JSON value"},
                    Bad{"[+1]", 1, "no JSON value"}, Bad{"[1.]", 1, "no JSON value"},
                    Bad{"[.5]", 1, "no JSON value"}, Bad{"[1e]", 1, "no JSON value"},
                    Bad{"[-]", 1, "no JSON value"}, Bad{"[NaN]", 1, "no JSON value"},
                    Bad{"[0x10]", 1, "no JSON value"}, Bad{"[1e999]", 1, "too large"},
                    Bad{"// x\n{}", 0, "no JSON value"}, Bad{R"(["a\qb"])", 1, "bad escape"},
                    Bad{R"(["\ud800"])", 1, "string"}, Bad{R"(["\udc00x"])", 1, "string"},
                    Bad{R"({"\ud800":1})", 1, "member name"},
                    Bad{"[\"a\nb\"]", 3, "control character 0x0a"}, Bad{"[\"abc]", 1, "not closed"},
                    Bad{"[\"a\xFFz\"]", 3, "not UTF-8"}, Bad{"[\"\xC0\x80\"]", 2, "not UTF-8"},
                    Bad{"[\"\xED\xA0\x80\"]", 2, "not UTF-8"}, Bad{"\"\xE2\x82", 1, "not UTF-8"},
                    Bad{R"({"a":1,"b":2,"a":3})", 13, "\"a\" is given twice"},
                    Bad{R"({"a":{"x":1,"\u0078":2}})", 12, "\"x\" is given twice"}));

TEST(Json, depth_is_at_most_64) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(64)).has_value());
  const auto result = parse_json(nested(65));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().offset, 64u);
  EXPECT_FALSE(parse_json(std::string(100'000, '[')).has_value());
}

TEST(Json, size_and_number_of_values_are_limited) {
  EXPECT_TRUE(parse_json("[1234567]", 9).has_value());
  EXPECT_FALSE(parse_json("[12345678]", 9).has_value());
  std::string many = "[0";
  for (int i = 0; i < 1'000'000; ++i) {
    many += ",0";
  }
  const auto result = parse_json(many + "]");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("more than 1000000 values"), std::string::npos);
}

TEST(Json, a_document_cut_at_any_byte_is_refused_within_its_bounds) {
  for (std::size_t cut = 0; cut < kEverything.size(); ++cut) {
    const std::string text(kEverything.substr(0, cut));
    const auto result = parse_json(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_LE(result.error().offset, text.size());
    EXPECT_FALSE(result.error().message.empty());
  }
}

TEST(Json, a_document_with_any_byte_replaced_never_breaks_the_reader) {
  constexpr std::string_view kBytes = "\"\\{}[]:,0-e.tn \n\x01\x7F\xC3\xFF"sv;
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < kEverything.size(); ++at) {
    for (const char byte : kBytes) {
      std::string text(kEverything);
      text[at] = byte;
      const auto result = parse_json(text);
      accepted += result.has_value() ? 1 : 0;
      if (result) {
        EXPECT_TRUE(parse_json(to_text(*result)).has_value()) << text;
      } else {
        EXPECT_LE(result.error().offset, text.size());
      }
    }
  }
  EXPECT_GT(accepted, 0u);
}

TEST(Json, written_text_reads_back_the_same) {
  const std::string once = to_text(parsed(kEverything));
  EXPECT_EQ(once, to_text(parsed(once)));
  EXPECT_EQ(to_text(parsed(R"( { "a" : [ 1.50 , "x" , { } ] } )")), R"({"a":[1.50,"x",{}]})");
}

TEST(Utf8, is_what_has_no_fault) {
  const std::string long_text(100, 'a');
  for (const std::string& text : {std::string(), std::string("\0", 1), std::string("\xc3\xbc"), long_text + "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text));
    EXPECT_EQ(utf8_fault(text), text.size());
  }
  for (const char* bad : {"\xff", "\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
    EXPECT_FALSE(is_utf8(long_text + bad));
    EXPECT_EQ(utf8_fault(long_text + bad), long_text.size());
  }
}

TEST(Json, quoting_escapes_controls_and_replaces_what_is_not_utf8) {
  EXPECT_EQ(json_quote("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
  EXPECT_EQ(json_quote("\xFFé\xE2\x82"), "\"\xEF\xBF\xBDé\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(Json, duplicate_names_are_kept_in_order_where_they_are_allowed) {
  const auto root = parse_json(R"({"a":1,"b":2,"a":3})", {.allow_duplicate_names = true});
  ASSERT_TRUE(root.has_value()) << root.error().message;
  ASSERT_EQ(root->members.size(), 3U);
  EXPECT_EQ(root->members[2].name, "a");
  EXPECT_EQ(root->members[2].value.text, "3");
}

TEST(Json, a_number_beyond_the_doubles_keeps_its_literal_where_that_is_allowed) {
  const auto root = parse_json("[1e400,-1e400]", {.allow_infinite_numbers = true});
  ASSERT_TRUE(root.has_value()) << root.error().message;
  EXPECT_EQ(root->items[0].number, std::numeric_limits<double>::infinity());
  EXPECT_EQ(root->items[1].number, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(root->items[1].text, "-1e400");
}

TEST(Json, depth_and_number_of_values_are_what_the_caller_allows) {
  EXPECT_TRUE(parse_json("[[[]]]", {.depth_max = 3}).has_value());
  EXPECT_EQ(parse_json("[[[]]]", {.depth_max = 2}).error().message, "nested deeper than 2 levels");
  EXPECT_TRUE(parse_json("[1,2]", {.values_max = 3}).has_value());
  EXPECT_FALSE(parse_json("[1,2,3]", {.values_max = 3}).has_value());
}

}  // namespace
}  // namespace sluice::core
