// `sluice match` by the real binary (DESIGN §5): answers, reasons, cases, and the exit codes.
#include <unistd.h>

#include "program.hpp"

namespace sluice::core {
namespace {

const char* const kPolicy = R"({"event":["signup"]})";
const char* const kSignup = R"({"attributes":{"event":{"type":"String","value":"signup"}}})";

Said match(std::vector<std::string> words, const std::string& input = {}) {
  words.insert(words.begin(), "match");
  return run_sluice(words, input);
}

/// The answers for messages on stdin.
std::string answers(const std::string& policy, const std::string& scope, const std::string& input) {
  const Said said = match({"--policy", policy, "--scope", scope}, input);
  EXPECT_EQ(said.exit, 0) << said.err;
  return said.out;
}

TEST(Match, each_message_is_answered_true_or_false) {
  const Said said = match({"--policy", kPolicy}, std::string(kSignup) + "\n" +
                                                     R"({"attributes":{"event":"login"}})" + "\n" +
                                                     R"({"body":"no attributes"})" + "\n");
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "true\nfalse\nfalse\n");
}

TEST(Match, attributes_in_short_are_string_number_and_string_array) {
  EXPECT_EQ(answers(R"({"n":[{"numeric":[">",1]}],"s":["2"],"l":["b"]})", "MessageAttributes",
                    R"({"attributes":{"n":2.5,"s":"2","l":["a","b"]}})"),
            "true\n");
  EXPECT_EQ(answers(R"({"n":[{"numeric":[">",1]}]})", "MessageAttributes",
                    R"({"attributes":{"n":"2.5"}})"),
            "false\n");
}

TEST(Match, a_binary_attribute_is_as_if_absent) {
  EXPECT_EQ(answers(R"({"k":[{"exists":false}]})", "MessageAttributes",
                    R"({"attributes":{"k":{"type":"Binary","value":"aGVsbG8="}}})"),
            "true\n");
}

TEST(Match, the_body_is_looked_at_where_the_scope_says_so) {
  EXPECT_EQ(answers(R"({"a":{"b":[1]}})", "MessageBody",
                    "{\"body\":\"{\\\"a\\\":{\\\"b\\\":1}}\"}\n"    // text
                    "{\"body\":{\"a\":{\"b\":1.0}}}\n"              // JSON in place
                    "{\"body_base64\":\"eyJhIjp7ImIiOjF9fQ==\"}\n"  // bytes
                    "{\"attributes\":{\"a.b\":1}}\n"),
            "true\ntrue\ntrue\nfalse\n");
}

TEST(Match, the_empty_policy_takes_every_message) {
  Folder folder;
  write_text(folder / "empty.json", "");
  EXPECT_EQ(answers("", "MessageBody", R"({"body":"no JSON"})"), "true\n");
  EXPECT_EQ(answers(folder / "empty.json", "MessageBody", R"({"body":"no JSON"})"), "true\n");
}

TEST(Match, the_policy_may_be_a_file_and_so_may_the_messages) {
  Folder folder;
  write_text(folder / "policy.json", kPolicy);
  write_text(folder / "a", kSignup);
  write_text(folder / "b", std::string(kSignup) + "\r\n\r\n" + kSignup + "\r\n");
  const Said said =
      match({"--policy", folder / "policy.json", folder / "a", folder / "b", "-"}, kSignup);
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "true\ntrue\ntrue\ntrue\n") << "blank lines are none";
}

TEST(Match, the_profile_decides_which_operators_there_are) {
  const std::string policy = R"({"k":[{"anything-but":{"suffix":"x"}}]})";
  const std::string message = R"({"attributes":{"k":"y"}})";
  const Said sns = match({"--policy", policy}, message);
  EXPECT_EQ(sns.exit, 65);
  EXPECT_TRUE(has(sns.err, "Unsupported anything-but pattern: suffix")) << sns.err;
  EXPECT_EQ(match({"--policy", policy, "--profile", "extended"}, message).out, "true\n");
}

TEST(Match, an_answer_is_out_before_the_next_message_is_waited_for) {
  Folder folder;
  const std::string in = folder / "in", out = folder / "out";
  ASSERT_EQ(::mkfifo(in.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
  const int answered = ::open(out.c_str(), O_RDONLY | O_NONBLOCK);
  Program program({"match", "--policy", kPolicy, in}, "", {}, out.c_str());
  const int messages = ::open(in.c_str(), O_WRONLY);
  ::fcntl(answered, F_SETFL, 0);
  const std::string line = std::string(kSignup) + "\n";
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(::write(messages, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    char answer[6] = {};
    ASSERT_EQ(::read(answered, answer, 5), 5);
    EXPECT_STREQ(answer, "true\n");
  }
  ::close(messages);
  EXPECT_EQ(program.wait().exit, 0);
  ::close(answered);
}

TEST(Match, explain_tells_the_clauses_below_each_answer) {
  const Said said =
      match({"--policy", R"({"event":["signup"],"plan":[{"prefix":"pro"}]})", "--explain"},
            R"({"attributes":{"event":"signup","plan":"free"}})");
  EXPECT_EQ(said.out,
            "false\n"
            "  + \"event\": \"signup\" matches \"signup\"\n"
            "  - \"plan\": \"free\"; wanted {\"prefix\":\"pro\"}\n");
}

TEST(Match, explain_tells_what_is_wrong_with_a_body) {
  const Said said = match({"--policy", R"({"a":[1]})", "--scope", "MessageBody", "--explain"},
                          "{\"body\":\"plain text\"}\n{\"body\":[1]}\n");
  EXPECT_EQ(said.out,
            "false\n  - invalid body: byte 1: \"plain\" is no JSON value\n"
            "false\n  - invalid body: it is an array, and a filter takes objects only\n");
}

TEST(Match, explain_tells_of_attributes_that_filters_do_not_see) {
  const Said binary = match({"--policy", R"({"k":[{"exists":true}]})", "--explain"},
                            R"({"attributes":{"k":{"type":"Binary","value":"aGVsbG8="}}})");
  EXPECT_TRUE(has(binary.out, "note: \"k\" is Binary, which filters ignore")) << binary.out;
  const Said none = match({"--policy", kPolicy, "--explain"}, R"({"body":{"event":"signup"}})");
  EXPECT_TRUE(has(none.out, "note: the message has no attributes")) << none.out;
}

TEST(Match, a_line_that_is_no_message_is_named_and_the_next_are_answered) {
  for (const char* line : {"x", "5", "[]", R"({"event":"signup"})", R"({"attributes":{"a":true}})",
                           R"({"attributes":[]})", "\xFF", R"({"body":1,"body":2})",
                           R"({"attributes":{"a":{"type":"Text","value":""}}})"}) {
    const Said said =
        match({"--policy", kPolicy}, std::string(kSignup) + "\n" + line + "\n" + kSignup);
    EXPECT_EQ(said.exit, 65) << line;
    EXPECT_EQ(said.out, "true\ntrue\n") << line;
    EXPECT_TRUE(said.err.starts_with("stdin:2:")) << line << said.err;
  }
}

TEST(Match, a_line_of_any_length_takes_bounded_memory) {
  Folder folder;
  write_text(folder / "long", std::string(kSignup) + "\n");
  std::filesystem::resize_file(folder / "long", std::uintmax_t{100} << 20);  // sparse
  std::ofstream(folder / "long", std::ios::app) << "\n" << kSignup;
  const Said said = match({"--policy", kPolicy, folder / "long"});
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(said.out, "true\ntrue\n");
  EXPECT_TRUE(has(said.err, "long:2: error: the line is longer than 16777216 bytes")) << said.err;
}

TEST(Match, a_bad_policy_is_shown_with_its_place) {
  Folder folder;
  write_text(folder / "policy.json", "{\r\n  \"k\": [{\"prefix\": 5}]\r\n}\r\n");
  const Said said = match({"--policy", folder / "policy.json"}, kSignup);
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(said.out, "");
  EXPECT_TRUE(has(said.err,
                  "policy.json:2:20: error: prefix match pattern must be a string\n"
                  "    \"k\": [{\"prefix\": 5}]\n"
                  "                     ^\n"))
      << said.err;
}

struct BadPolicy {
  const char* name;
  std::string policy;
  const char* part;
};

class MatchPolicy : public testing::TestWithParam<BadPolicy> {};

TEST_P(MatchPolicy, is_refused_as_bad_data) {
  const Said said = match({"--policy", GetParam().policy}, kSignup);
  EXPECT_EQ(said.exit, 65) << said.err;
  EXPECT_TRUE(has(said.err, GetParam().part)) << said.err;
}

INSTANTIATE_TEST_SUITE_P(
    Table, MatchPolicy,
    testing::Values(
        BadPolicy{"that_is_torn", "{", "--policy:1:2: error: the document ends"},
        BadPolicy{"that_is_no_object", "[]", "--policy:1:1: error: Filter is not an object"},
        BadPolicy{"of_too_many_keys", R"({"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]})",
                  "Filter policy can not have more than 5 keys"},
        BadPolicy{"with_an_unknown_operator", R"({"a":[{"prefx":"x"}]})",
                  "--policy:1:8: error: Unrecognized match type prefx"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Match, a_policy_file_that_is_huge_is_refused) {
  Folder folder;
  write_text(folder / "huge", "{");
  std::filesystem::resize_file(folder / "huge", std::uintmax_t{1} << 30);  // sparse
  const Said said = match({"--policy", folder / "huge"}, kSignup);
  EXPECT_EQ(said.exit, 65);
  EXPECT_TRUE(has(said.err, "Filter policy is longer than 262144 bytes")) << said.err;
}

TEST(Match, a_reader_that_goes_away_ends_it) {
  EXPECT_EQ(run_sluice({"match", "--policy", kPolicy}, kSignup, {}, "/dev/full").exit, 74);
}

}  // namespace
}  // namespace sluice::core
