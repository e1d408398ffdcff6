// The commands that look: exit codes and formats of DESIGN §5, by the real binary.
#include <nlohmann/json.hpp>

#include "cli/describe.hpp"
#include "config/load.hpp"
#include "program.hpp"

namespace sluice::core {
namespace {

const char* const kConfig = R"({
  "buckets": { "b": { "type": "test_bucket" } },
  "sources": { "s": { "type": "test_source", "publish_to": "t" } },
  "topics": { "t": {} },
  "queues": { "q": { "subscriptions": [ { "topic": "t" } ], "capacity_bytes": "1MiB" } },
  "services": { "w": { "queue": "q", "max_body_bytes": "1MiB", "stages": [ { "type": "test_sink", "bucket": "b" } ] } }
})";

struct Usage {
  const char* name;
  std::vector<std::string> words;
  int exit;
  const char* part;  ///< of stdout (exit 0) or stderr
};

class CommandLine : public testing::TestWithParam<Usage> {};

TEST_P(CommandLine, ends_with_its_code) {
  const Said said = run_sluice(GetParam().words);
  EXPECT_EQ(said.exit, GetParam().exit) << said.out << said.err;
  EXPECT_TRUE(has(GetParam().exit == 0 ? said.out : said.err, GetParam().part))
      << said.out << said.err;
  if (GetParam().exit != 0) {
    EXPECT_TRUE(said.err.starts_with("sluice: error: ")) << said.err;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, CommandLine,
    testing::Values(
        Usage{"no_command_is_a_usage_error", {}, 64, "a command is needed"},
        Usage{
            "an_unknown_command_names_the_nearest", {"vaildate"}, 64, "did you mean \"validate\"?"},
        Usage{"an_unknown_option_is_a_usage_error", {"run", "--frob", "x.json"}, 64, "--frob"},
        Usage{"a_missing_config_argument_is_a_usage_error", {"run"}, 64, "CONFIG"},
        Usage{"admin_listens_at_an_address", {"run", "x.json", "--admin", "nowhere"}, 64, "--admin: 'nowhere' is no address"},
        Usage{"queue_needs_to_be_told_what_to_do", {"queue"}, 64, "queue --help"},
        Usage{"an_unknown_thing_to_do_with_queues_names_the_nearest_and_all",
              {"queue", "lst"},
              64,
              "(queue takes list, peek, redrive, purge): did you mean \"list\"? (see sluice queue --help)"},
        Usage{"an_admin_address_needs_no_http",
              {"queue", "list", "127.0.0.1:1"},
              69,
              "no answer from the admin address 127.0.0.1:1"},
        Usage{"an_admin_address_has_a_port", {"queue", "list", "http://127.0.0.1:99999"}, 64, "'99999' is no port"},
        Usage{"an_admin_address_without_http_has_a_port", {"service", "list", "127.0.0.1:99999"}, 64, "'99999' is no port"},
        Usage{"the_alarms_of_a_missing_config", {"alarm", "list", "x.json"}, 66, "x.json"},
        Usage{"alarm_help_tells_of_a_missing_config", {"alarm", "--help"}, 0, "66 no such file"},
        Usage{"a_file_may_have_a_colon", {"alarm", "list", "x:1"}, 66, "x:1"},
        Usage{"an_admin_address_speaks_http_only", {"queue", "list", "https://127.0.0.1:9640"}, 64, "http only"},
        Usage{"an_unknown_thing_to_do_with_services_names_all",
              {"service", "restart"},
              64,
              "(service takes list, start, stop)"},
        Usage{"alarms_of_an_engine_that_does_not_answer",
              {"alarm", "list", "127.0.0.1:1"},
              69,
              "no answer from the admin address 127.0.0.1:1"},
        Usage{"workers_are_started_by_numbers", {"service", "start", "x.json", "s", "--count", "0"}, 64, "--count"},
        Usage{"a_service_is_started_by_its_name", {"service", "start", "127.0.0.1:1", "a/b"}, 64, "'a/b' is no name of a service"},
        Usage{"service_help_teaches", {"service", "--help"}, 0, "sluice service start configs/drain-on-alarm.json drain --count 4"},
        Usage{"a_redrive_rate_is_at_least_one", {"queue", "redrive", "x.json", "q", "--max-rate", "0"}, 64, "--max-rate"},
        Usage{"the_queues_of_a_missing_config", {"queue", "list", "x.json"}, 66, "x.json"},
        Usage{"table_needs_to_be_told_what_to_do", {"table"}, 64, "table --help"},
        Usage{"an_unknown_thing_to_do_with_tables_names_the_nearest_and_all",
              {"table", "gt"},
              64,
              "(table takes get, list): did you mean \"get\"? (see sluice table --help)"},
        Usage{"a_get_of_a_table_has_a_key", {"table", "get", "x.json", "t"}, 64, "KEY"},
        Usage{"the_tables_of_a_missing_config", {"table", "list", "x.json", "t"}, 66, "x.json"},
        Usage{"table_help_teaches", {"table", "--help"}, 0, "sluice table list pipeline.json"},
        Usage{"queue_help_teaches", {"queue", "--help"}, 0, "sluice queue redrive configs/icons.json"},
        Usage{"a_wrong_log_level_is_a_usage_error",
              {"run", "x.json", "--log-level", "loud"},
              64,
              "log-level"},
        Usage{"a_wrong_summary_is_a_usage_error",
              {"run", "x.json", "--summary", "xml"},
              64,
              "summary"},
        Usage{"an_override_without_a_pointer_is_a_usage_error",
              {"validate", "x.json", "--set", "name=x"},
              64,
              "JSON pointer"},
        Usage{
            "a_missing_config_is_missing_input", {"run", "/nowhere/x.json"}, 66, "/nowhere/x.json"},
        Usage{"run_refuses_a_plugin_folder_that_is_not_there",
              {"run", "x.json", "--plugin-dir", "/nowhere"},
              69,
              "--plugin-dir /nowhere: No such file or directory"},
        Usage{"what_follows_a_plugin_folder_is_another_argument",
              {"run", "--plugin-dir", "/", "/nowhere/x.json", "--until-idle"},
              66,
              "/nowhere/x.json"},
        Usage{"what_follows_an_override_is_another_argument",
              {"run", "--set", "/name=x", "/nowhere/x.json", "--until-idle"},
              66,
              "/nowhere/x.json"},
        Usage{"validate_refuses_a_plugin_folder_that_is_not_there",
              {"validate", "x.json", "--plugin-dir", "/nowhere"},
              69,
              "--plugin-dir /nowhere: No such file or directory"},
        Usage{"graph_refuses_a_plugin_folder_that_is_not_there",
              {"graph", "x.json", "--plugin-dir", "/nowhere"},
              69,
              "--plugin-dir /nowhere: No such file or directory"},
        Usage{"plugins_refuses_a_plugin_folder_that_is_not_there",
              {"plugins", "--plugin-dir", "/nowhere"},
              69,
              "--plugin-dir /nowhere: No such file or directory"},
        Usage{"inspect_refuses_a_plugin_folder_that_is_not_there",
              {"inspect", "image_resize", "--plugin-dir", "/nowhere"},
              69,
              "--plugin-dir /nowhere: No such file or directory"},
        Usage{"schema_refuses_a_plugin_folder_that_is_not_there",
              {"schema", "--plugin-dir", "/nowhere"},
              69,
              "--plugin-dir /nowhere: No such file or directory"},
        Usage{"stage_refuses_a_plugin_folder_that_is_not_there",
              {"stage", "image_resize", "--plugin-dir", "/nowhere"},
              69,
              "--plugin-dir /nowhere: No such file or directory"},
        Usage{"validate_of_a_missing_config_is_missing_input",
              {"validate", "/nowhere/x.json"},
              66,
              "/nowhere/x.json"},
        Usage{"a_cancel_is_of_a_whole_redrive",
              {"queue", "redrive", "x.json", "q", "--cancel", "--reason", "x"},
              64,
              "--reason excludes --cancel"},
        Usage{"a_status_is_of_the_redrive_as_it_was_asked_for",
              {"queue", "redrive", "x.json", "q", "--status", "--dry-run"},
              64,
              "--dry-run excludes --status"},
        Usage{"match_needs_a_policy", {"match"}, 64, "match needs --policy FILE|JSON, or --cases"},
        Usage{"match_takes_a_policy_or_cases",
              {"match", "--policy", "{}", "--cases", "x"},
              64,
              "excludes --cases"},
        Usage{"cases_have_their_own_scope",
              {"match", "--cases", "x", "--scope", "MessageBody"},
              64,
              "--scope"},
        Usage{"cases_have_their_own_messages",
              {"match", "--cases", "x", "y"},
              64,
              "FILE excludes --cases"},
        Usage{"an_unknown_scope_is_a_usage_error",
              {"match", "--policy", "{}", "--scope", "Body"},
              64,
              "MessageAttributes,MessageBody"},
        Usage{"an_unknown_profile_is_a_usage_error",
              {"match", "--policy", "{}", "--profile", "x"},
              64,
              "extended"},
        Usage{"a_missing_policy_is_missing_input",
              {"match", "--policy", "/nowhere/p.json"},
              66,
              "--policy /nowhere/p.json: No such file or directory"},
        Usage{"a_policy_that_is_a_folder_is_missing_input",
              {"match", "--policy", "/"},
              66,
              "/: is a directory"},
        Usage{"missing_messages_are_missing_input",
              {"match", "--policy", "{}", "/nowhere/m"},
              66,
              "/nowhere/m"},
        Usage{"missing_cases_are_missing_input",
              {"match", "--cases", "/nowhere/c"},
              66,
              "/nowhere/c"},
        Usage{"help_of_match_teaches_with_an_example",
              {"match", "--help"},
              0,
              "| sluice match --scope MessageBody --explain"},
        Usage{"an_unknown_type_is_a_config_error", {"inspect", "image_resiz"}, 78, "image_resiz"},
        Usage{"help_of_scale_teaches_with_an_example",
              {"scale", "--help"},
              0,
              "sluice scale configs/simulations/burst.json --plot"},
        Usage{"help_lists_the_commands", {"--help"}, 0, "validate"},
        Usage{"help_of_run_teaches_with_an_example",
              {"run", "--help"},
              0,
              "sluice run configs/icons.json --until-idle"},
        Usage{"help_of_validate_teaches_with_an_example",
              {"validate", "--help"},
              0,
              "sluice validate configs"},
        Usage{"help_of_stage_teaches_with_an_example",
              {"stage", "--help"},
              0,
              "sluice stage image_resize"},
        Usage{
            "help_of_plugins_teaches_with_an_example", {"plugins", "--help"}, 0, "sluice plugins"},
        Usage{"help_of_inspect_teaches_with_an_example",
              {"inspect", "--help"},
              0,
              "sluice inspect image_resize"},
        Usage{"help_of_schema_teaches_with_an_example", {"schema", "--help"}, 0, "sluice schema >"},
        Usage{"help_of_graph_teaches_with_an_example", {"graph", "--help"}, 0, "dot -Tsvg"},
        Usage{"version_tells_the_abi", {"--version"}, 0, "plugin ABI: 1.1"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Validate, a_good_config_prints_the_memory_bound_and_what_stalls_whom) {
  Folder folder;
  write_text(folder / "p.json", kConfig);
  const Said said = run_sluice({"validate", folder / "p.json", "--plugin-dir", test_plugins()});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_TRUE(has(said.out, "p.json: ok, 0 warnings")) << said.out;
  // 1 MiB and 256 MiB of the implied queue; 192 B in the timers for each of their 16 384 and 100 000 messages; one chunk and
  // 31.5 MiB of slabs of the source, its log, acknowledgement of 256 chunks; ten bodies of 1 MiB in hand; 64 MiB of parts.
  EXPECT_TRUE(has(said.out, "memory bound 387.61 MiB")) << said.out;
  EXPECT_TRUE(has(said.out, "source s waits while one of these is full: q\n")) << said.out;
}

TEST(Validate, tells_which_queue_makes_a_source_wait_for_the_disk) {
  Folder folder;
  write_text(folder / "p.json", R"({"queues": {"q": {"when_full": "dead_letter", "redrive_policy": {"max_receive_count": 3, "dead_letter_queue": "d"}}, "d": {}},
    "sources": {"s": {"type": "test_source", "publish_to": "q"}}})");
  const Said said = run_sluice({"validate", folder / "p.json", "--plugin-dir", test_plugins()});
  EXPECT_TRUE(has(said.out, "source s waits for the disk where it sends more than can be stored as dead letters of: q\n"))
      << said.out << said.err;
}

TEST(Validate, names_the_memory_of_what_a_source_would_bring_again) {
  Folder folder;
  write_text(folder / "p.json", R"({"buckets": {"b": {"type": "test_bucket"}}, "queues": {"q": {}}, "sources": {
    "again": {"type": "test_watch", "bucket": "b", "publish_to": "q"}, "once": {"type": "test_source", "publish_to": "q"}}})");
  const Said said = run_sluice({"validate", folder / "p.json", "--plugin-dir", test_plugins()});
  EXPECT_TRUE(has(said.out, "256 B  more for each message of source again that is not acknowledged, and its JSON"))
      << said.out << said.err;
  EXPECT_FALSE(has(said.out, "source once that")) << said.out;
}

TEST(Validate, errors_have_their_place_and_the_worst_code_wins) {
  Folder folder;
  write_text(folder / "good.json", kConfig);
  write_text(folder / "bad.json", "{\n  \"nme\": \"x\"\n}");
  const Said said = run_sluice({"validate", folder / "bad.json", "/nowhere/x.json",
                                folder / "good.json", "--plugin-dir", test_plugins()});
  EXPECT_EQ(said.exit, 78);
  EXPECT_TRUE(has(said.err,
                  "bad.json:2:3: error: unknown key \"nme\" in the pipeline: did you mean "
                  "\"name\"?\n    \"nme\": \"x\"\n    ^\n"))
      << said.err;
  EXPECT_TRUE(has(said.out, "good.json: ok")) << said.out;
  EXPECT_FALSE(has(said.err, "\033")) << "colour belongs on terminals only";
}

TEST(Validate, a_missing_plugin_is_unavailable) {
  Folder folder;
  write_text(
      folder / "p.json",
      R"({"queues": {"q": {}}, "services": {"w": {"queue": "q", "stages": [{"type": "test_sink"}]}}})");
  write_text(folder / "plugins/test_sink.so", "this is no library");
  const Said said = run_sluice({"validate", folder / "p.json", "--plugin-dir", folder / "plugins"});
  EXPECT_EQ(said.exit, 69) << said.err;
  EXPECT_TRUE(has(said.err, "test_sink.so")) << said.err;
}

TEST(Validate, overrides_count) {
  Folder folder;
  write_text(folder / "p.json", kConfig);
  const Said said = run_sluice({"validate", folder / "p.json", "--plugin-dir", test_plugins(),
                                "--set", "/queues/q/capacity=0"});
  EXPECT_EQ(said.exit, 78);
  EXPECT_TRUE(has(said.err, "--set /queues/q/capacity: error: ")) << said.err;
}

TEST(Plugins, a_table_shows_what_can_be_loaded_and_why_others_cannot) {
  Folder folder;
  write_text(folder / "broken.so", "this is no library");
  const Said said =
      run_sluice({"plugins", "--plugin-dir", test_plugins(), "--plugin-dir", folder / ""});
  EXPECT_EQ(said.exit, 0);
  EXPECT_TRUE(has(said.out, "Makes bodies upper case.\n")) << said.out;
  EXPECT_TRUE(has(said.out, "not usable:\n")) << said.out;
  EXPECT_TRUE(has(said.out, "broken.so")) << said.out;
}

TEST(Inspect, options_flags_and_an_example_are_shown) {
  const Said said = run_sluice({"inspect", "test_shape", "--plugin-dir", test_plugins()});
  EXPECT_EQ(said.exit, 0);
  EXPECT_TRUE(has(said.out, "stage test_shape (org.sluice.tests 1.0.0, ")) << said.out;
  EXPECT_TRUE(has(said.out, "1 to 65535")) << said.out;
  EXPECT_TRUE(has(said.out, "inside cover fill")) << said.out;
  EXPECT_TRUE(has(said.out, R"("stages": [ { "type": "test_shape", "width": 64 } ])")) << said.out;
}

/// A configuration around an example of that kind.
std::string config_around(const sluice_component& component, const std::string& example) {
  const std::string kind = component.kind;
  const std::string buckets = R"("buckets": {"my-bucket": )" +
                              (kind == "bucket" ? example : R"({"type": "test_bucket"})") +
                              R"(}, "tables": {"my-table": )" +
                              (kind == "table" ? example : R"({"type": "test_table"})") + "}";
  if (kind != "stage") {
    return "{" + buckets + R"(, "topics": {"my-topic": {}})" +
           (kind == "source" ? R"(, "sources": {"my-source": )" + example + "}" : "") + "}";
  }
  const char* target = (component.flags & SLUICE_SINK) != 0 ? "" : R"("publish_to": "my-topic", )";
  return "{" + buckets +
         R"(, "topics": {"my-topic": {}}, "queues": {"q": {}}, "services": {"s": {)" + target +
         R"("queue": "q", "stages": [ )" + example + " ]}}}";
}

TEST(Inspect, every_example_is_valid) {
  Registry registry({build_root() + "/plugins", test_plugins()});
  const std::vector<const Component*> components = registry.all(nullptr);
  EXPECT_GE(components.size(), 14U);
  for (const Component* component : components) {
    const std::string config = config_around(*component->descriptor, example_object(*component));
    Diagnostics diagnostics;
    const auto loaded = parse_pipeline(config, "/configs/example.json", {}, process_environment,
                                       registry, diagnostics);
    EXPECT_TRUE(loaded) << config << "\n" << render(diagnostics, false);
  }
}

TEST(Inspect, the_example_of_image_resize_has_a_size) {
  const Said said = run_sluice({"inspect", "image_resize"});
  EXPECT_TRUE(has(said.out, R"({ "type": "image_resize", "width": 64 })")) << said.out;
}

TEST(Inspect, flags_are_explained_in_words) {
  const Said said = run_sluice({"inspect", "test_split", "--plugin-dir", test_plugins()});
  EXPECT_TRUE(has(said.out, "emits without bound per message")) << said.out;
  EXPECT_TRUE(has(said.out, "threads of their own")) << said.out;
}

TEST(Graph, a_config_becomes_dot) {
  Folder folder;
  write_text(folder / "p.json", kConfig);
  const Said said = run_sluice({"graph", folder / "p.json", "--plugin-dir", test_plugins()});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_TRUE(said.out.starts_with("digraph \"p\" {\n")) << said.out;
}

TEST(SchemaCommand, the_file_in_docs_is_its_output) {
  const Said said = run_sluice({"schema"});
  ASSERT_EQ(said.exit, 0) << said.err;
  EXPECT_TRUE(said.out == read_text(source_root() + "/docs/pipeline.schema.json"))
      << "make it anew: sluice schema > docs/pipeline.schema.json";
}

TEST(Output, a_full_standard_output_is_an_io_error) {
  if (::access("/dev/full", W_OK) != 0)
    GTEST_SKIP() << "there is no /dev/full";
  const Said said = run_sluice({"--help"}, "", {}, "/dev/full");
  EXPECT_EQ(said.exit, 74);
  EXPECT_TRUE(has(said.err, "standard output")) << said.err;
}

TEST(Output, a_closed_pipe_is_an_io_error_and_no_death_by_signal) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const std::string program = build_root() + "/sluice";
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::dup2(::open("/dev/null", O_WRONLY), 2);
    ::execl(program.c_str(), "sluice", "--help", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 74);
}

}  // namespace
}  // namespace sluice::core
