// `sluice stage` by the real binary (DESIGN §5): what stands on stdout, on stderr, and the exit
// code.
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace sluice::core {
namespace {

using nlohmann::json;

/// `sluice stage WORDS` with the test components.
Said stage(std::vector<std::string> words, const std::string& input = {}) {
  words.insert(words.begin(), {"stage", "--plugin-dir", test_plugins()});
  return run_sluice(words, input);
}

TEST(Stage, a_single_body_goes_to_stdout_raw) {
  const Said said = stage({"test_upper"}, "some text");
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "SOME TEXT");
  EXPECT_EQ(said.err, "");
}

TEST(Stage, bytes_that_are_no_text_pass_unchanged) {
  const std::string body("\0\xFF\n\x80", 4);
  EXPECT_EQ(stage({"test_upper"}, body).out, body);
}

TEST(Stage, an_empty_file_is_one_message_with_an_empty_body) {
  const Said said = stage({"test_upper", "--jsonl"}, "");
  EXPECT_EQ(said.exit, 0);
  EXPECT_EQ(json::parse(said.out)["body"], "");
}

TEST(Stage, options_take_dashes_or_underscores_and_any_form) {
  const Said said = stage({"test_shape", "--width", "16", "--fit=cover", "--enlarge=false",
                           "--limit", "2KiB", "--sizes", "[1, 2]"});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "width=16 fit=cover enlarge=0 limit=2048 sizes=[1,2]");
}

TEST(Stage, a_flag_alone_is_true_and_takes_no_word) {
  Folder folder;
  write_text(folder / "f", "x");
  const Said said = stage({"test_shape", "--width=1", "--enlarge", folder / "f"});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_TRUE(has(said.out, "enlarge=1")) << said.out;
}

TEST(Stage, a_flag_takes_true_or_false_and_has_a_negation) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--enlarge=false"}, {"--enlarge", "false"}, {"--no-enlarge"}, {"--no_enlarge"}}) {
    std::vector<std::string> all{"test_shape", "--width=1"};
    all.insert(all.end(), words.begin(), words.end());
    const Said said = stage(all);
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_TRUE(has(said.out, "enlarge=0")) << words.front() << said.out;
  }
  EXPECT_TRUE(has(stage({"test_shape", "--width=1", "--no-enlarge", "--enlarge", "true"}).out,
                  "enlarge=1"));
}

TEST(Stage, a_body_over_the_stages_own_limit_is_refused_by_the_stage) {
  Folder folder;
  write_text(folder / "huge", "x");
  std::filesystem::resize_file(folder / "huge", (std::uintmax_t{1} << 30) + 5);  // sparse
  const Said said = run_sluice(
      {"stage", "image_resize", "--width=1", "--max-input-bytes", "1000B", folder / "huge"});
  EXPECT_EQ(said.exit, 65);
  const json line = json::parse(said.err);
  EXPECT_EQ(line["reason"], "limit_exceeded");
  EXPECT_TRUE(has(line["detail"], "no more than 1001 bytes of it were read")) << line;
}

TEST(Stage, a_body_that_just_fits_the_stages_own_limit_is_taken) {
  const Said said = run_sluice({"stage", "image_resize", "--width=1", "--max-input-bytes", "1000B"},
                               std::string(1000, 'x'));
  EXPECT_EQ(json::parse(said.err)["reason"], "unsupported_format") << said.err;
}

TEST(Stage, jsonl_prints_each_message_with_its_attributes) {
  const Said said =
      stage({"test_upper", "--jsonl", "--copies", "2", "--attribute", "color=blue"}, "a");
  ASSERT_EQ(said.exit, 0) << said.err;
  const json first = json::parse(said.out.substr(0, said.out.find('\n')));
  const json second = json::parse(said.out.substr(said.out.find('\n') + 1));
  EXPECT_EQ(first["body"], "A");
  EXPECT_EQ(first["attributes"]["color"], (json{{"type", "String"}, {"value", "blue"}}));
  EXPECT_EQ(first["attributes"]["copies"]["type"], "Number");
  EXPECT_NE(first["id"], second["id"]);
}

TEST(Stage, a_body_that_is_no_text_is_base64_in_json) {
  EXPECT_EQ(json::parse(stage({"test_upper", "--jsonl"}, "\xFF").out)["body_base64"], "/w==");
}

TEST(Stage, several_bodies_without_jsonl_are_a_usage_error) {
  const Said said = stage({"test_upper", "--copies", "2"}, "a");
  EXPECT_EQ(said.exit, 64);
  EXPECT_EQ(said.out, "");
  EXPECT_TRUE(has(said.err, "nothing was written there; print all with --jsonl")) << said.err;
}

TEST(Stage, a_rejected_message_is_one_json_line_and_exit_65) {
  const Said said = stage({"test_upper"}, "reject");
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(said.out, "") << "what a failed message emitted is not good";
  const json line = json::parse(said.err);
  EXPECT_EQ(line["reason"], "damaged");
  EXPECT_EQ(line["detail"], "at byte 3");
  EXPECT_EQ(line["outcome"], "reject");
}

TEST(Stage, a_message_to_be_retried_has_failed_too) {
  const Said said = stage({"test_upper"}, "retry");
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(json::parse(said.err)["reason"], "busy");
}

TEST(Stage, one_bad_file_does_not_stop_the_others) {
  Folder folder;
  write_text(folder / "1", "reject");
  write_text(folder / "2", "good");
  const Said said = stage({"test_upper", folder / "1", folder / "2"});
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(said.out, "GOOD");
  EXPECT_EQ(json::parse(said.err)["file"], (folder / "1").string());
}

TEST(Stage, a_bad_part_is_a_line_of_its_own_and_the_rest_is_emitted) {
  const Said said = stage({"test_split", "--jsonl"}, "one\nbad\nthree");
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(std::count(said.out.begin(), said.out.end(), '\n'), 2);
  const json line = json::parse(said.err);
  EXPECT_EQ(line["line"], 2);
  EXPECT_EQ(line["row"], 2);
  EXPECT_EQ(line["reason"], "type");
}

TEST(Stage, a_stage_that_splits_may_emit_more_than_64) {
  std::string input;
  for (int i = 0; i < 1000; ++i)
    input += "row\n";
  const Said said = stage({"test_split", "--jsonl"}, input);
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(std::count(said.out.begin(), said.out.end(), '\n'), 1000);
}

TEST(Stage, the_65th_emission_of_another_stage_is_refused) {
  const Said said = stage({"test_upper", "--jsonl", "--copies", "65"}, "a");
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(json::parse(said.err)["reason"], "too_many");
}

TEST(Stage, an_attribute_that_no_message_can_have_is_refused_as_the_engine_does_it) {
  const Said said = stage({"test_upper", "--jsonl"}, "bytes");
  EXPECT_EQ(said.exit, 65);
  EXPECT_EQ(json::parse(said.err)["reason"], "invalid");
}

TEST(Stage, files_are_streamed_to_a_stage_that_streams) {
  Folder folder;
  write_text(folder / "f", "");
  std::filesystem::resize_file(
      folder / "f", (std::uintmax_t{1} << 30) + 1);  // sparse; above the limit of bodies in memory
  const Said said = stage({"test_count", folder / "f"});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "1073741825");
}

TEST(Stage, stdin_is_streamed_too) {
  EXPECT_EQ(stage({"test_count"}, "12345").out, "5");
  EXPECT_EQ(stage({"test_count", "-"}, "12345").out, "5");
}

TEST(Stage, a_config_lends_its_buckets_and_streamed_results_go_to_stdout) {
  Folder folder;
  write_text(folder / "p.json",
             R"({"buckets": {"b": {"type": "test_bucket", "content": "from the bucket"}}})");
  const Said said = stage({"test_read", "--config", folder / "p.json", "--bucket", "b"}, "");
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "from the bucket");
}

TEST(Stage, streamed_results_stand_in_json_lines_too) {
  Folder folder;
  write_text(folder / "p.json",
             R"({"buckets": {"b": {"type": "test_bucket", "content": "from the bucket"}}})");
  const Said said =
      stage({"test_read", "--config", folder / "p.json", "--bucket", "b", "--jsonl"}, "");
  EXPECT_EQ(json::parse(said.out)["body"], "from the bucket");
}

TEST(Stage, an_access_point_holds_for_a_lent_bucket) {
  Folder folder;
  write_text(
      folder / "p.json",
      R"({"buckets": {"b": {"type": "test_bucket", "access_points": {"p": {"prefix": "icons/", "allow": ["get"]}}}}})");
  const std::vector<std::string> words{"test_read", "--config", folder / "p.json",
                                       "--bucket",  "b/p",      "--attribute"};
  std::vector<std::string> inside = words, outside = words;
  inside.push_back("key=icons/a");
  outside.push_back("key=secrets/a");
  EXPECT_EQ(stage(inside).out, "content");
  EXPECT_NE(stage(outside).exit, 0);
}

TEST(Stage, a_bucket_without_a_config_is_a_usage_error) {
  const Said said = stage({"test_read", "--bucket", "b"});
  EXPECT_EQ(said.exit, 64);
  EXPECT_TRUE(has(said.err, "--config")) << said.err;
}

TEST(Stage, a_bucket_that_the_config_has_not_is_a_config_error) {
  Folder folder;
  write_text(folder / "p.json", R"({"buckets": {"graphics": {"type": "test_bucket"}}})");
  const Said said = stage({"test_read", "--config", folder / "p.json", "--bucket", "grafics"});
  EXPECT_EQ(said.exit, 78);
  EXPECT_TRUE(has(said.err, "did you mean \"graphics\"?")) << said.err;
}

TEST(Stage, a_config_lends_its_tables) {
  Folder folder;
  write_text(folder / "p.json", R"({"tables": {"users": {"type": "test_table"}}})");
  const std::vector<std::string> words{"test_store", "--config", folder / "p.json", "--table", "users"};
  EXPECT_EQ(stage(words, "good").exit, 0);
  const Said refused = stage(words, "bad");
  EXPECT_EQ(refused.exit, 65);
  EXPECT_TRUE(has(refused.err, "takes \\\"good\\\" only")) << refused.err;
  const Said unknown = stage({"test_store", "--config", folder / "p.json", "--table", "usres"});
  EXPECT_EQ(unknown.exit, 78);
  EXPECT_TRUE(has(unknown.err, "names no table: did you mean \"users\"?")) << unknown.err;
  const Said alone = stage({"test_store", "--table", "users"});
  EXPECT_EQ(alone.exit, 64);
  EXPECT_TRUE(has(alone.err, "--config FILE, which lends its tables")) << alone.err;
}

TEST(Stage, a_bucket_that_does_not_start_is_unavailable) {
  Folder folder;
  write_text(folder / "p.json",
             R"({"buckets": {"b": {"type": "test_bucket", "content": "unavailable"}}})");
  const Said said = stage({"test_read", "--config", folder / "p.json", "--bucket", "b"});
  EXPECT_EQ(said.exit, 69);
  EXPECT_TRUE(has(said.err, "the store is down")) << said.err;
}

TEST(Stage, a_fatal_stage_is_a_bug) {
  const Said said = stage({"test_upper"}, "fatal");
  EXPECT_EQ(said.exit, 70);
  EXPECT_FALSE(has(said.err, "status 20")) << said.err;
  EXPECT_TRUE(has(said.err, "-: stage test_upper failed: ")) << said.err;
}

struct Refused {
  const char* name;
  std::vector<std::string> words;
  int exit;
  const char* error;
};

class RefusedStage : public testing::TestWithParam<Refused> {};

TEST_P(RefusedStage, ends_with_its_code_before_any_work) {
  const Said said = stage(GetParam().words);
  EXPECT_EQ(said.exit, GetParam().exit) << said.err;
  EXPECT_TRUE(has(said.err, GetParam().error)) << said.err;
  EXPECT_EQ(said.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedStage,
    testing::Values(
        Refused{"no_type", {}, 64, "TYPE"},
        Refused{"an_unknown_type", {"test_uper"}, 78, "did you mean \"test_upper\"?"},
        Refused{"an_option_before_the_type", {"--width", "1", "test_shape"}, 64, "TYPE"},
        Refused{"an_unknown_option", {"test_shape", "--widht", "5"}, 64, "did you mean \"width\"?"},
        Refused{"an_option_without_its_value", {"test_shape", "--width"}, 64, "takes a value"},
        Refused{"a_flag_that_is_neither_true_nor_false",
                {"test_shape", "--width=1", "--enlarge=maybe"},
                78,
                "\"enlarge\" must be true or false, not \"maybe\""},
        Refused{"a_negation_of_what_is_no_flag", {"test_shape", "--no-width"}, 64, "is no flag"},
        Refused{"a_negation_with_a_value",
                {"test_shape", "--no-enlarge=true"},
                64,
                "--no_enlarge takes no value"},
        Refused{"a_negation_of_nothing", {"test_shape", "--no-such"}, 64, "has no option"},
        Refused{"a_single_dash", {"test_shape", "-w", "5"}, 64, "\"--\""},
        Refused{
            "an_attribute_without_a_value", {"test_upper", "--attribute", "x"}, 64, "NAME=VALUE"},
        Refused{"a_value_out_of_range", {"test_shape", "--width", "0"}, 78, "at least 1"},
        Refused{"a_value_of_a_wrong_type", {"test_shape", "--width", "wide"}, 78, "width"},
        Refused{"a_required_option_that_is_missing", {"test_shape"}, 78, "\"width\" is missing"},
        Refused{
            "an_option_that_the_plugin_refuses", {"test_shape", "--width", "13"}, 78, "bad luck"},
        Refused{"a_missing_file", {"test_upper", "/nowhere/f"}, 66, "/nowhere/f"},
        Refused{"a_folder_as_a_file", {"test_upper", "/"}, 66, "is a directory"},
        Refused{"a_missing_config",
                {"test_read", "--bucket", "b", "--config", "/nowhere/p.json"},
                66,
                "/nowhere/p.json"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Stage, help_of_a_type_shows_its_options) {
  const Said said = stage({"test_shape", "--help"});
  EXPECT_EQ(said.exit, 0);
  EXPECT_TRUE(has(said.out, "Pixels from left to right.")) << said.out;
}

TEST(Stage, behind_two_dashes_everything_is_a_file) {
  const Said said = stage({"test_upper", "--", "--jsonl"});
  EXPECT_EQ(said.exit, 66);
  EXPECT_TRUE(has(said.err, "--jsonl")) << said.err;
}

}  // namespace
}  // namespace sluice::core
