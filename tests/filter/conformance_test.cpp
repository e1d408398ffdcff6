// Every case of the conformance file (shared/conformance/filter-policies.jsonl, its format in
// shared/reference/filter-policies.md, section 14), under each profile that it names.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "filter/compiled.hpp"
#include "filter/parse_policy.hpp"
#include "filter/policies.hpp"
#include "filter/reference_matcher.hpp"

namespace sluice::test {
namespace {

using core::FilterProfile;
using core::Json;

std::vector<Json> cases() {
  const char* corpora = std::getenv("SLUICE_CORPORA");
  std::ifstream lines(std::filesystem::path(corpora == nullptr ? "" : corpora) /
                      "../conformance/filter-policies.jsonl");
  std::vector<Json> found;
  for (std::string line; std::getline(lines, line);) {
    found.push_back(core::parse_json(line).value());
  }
  return found;
}

/// How the case comes out otherwise than it expects; empty: it does not.
std::string disagreement(const Json& example, FilterProfile profile) {
  const bool body = example.find("scope")->text == "MessageBody";
  const Json& expected = *example.find("expect");
  const Json* error = example.find("error");
  const auto policy = core::parse_policy(
      example.find("policy")->text,
      body ? core::FilterScope::message_body : core::FilterScope::message_attributes, profile);
  if (expected.type == Json::Type::string) {
    if (policy) {
      return "is taken";
    }
    const bool said =
        error == nullptr || policy.error().text.find(error->text) != std::string::npos;
    return said ? "" : "says: " + policy.error().text;
  }
  if (!policy) {
    return "is refused: " + policy.error().text;
  }
  const auto message = core::message_from_json(*example.find("message"));
  if (reference_matches(*policy, message.value()) != expected.boolean) {
    return "matches wrongly";
  }
  Compiled compiled(body ? kBody : kAttributes, {*policy});
  return !compiled.match(message.value()).empty() == expected.boolean
             ? ""
             : "matches wrongly when compiled";
}

/// The same under every profile of the case, each with the profile's name.
std::vector<std::string> disagreements(const Json& example) {
  const std::string profiles = example.find("profile")->text;
  std::vector<std::string> found;
  for (const auto profile : {FilterProfile::sns, FilterProfile::extended}) {
    const std::string name = profile == FilterProfile::sns ? "sns" : "ruler";
    const std::string text =
        profiles == "both" || profiles == name ? disagreement(example, profile) : "";
    if (!text.empty()) {
      found.push_back(fmt::format("{} ({}): {} {}", example.find("id")->text, name,
                                  example.find("policy")->text, text));
    }
  }
  return found;
}

TEST(Conformance, every_case_of_tiers_a_and_b_holds_under_its_profiles) {
  const std::vector<Json> all = cases();
  if (all.empty()) {
    GTEST_SKIP() << "skipped: corpus not found";
  }
  for (const Json& example : all) {
    const bool contested = example.find("tier")->text == "C";
    for (const std::string& text : disagreements(example)) {
      if (contested) {
        std::printf("contested: %s\n", text.c_str());
      } else {
        ADD_FAILURE() << text;
      }
    }
  }
  EXPECT_GT(all.size(), 1000U);
}

}  // namespace
}  // namespace sluice::test
