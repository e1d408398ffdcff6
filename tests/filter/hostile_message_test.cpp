// Messages made to take a matcher's time. What is counted is its steps, not the clock.
#include <fmt/format.h>

#include <string>

#include "filter/compiled.hpp"
#include "filter/piece_finder.hpp"
#include "filter/policies.hpp"

namespace sluice::test {
namespace {

using Numbers = std::vector<std::uint32_t>;

constexpr int kElements = 4000;
constexpr std::string_view kFiveKeys = R"({"a":{"v":[1],"w":[1],"x":[1],"y":[1],"z":[1]}})";

TEST(HostileMessage, five_clauses_that_never_meet_in_one_of_many_elements_take_linear_time) {
  Compiled filter({kFiveKeys});
  const auto lacking = [](int i) {
    std::string element = R"("v":1,"w":1,"x":1,"y":1,"z":1)";
    element[static_cast<std::size_t>(i % 5) * 6 + 4] = '2';
    return "{" + element + "}";
  };
  EXPECT_EQ(filter.match_body(R"({"a":[)" + many(kElements, lacking) + "]}"), Numbers{});
  EXPECT_TRUE(filter.was_told());
  EXPECT_LT(filter.steps(), 30U * kElements);
  const std::string good =
      R"({"a":[)" + many(kElements, lacking) + R"(,{"v":1,"w":1,"x":1,"y":1,"z":1}]})";
  EXPECT_EQ(filter.match_body(good), Numbers{0});
}

TEST(HostileMessage, clauses_in_different_arrays_take_linear_time) {
  Compiled filter({R"({"a":{"x":[1]},"b":{"x":[1]},"c":{"x":[1]},"d":{"x":[1],"y":[1]}})"});
  const std::string same = "[" + many(kElements / 4, [](int) { return R"({"x":1})"; }) + "]";
  const std::string never =
      "[" + many(kElements / 4, [](int i) { return i % 2 == 0 ? R"({"x":1})" : R"({"y":1})"; }) +
      "]";
  const std::string body = fmt::format(R"({{"a":{0},"b":{0},"c":{0},"d":{1}}})", same, never);
  EXPECT_EQ(filter.match_body(body), Numbers{});
  EXPECT_TRUE(filter.was_told());
  EXPECT_LT(filter.steps(), 30U * kElements);
}

TEST(HostileMessage, absence_beside_a_chosen_element_takes_linear_time) {
  Compiled filter({R"({"a":{"b":[1],"c":[{"exists":false}]}})"});
  const auto both = [](int) { return R"({"b":1,"c":1})"; };
  EXPECT_EQ(filter.match_body(R"({"a":[)" + many(kElements, both) + "]}"), Numbers{});
  EXPECT_LT(filter.steps(), 30U * kElements);
  EXPECT_EQ(filter.match_body(R"({"a":[)" + many(kElements, both) + R"(,{"b":1}]})"), Numbers{0});
}

TEST(HostileMessage, one_whose_members_come_twice_counts_as_no_json_beyond_the_bound) {
  Compiled filter({kFiveKeys, ""});
  const auto each = [](int i) { return fmt::format(R"({{"{}":1}})", "vwxyz"[i % 4]); };
  const std::string array = R"("a":[)" + many(kElements, each) + "]";
  EXPECT_EQ(filter.match_body("{" + array + "," + array + R"(,"a":[{"z":1}]})"), Numbers{1});
  EXPECT_FALSE(filter.was_told());
  EXPECT_LT(filter.steps(), 2U << 20);
  EXPECT_EQ(filter.match_body(R"({"a":[{"v":1,"w":1}],"a":{"x":1,"y":1},"a":[{},{"z":1}]})"),
            (Numbers{0, 1}));
  EXPECT_TRUE(filter.was_told());
}

TEST(HostileMessage, a_policy_that_cannot_be_told_takes_nothing_from_the_others) {
  Compiled filter({kFiveKeys, R"({"k":["x"]})", R"({"k":["x"],"b":[{"exists":false}]})"});
  const auto each = [](int i) { return fmt::format(R"({{"{}":1}})", "vwxyz"[i % 4]); };
  const std::string array = R"("a":[)" + many(kElements, each) + "]";
  const std::string body = R"({"k":"x",)" + array + "," + array + R"(,"a":[{"z":1}]})";
  EXPECT_EQ(filter.match_body(body), (Numbers{1, 2}));
  EXPECT_FALSE(filter.was_told());
}

TEST(HostileMessage, a_damaged_value_takes_nothing_from_policies_that_do_not_name_it) {
  Compiled filter({R"({"a":["x"]})", R"({"b":[{"exists":true}]})", R"({"b":[{"exists":false}]})"});
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  for (const std::string& value : {std::string(R"("\ud800")"), std::string("01"),
                                   std::string("tru"), std::string(R"("\q")"), deep}) {
    EXPECT_EQ(filter.match_body(R"({"a":"x","b":)" + value + "}"), Numbers{0}) << value;
    EXPECT_FALSE(filter.was_told()) << value;
  }
}

/// Multiples of a prime that a hash table of so many numbers may have for its size.
TEST(HostilePolicy, numbers_that_would_collide_unseeded_are_built_as_quickly_as_others) {
  const auto policy = [](std::uint64_t step) {
    core::FilterPolicy made{.scope = kBody,
                            .branches = {{.clauses = {{.path = "k", .matchers = {}}}}}};
    for (std::uint64_t i = 1; i < 40'000; ++i) {
      core::ValueMatcher& matcher = made.branches[0].clauses[0].matchers.emplace_back();
      matcher.kind = core::MatcherKind::exact_number;
      matcher.number = std::bit_cast<double>((std::uint64_t{1023} << 52) + i * step);
    }
    return made;
  };
  const auto seconds = [](core::FilterPolicy made) {
    const std::clock_t begin = std::clock();
    EXPECT_TRUE(core::CompiledFilter::compile({std::move(made)}).has_value());
    return static_cast<double>(std::clock() - begin);
  };
  EXPECT_LT(seconds(policy(std::uint64_t{13} * 29 * 59 * 127 * 257 * 541)),
            20 * seconds(policy(1)) + CLOCKS_PER_SEC);
}

TEST(HostileMessage, one_that_takes_many_policies_too_long_together_is_given_up) {
  std::vector<core::FilterPolicy> policies(2000, policy_of(kFiveKeys));
  Compiled filter(kBody, std::move(policies));
  const auto each = [](int i) { return fmt::format(R"({{"{}":1}})", "vwxyz"[i % 5]); };
  EXPECT_EQ(filter.match_body(R"({"a":[)" + many(4 * kElements, each) + "]}"), Numbers{});
  EXPECT_FALSE(filter.was_told());
  EXPECT_LT(filter.steps(), core::kMatchStepsMax + 2000 * core::kBranchStepsMax + (1 << 20));
  EXPECT_EQ(filter.match_body(R"({"a":{"v":1,"w":1,"x":1,"y":1,"z":1}})").size(), 2000U);
}

TEST(HostileMessage, a_piece_that_occurs_often_is_found_once) {
  core::PieceFinder finder;
  std::string piece;
  for (int i = 0; i < 1000; ++i) {
    finder.add(piece += 'a');
  }
  finder.finish();
  std::vector<std::uint8_t> is_found(finder.size(), 0);
  std::vector<std::uint32_t> found;
  finder.find(std::string(100'000, 'a'), is_found, found);
  EXPECT_EQ(found.size(), 1000U);
}

TEST(HostileMessage, one_long_value_with_the_pieces_of_all_patterns_is_given_up) {
  std::vector<core::FilterPolicy> policies;
  std::string value;
  for (int i = 0; i < 1000; ++i) {
    policies.push_back(policy_of(fmt::format(R"({{"k":[{{"wildcard":"*/{:03}/*.x"}}]}})", i)));
    value += fmt::format("/{:03}/", i);
  }
  Compiled filter(kBody, std::move(policies));
  EXPECT_EQ(filter.match_body(R"({"k":")" + value + R"(.x"})").size(), 1000U);
  value += std::string(1 << 20, 'y');
  EXPECT_EQ(filter.match_body(R"({"k":")" + value + R"(.x"})"), Numbers{});
  EXPECT_FALSE(filter.was_told());
  EXPECT_LT(filter.steps(), core::kMatchStepsMax + 1000 * core::kBranchStepsMax + (1 << 20));
}

TEST(HostileMessage, leaves_that_all_policies_exclude_take_time_by_their_number) {
  std::vector<core::FilterPolicy> policies;
  for (int i = 0; i < 1000; ++i) {
    policies.push_back(
        policy_of(R"({"k":[{"anything-but":["x"]},{"anything-but":{"prefix":["x"]}}]})"));
  }
  Compiled filter(kBody, std::move(policies));
  const auto x = [](int) { return R"("x")"; };
  EXPECT_EQ(filter.match_body(R"({"k":[)" + many(kElements, x) + "]}"), Numbers{});
  EXPECT_LT(filter.steps(), 50U * kElements);
  EXPECT_EQ(filter.match_body(R"({"k":[)" + many(kElements, x) + R"(,"xx"]})").size(), 1000U);
  EXPECT_EQ(filter.match_body(R"({"k":["y",)" + many(kElements, x) + "]}").size(), 1000U);
}

TEST(HostileMessage, one_with_more_fields_or_elements_than_the_bound_counts_as_no_json) {
  Compiled filter({R"({"k":{"v":[1]}})", R"({"a":[1]})"});
  const auto of = [](std::string_view each, std::size_t count) {
    std::string text = "1";
    for (std::size_t i = 1; i < count; ++i) {
      (text += ',') += each;
    }
    return fmt::format(R"({{"a":[{}],"k":{{"v":1}}}})", text);
  };
  EXPECT_EQ(filter.match_body(of("1", core::kFieldsMax - 1)), (Numbers{0, 1}));
  EXPECT_EQ(filter.match_body(of("1", core::kFieldsMax)), Numbers{});
  EXPECT_EQ(filter.match_body(of("[]", core::kFieldsMax + 1)), (Numbers{0, 1}));
  EXPECT_EQ(filter.match_body(of("[]", core::kFieldsMax + 2)), Numbers{});
}

TEST(HostileMessage, a_value_that_only_begins_like_a_literal_is_no_json) {
  Compiled filter({R"({"k":[{"exists":true}]})"});
  for (const std::string_view value :
       {"n", "nul", "nulL", "nullx", "[n\"a\"]", "t", "truE", "f", "falsey", "-", "1x", "[1 2]"}) {
    EXPECT_EQ(filter.match_body(fmt::format(R"({{"k":{}}})", value)), Numbers{}) << value;
    EXPECT_FALSE(filter.was_told()) << value;
  }
  EXPECT_EQ(filter.match_body(R"({"k":null})"), Numbers{0});
}

TEST(HostileMessage, a_branch_of_very_many_clauses_is_checked_without_deep_recursion) {
  const auto member = [](int i) { return fmt::format(R"("k{}":[1])", i); };
  const auto value = [](int i) { return fmt::format(R"("k{}":1)", i); };
  Compiled filter({"{\"a\":{" + many(20'000, member) + "}}"});
  EXPECT_EQ(filter.match_body("{\"a\":[{" + many(20'000, value) + "}]}"), Numbers{0});
}

}  // namespace
}  // namespace sluice::test
