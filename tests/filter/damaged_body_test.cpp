// Bodies with damage in a value that a policy looks at: they match nothing, and nothing is thrown.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "filter/compiled.hpp"
#include "filter/policies.hpp"

namespace sluice::test {
namespace {

using Numbers = std::vector<std::uint32_t>;

TEST(DamagedBody, a_value_that_is_no_json_matches_nothing) {
  for (const char* value : {"nope",
                            "nul",
                            "nulll",
                            "n",
                            "tru",
                            "truee",
                            "fals",
                            "01",
                            "-01",
                            "1.",
                            "-",
                            "1.e5",
                            "1e",
                            "+1",
                            "00",
                            "-.5",
                            ".5",
                            "0x1",
                            "1.5.",
                            "12345678901234567.",
                            "0123456789012345678"}) {
    Compiled filter({R"({"k":[{"exists":true}]})"});
    EXPECT_EQ(filter.match_body(std::string("{\"k\":") + value + "}"), Numbers{}) << value;
    EXPECT_EQ(filter.match_body(std::string("{\"k\":[") + value + "]}"), Numbers{}) << value;
  }
}

/// In attributes and bodies: the reader has ways of its own for short numbers.
TEST(Numbers, are_what_strtod_says_however_they_are_written) {
  EXPECT_TRUE(rc::check("numbers", [] {
    const auto digits = [](int most) { return std::to_string(*rc::gen::inRange(0, most)); };
    std::string text = (*rc::gen::arbitrary<bool>() ? "-" : "") + digits(2'000'000'000);
    if (*rc::gen::arbitrary<bool>())
      text += "." + std::string(static_cast<std::size_t>(*rc::gen::inRange(0, 6)), '0') +
              digits(2'000'000'000);
    if (*rc::gen::inRange(0, 4) == 0)
      text += "e" + std::to_string(*rc::gen::inRange(-20, 20));
    const core::MessageText message{.body = "{\"k\":" + text + "}",
                                    .attributes = {{"k", text, SLUICE_NUMBER}}};
    char exact[40];
    std::snprintf(exact, sizeof exact, "%.17g", std::strtod(text.c_str(), nullptr));
    const std::string policy = std::string("{\"k\":[") + exact + "]}";
    for (const auto scope : {kBody, kAttributes})
      RC_ASSERT(!Compiled(scope, {policy_of(policy, scope)}).match(message).empty());
  }));
}

TEST(DamagedBody, a_number_too_small_for_a_double_is_zero) {
  Compiled filter({R"({"k":[0]})"});
  EXPECT_EQ(filter.match_body("{\"k\":0." + std::string(400, '0') + "1}"), Numbers{0});
  EXPECT_EQ(filter.match_body("{\"k\":1e-999999999}"), Numbers{0});
}

}  // namespace
}  // namespace sluice::test
