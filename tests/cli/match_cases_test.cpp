// `sluice match --cases` by the real binary: what is counted, what is printed, and the exit codes.
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace sluice::core {
namespace {

using nlohmann::json;

Said match_cases(const std::string& lines, std::vector<std::string> words = {}) {
  words.insert(words.begin(), {"match", "--cases", "-"});
  return run_sluice(words, lines);
}

/// A case that holds, with `changes`.
std::string line(const json& changes = {}) {
  json made = {{"id", "fp-1"},
               {"scope", "MessageBody"},
               {"policy", R"({"a":[1]})"},
               {"message", {{"attributes", json::object()}, {"body", R"({"a":1})"}}},
               {"expect", true},
               {"profile", "both"}};
  if (!changes.is_null())
    made.merge_patch(changes);  // null removes a key
  return made.dump() + "\n";
}

TEST(MatchCases, a_case_that_agrees_is_counted_and_not_printed) {
  const Said said = match_cases(line() + line({{"op", "exact"}, {"note", 5}}));
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "2 passed, 0 failed\n");
}

TEST(MatchCases, a_case_that_disagrees_is_a_line_with_its_id_and_why) {
  const Said said = match_cases(line() + line({{"id", "fp-2"}, {"expect", false}}));
  EXPECT_EQ(said.exit, 1);
  EXPECT_EQ(said.out,
            "fp-2: expected false, got true under sns and extended (+ \"a\": 1 matches 1)\n"
            "1 passed, 1 failed\n");
}

TEST(MatchCases, both_passes_only_under_both_profiles) {
  const json suffix = {{"policy", R"({"a":[{"anything-but":{"suffix":"x"}}]})"}};
  EXPECT_EQ(match_cases(line(suffix)).out,
            "fp-1: expected true, got invalid-policy: 1:24: Unsupported anything-but pattern: "
            "suffix under sns\n"
            "0 passed, 1 failed\n");
  json ruler = suffix;
  ruler["profile"] = "ruler";
  EXPECT_EQ(match_cases(line(ruler)).out, "1 passed, 0 failed\n");
}

TEST(MatchCases, an_invalid_policy_is_held_against_its_error) {
  const json invalid = {{"policy", R"({"a":[]})"}, {"expect", "invalid-policy"}};
  json right = invalid, wrong = invalid;
  right["error"] = "arrays are not";
  wrong["error"] = "Empty objects";
  EXPECT_EQ(match_cases(line(invalid) + line(right) + line(wrong)).out,
            "fp-1: expected invalid-policy with \"Empty objects\", got invalid-policy, but: "
            "1:6: Empty arrays are not allowed under sns and extended\n"
            "2 passed, 1 failed\n");
  EXPECT_EQ(match_cases(line({{"expect", "invalid-policy"}})).exit, 1);
}

TEST(MatchCases, an_unknown_scope_refuses_the_policy_as_sns_does) {
  EXPECT_EQ(match_cases(line({{"scope", "RandomValue"},
                              {"expect", "invalid-policy"},
                              {"error",
                               "Invalid value [RandomValue]. Please use either MessageBody or "
                               "MessageAttributes"}}))
                .out,
            "1 passed, 0 failed\n");
}

TEST(MatchCases, the_policy_is_text_whose_spelling_counts) {
  EXPECT_EQ(match_cases(line({{"policy", R"({"a":[1],"a":[2]})"}, {"expect", false}}) +
                        line({{"policy", R"({"\u0061":["\u00e9\ud83d\ude00"]})"},
                              {"message", {{"body", "{\"a\":\"é😀\"}"}}}}) +
                        line({{"policy", R"({"a":[1],})"}, {"expect", "invalid-policy"}}))
                .out,
            "3 passed, 0 failed\n");
}

TEST(MatchCases, tier_c_is_told_apart_and_not_counted) {
  const Said said = match_cases(line() + line({{"id", "fp-3"}, {"tier", "C"}, {"expect", false}}) +
                                line({{"tier", "C"}}));
  EXPECT_EQ(said.exit, 0);
  EXPECT_EQ(
      said.out,
      "contested: fp-3: expected false, got true under sns and extended (+ \"a\": 1 matches 1)\n"
      "contested (tier C, not counted): 1 agree, 1 do not\n"
      "1 passed, 0 failed\n");
}

TEST(MatchCases, a_line_that_is_no_case_is_named_and_has_failed) {
  for (const std::string& bad :
       {std::string("no json\n"), std::string("[]\n"), line({{"policy", nullptr}}),
        line({{"expect", "maybe"}}), line({{"profile", "all"}}), line({{"message", "text"}}),
        line({{"id", nullptr}})}) {
    const Said said = match_cases(line() + "\n" + bad + line());
    EXPECT_EQ(said.exit, 1) << bad;
    EXPECT_EQ(said.out, "2 passed, 1 failed\n") << bad;
    EXPECT_TRUE(said.err.starts_with("stdin:3:")) << said.err;
  }
}

TEST(MatchCases, a_message_may_be_empty) {
  const Said said = match_cases(
      R"({"id":"e","scope":"MessageAttributes","policy":"{\"a\":[{\"exists\":false}]}",)"
      R"("message":{},"expect":true,"profile":"both"})"
      "\n" +
      line({{"message", {{"attributes", 5}}}, {"policy", "{"}, {"expect", "invalid-policy"}}));
  EXPECT_EQ(said.out, "2 passed, 0 failed\n") << said.err;
}

TEST(MatchCases, explain_puts_all_reasons_below) {
  EXPECT_EQ(match_cases(line({{"policy", R"({"a":[2],"b":[1]})"}}), {"--explain"}).out,
            "fp-1: expected true, got false under sns and extended\n"
            "  - \"a\": 1; wanted 2\n"
            "  - \"b\": no field; wanted 1\n"
            "0 passed, 1 failed\n");
}

TEST(MatchCases, an_id_reaches_the_terminal_without_control_characters) {
  EXPECT_TRUE(match_cases(line({{"id", "a\n\x1B[31m"}, {"expect", false}}))
                  .out.starts_with("a??[31m: expected"));
}

TEST(MatchCases, the_conformance_file_holds_whole) {
  const char* corpora = std::getenv("SLUICE_CORPORA");
  const auto file = std::filesystem::path(corpora == nullptr ? "" : corpora) /
                    "../conformance/filter-policies.jsonl";
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "skipped: corpus not found";
  const Said said = run_sluice({"match", "--cases", file});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out,
            "contested (tier C, not counted): 8 agree, 0 do not\n1058 passed, 0 failed\n");
}

}  // namespace
}  // namespace sluice::core
