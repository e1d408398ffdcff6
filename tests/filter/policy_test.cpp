// What a policy's text becomes: matchers decoded, paths joined, `$or` expanded.
#include <cmath>
#include <limits>

#include "filter/policies.hpp"

namespace sluice::test {
namespace {

using core::CidrBlock;
using core::IpAddress;
using core::MatcherKind;
using core::NumericRange;
using core::ValueMatcher;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Paths and numbers of matchers of each branch: "a:1 b.c:2 | a:1".
std::string shape_of(const core::FilterPolicy& policy) {
  std::string shape;
  for (const core::FilterBranch& branch : policy.branches) {
    shape += shape.empty() ? "" : " |";
    for (const core::FilterClause& clause : branch.clauses) {
      shape +=
          (shape.empty() ? "" : " ") + clause.path + ":" + std::to_string(clause.matchers.size());
    }
  }
  return shape;
}

ValueMatcher text(MatcherKind kind, std::string_view operand) {
  return {.kind = kind, .text = std::string(operand)};
}

ValueMatcher pattern(std::vector<std::string> pieces) {
  return {.kind = MatcherKind::wildcard, .pieces = std::move(pieces)};
}

ValueMatcher number(double operand, std::string_view literal = "") {
  return {.kind = MatcherKind::exact_number, .text = std::string(literal), .number = operand};
}

ValueMatcher but(std::vector<ValueMatcher> excluded) {
  return {.kind = MatcherKind::anything_but, .excluded = std::move(excluded)};
}

struct Case {
  std::string_view element;
  ValueMatcher matcher;
};

void expect_matchers(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(matcher_of(c.element), c.matcher) << c.element;
  }
}

TEST(Policy, strings_are_unescaped_and_literals_told_apart) {
  expect_matchers({{R"("a\u00e9\n")", text(MatcherKind::exact_string, "aé\n")},
                   {R"("")", text(MatcherKind::exact_string, "")},
                   {"true", {.kind = MatcherKind::literal_true}},
                   {"false", {.kind = MatcherKind::literal_false}},
                   {"null", {.kind = MatcherKind::literal_null}},
                   {R"({"exactly":"x"})", text(MatcherKind::exact_string, "x")},
                   {R"({"prefix":""})", text(MatcherKind::prefix, "")},
                   {R"({"suffix":".png"})", text(MatcherKind::suffix, ".png")},
                   {R"({"exists":true})", {.kind = MatcherKind::exists}},
                   {R"({"exists":false})", {.kind = MatcherKind::absent}}});
}

TEST(Policy, numbers_are_rounded_to_binary64_and_keep_their_text_beyond_it) {
  expect_matchers({{"300", number(300)},
                   {"3.0e2", number(300)},
                   {"0.1", number(0.1)},
                   {"9007199254740993", number(9007199254740992.0)},
                   {"123456789012345678901234567890", number(123456789012345678901234567890.0)},
                   {"1e400", number(kInfinity, "1e400")},
                   {"-1e400", number(-kInfinity, "-1e400")},
                   {R"({"numeric":["=",300]})", number(300)}});
  EXPECT_FALSE(std::signbit(matcher_of("-0.0").number));
  EXPECT_FALSE(std::signbit(matcher_of(R"({"numeric":["=",-0]})").number));
}

TEST(Policy, case_blind_operands_are_folded) {
  expect_matchers(
      {{R"({"equals-ignore-case":"ÉCOLE Ж"})", text(MatcherKind::equals_ignore_case, "école ж")},
       {R"({"prefix":{"equals-ignore-case":"Ab"}})", text(MatcherKind::prefix_ignore_case, "ab")},
       {R"({"suffix":{"equals-ignore-case":".PNG"}})",
        text(MatcherKind::suffix_ignore_case, ".png")}});
}

TEST(Policy, wildcards_are_split_at_their_stars_and_simple_ones_become_plain_matchers) {
  expect_matchers({{R"({"wildcard":"a*b*c"})", pattern({"a", "b", "c"})},
                   {R"({"wildcard":"*b*"})", pattern({"", "b", ""})},
                   {R"({"wildcard":"a*b\\*\\\\c"})", pattern({"a", R"(b*\c)"})},
                   {R"({"wildcard":"*\\*"})", text(MatcherKind::suffix, "*")},
                   {R"({"wildcard":"a*"})", text(MatcherKind::prefix, "a")},
                   {R"({"wildcard":"*"})", text(MatcherKind::prefix, "")},
                   {R"({"wildcard":"a\\*?["})", text(MatcherKind::exact_string, "a*?[")},
                   {R"({"wildcard":""})", text(MatcherKind::exact_string, "")}});
}

TEST(Policy, numeric_expressions_become_ranges) {
  const auto range = [](NumericRange r) {
    return ValueMatcher{.kind = MatcherKind::numeric_range, .range = r};
  };
  expect_matchers({{R"({"numeric":[">",1]})", range({1, kInfinity, false, false})},
                   {R"({"numeric":[">=",-1.5e1]})", range({-15, kInfinity, true, false})},
                   {R"({"numeric":["<",1]})", range({-kInfinity, 1, false, false})},
                   {R"({"numeric":["<=",1]})", range({-kInfinity, 1, false, true})},
                   {R"({"numeric":[">=",0,"<",5]})", range({0, 5, true, false})},
                   {R"({"numeric":[">",0,"<=",5]})", range({0, 5, false, true})}});
}

TEST(Policy, address_blocks_lose_their_host_bits_and_bare_addresses_are_blocks_of_one) {
  const auto block = [](IpAddress network, int bits) {
    return ValueMatcher{.kind = MatcherKind::cidr, .block = CidrBlock{network, bits}};
  };
  const auto v4 = IpAddress::Family::v4, v6 = IpAddress::Family::v6;
  expect_matchers(
      {{R"({"cidr":"192.0.2.77/24"})", block({v4, {192, 0, 2}}, 24)},
       {R"({"cidr":"10.255.0.0/+9"})", block({v4, {10, 128}}, 9)},
       {R"({"cidr":"0.0.0.0/0"})", block({v4, {}}, 0)},
       {R"({"cidr":"2001:db8:ffff::/33"})", block({v6, {0x20, 0x01, 0x0d, 0xb8, 0x80}}, 33)},
       {R"("010.000.000.001")", block({v4, {10, 0, 0, 1}}, 32)},
       {R"("::")", block({v6, {}}, 128)},
       {R"("10.0.0.256")", text(MatcherKind::exact_string, "10.0.0.256")},
       {R"({"exactly":"10.0.0.1"})", text(MatcherKind::exact_string, "10.0.0.1")}});
}

TEST(Policy, anything_but_holds_what_it_excludes) {
  const auto exact = [](std::string_view s) { return text(MatcherKind::exact_string, s); };
  expect_matchers(
      {{R"({"anything-but":"10.0.0.1"})", but({exact("10.0.0.1")})},
       {R"({"anything-but":["a","b"]})", but({exact("a"), exact("b")})},
       {R"({"anything-but":[1,2.5]})", but({number(1), number(2.5)})},
       {R"({"anything-but":{"prefix":["a","b"]}})",
        but({text(MatcherKind::prefix, "a"), text(MatcherKind::prefix, "b")})},
       {R"({"anything-but":{"suffix":"a"}})", but({text(MatcherKind::suffix, "a")})},
       {R"({"anything-but":{"equals-ignore-case":"A"}})",
        but({text(MatcherKind::equals_ignore_case, "a")})},
       {R"({"anything-but":{"wildcard":["a*b","c"]}})", but({pattern({"a", "b"}), exact("c")})}});
}

TEST(Policy, nested_names_are_joined_and_paths_sorted) {
  EXPECT_EQ(shape_of(policy_of(R"({"z":[1],"a":{"c":{"d":[1,2]},"b":["x"]}})")),
            "a.b:1 a.c.d:2 z:1");
  EXPECT_EQ(policy_of(R"({"a":{"b":[1]}})"), policy_of(R"({"a.b":[1]})"));
  EXPECT_EQ(shape_of(policy_of(R"({"":{"":[1]}})")), ".:1");
}

TEST(Policy, of_two_leaves_with_one_path_the_last_counts_and_objects_are_merged) {
  EXPECT_EQ(policy_of(R"({"a":[1,2],"a":[3]})"), policy_of(R"({"a":[3]})"));
  EXPECT_EQ(policy_of(R"({"a.b":[1],"a":{"b":[3]}})"), policy_of(R"({"a":{"b":[3]}})"));
  EXPECT_EQ(shape_of(policy_of(R"({"a":{"b":[1]},"a":{"c":[2]}})")), "a.b:1 a.c:1");
}

TEST(Policy, or_forks_every_branch_and_shares_what_stands_beside_it) {
  EXPECT_EQ(shape_of(policy_of(R"({"s":[1],"$or":[{"a":[1]},{"b":[1,2]}]})")), "a:1 s:1 | b:2 s:1");
  EXPECT_EQ(
      shape_of(policy_of(R"({"d":{"$or":[{"a":[1]},{"b":[1]}]},"$or":[{"x":[1]},{"y":[1]}]})")),
      "d.a:1 x:1 | d.b:1 x:1 | d.a:1 y:1 | d.b:1 y:1");
  EXPECT_EQ(shape_of(policy_of(R"({"$or":[{"a":[1],"$or":[{"b":[1]},{"c":[1]}]},{"d":[1]}]})")),
            "a:1 b:1 | a:1 c:1 | d:1");
  EXPECT_EQ(shape_of(policy_of(R"({"a":[1],"$or":[{"a":[1,2]},{"b":[1]}]})")), "a:2 | a:1 b:1");
}

TEST(Policy, or_is_an_ordinary_name_unless_it_holds_two_objects_without_reserved_names) {
  EXPECT_EQ(shape_of(policy_of(R"({"$or":["x","y"]})")), "$or:2");
  EXPECT_EQ(shape_of(policy_of(R"({"$or":{"a":["x"]}})")), "$or.a:1");
  EXPECT_EQ(shape_of(policy_of(R"({"$or":[{"prefix":"x"},{"suffix":"y"}]})")), "$or:2");
  EXPECT_EQ(shape_of(policy_of(R"({"$or":[{"a":[{"prefix":"x"}]},{"b":["x"]}]})")), "a:1 | b:1");
  EXPECT_NE(fault_of(R"({"$or":[{"a":{"regex":["x"]}},{"b":["x"]}]})"), "");
}

TEST(Policy, no_text_means_no_filtering_and_so_does_an_empty_object_on_sns) {
  EXPECT_EQ(policy_of("").branches, std::vector<core::FilterBranch>(1));
  EXPECT_EQ(policy_of("{}", kAttributes, kSns).branches, std::vector<core::FilterBranch>(1));
  EXPECT_EQ(fault_of("{}"), "1:1: Empty objects are not allowed");
}

TEST(Policy, keeps_its_scope) {
  EXPECT_EQ(policy_of(R"({"a":[1]})", kAttributes).scope, kAttributes);
  EXPECT_EQ(policy_of("", kBody).scope, kBody);
}

}  // namespace
}  // namespace sluice::test
