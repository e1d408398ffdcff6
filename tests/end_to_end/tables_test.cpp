// Lines into a table, and what `sluice table` then shows: the real binary, killed and started again.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

class TablePipeline : public Pipeline {
 protected:
  static constexpr const char* kMessages =
      R"("messages":{"type":"sqlite","path":"@/t.db","key":{"queueMessage":"text"},"columns":{"host":"text","worker":"text"}})";

  /// in.jsonl -> a service that puts `item` into the table.
  Command pipeline(const std::string& table, const std::string& stage, const Words& more = {"--until-idle"},
                   int workers = 1) const {
    return own(R"({"name":"tables","state":"@/state","tables":{)" + table + R"(},
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"work"}},
      "queues":{"work":{}},
      "services":{"drain":{"queue":"work","batch_size":5,"scaling":{"min_capacity":)" +
                   std::to_string(workers) + R"(,"max_capacity":)" + std::to_string(workers) + R"(},
        "stages":[{"type":"table_put",)" +
                   stage + "}]}}}",
               more);
  }
  Command drain(const Words& more = {"--until-idle"}, int workers = 1) const {
    return pipeline(kMessages,
                    R"("table":"messages","item":{"queueMessage":"{body}","host":"{hostname}","worker":"{worker}"})", more,
                    workers);
  }
  void write(int first, int count) const {
    std::ofstream file(folder() / "in.jsonl", std::ios::app);
    for (int i = 0; i < count; ++i)
      file << 100'000'001 + first + i << "\n";
  }
  /// `sluice table WORDS` on the configuration that `run` was given.
  Ended table(const Command& pipeline, const std::string& action, const std::string& name, const Words& more = {}) const {
    Words words{"table", action, pipeline.words.at(1), name};
    words.insert(words.end(), more.begin(), more.end());
    return run({words, pipeline.environment});
  }
};

TEST_F(TablePipeline, seed_system_2_stores_each_body_with_the_host_and_the_worker_that_did_it) {
  write(0, 200);
  const Command command = drain({"--until-idle"}, 4);
  const Ended ended = run(command);
  ASSERT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  EXPECT_EQ(summary["services"]["drain"]["processed"], 200);
  EXPECT_EQ(summary["dead_letters"], 0);

  const Json listed = Json::parse(table(command, "list", "messages", {"--limit", "1000"}).out);
  ASSERT_EQ(listed["items"].size(), 200U);
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  std::set<std::string> bodies;
  for (const Json& item : listed["items"]) {
    bodies.insert(item["queueMessage"].get<std::string>());
    EXPECT_EQ(item["host"], std::string(host));
    EXPECT_EQ(item["worker"].get<std::string>().find("drain-"), 0U);
  }
  EXPECT_EQ(bodies.size(), 200U);
  EXPECT_TRUE(bodies.contains("100000001"));
}

TEST_F(TablePipeline, seed_system_3_s_items_have_typed_values_and_bad_rows_are_dead_letters_of_their_own) {
  put_file(folder() / "in.jsonl", "{\"name\":\"todo0\"}\n{\"nom\":\"todo1\"}\n{\"name\":\"todo2\"}\n");
  const Command command = pipeline(
      R"("todos":{"type":"sqlite","path":"@/t.db","key":{"todoId":"text"},
        "columns":{"name":"text","completed":"boolean","createdAt":"integer","updatedAt":"integer"}})",
      R"("table":"todos","item":{"todoId":"{uuid}","name":"{body:/name}","completed":false,
        "createdAt":{"number":"{now_ms}"},"updatedAt":{"number":"{now_ms}"}})");
  const Ended ended = run(command);
  ASSERT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], 1);
  EXPECT_EQ(dead_letters("work-dead").at(0)["dead_letter"]["reason"], "template_value_missing");

  const Json first = Json::parse(table(command, "list", "todos", {"--limit", "1"}).out);
  const Json second =
      Json::parse(table(command, "list", "todos", {"--limit", "5", "--next-token", first["nextToken"].get<std::string>()}).out);
  ASSERT_EQ(first["items"].size() + second["items"].size(), 2U);
  EXPECT_FALSE(second.contains("nextToken"));
  const Json item = first["items"][0];
  EXPECT_EQ(item["todoId"].get<std::string>().size(), 36U);
  EXPECT_EQ(item["completed"], false);
  EXPECT_TRUE(item["createdAt"].is_number_integer());
  EXPECT_EQ(item["createdAt"], item["updatedAt"]);
  const Ended got = table(command, "get", "todos", {item["todoId"].get<std::string>()});
  EXPECT_EQ(got.exit, 0) << got.err;
  EXPECT_EQ(Json::parse(got.out), item);
  EXPECT_EQ(table(command, "get", "todos", {"nobody"}).exit, 66);
}

TEST_F(TablePipeline, the_shipped_example_does_what_the_readme_says) {
  put_file(folder() / "rows.jsonl", "{\"name\":\"buy milk\"}\n{\"name\":\"call Ada\"}\n");
  const Command shipped{{"run", source_root() + "/configs/todos.json", "--until-idle", "--summary", "json", "--set",
                         "/state=" + file("state")},
                        {{"TODOS", file("todos")}, {"ROWS", file("rows.jsonl")}}};
  for (int i = 0; i < 2; ++i) {
    const Ended ended = run(shipped);
    ASSERT_EQ(ended.exit, 0) << ended.err;
    std::filesystem::remove_all(folder() / "state");  // so that each line comes again
  }
  const Json listed = Json::parse(table(shipped, "list", "todos", {"--limit", "10"}).out);
  ASSERT_EQ(listed["items"].size(), 2U) << "a line that comes again is the same item";
  EXPECT_EQ(listed["items"][0]["completed"], false);
  std::set<std::string> names;
  for (const Json& item : listed["items"])
    names.insert(item["name"].get<std::string>());
  EXPECT_EQ(names, (std::set<std::string>{"buy milk", "call Ada"}));
}

TEST_F(TablePipeline, after_kill_9_and_a_restart_each_body_is_one_item) {
  const int count = scaled(20'000, 2'000);
  write(0, count);
  const Command command = drain({}, 2);
  {
    Process engine(command);
    EXPECT_TRUE(engine.until("some items were put", [&] {
      const Ended listed = table(command, "list", "messages", {"--limit", "20", "--jsonl"});
      return std::ranges::count(listed.out, '\n') == 20;
    }));
    engine.send(SIGKILL);
    EXPECT_EQ(engine.wait().exit, 128 + SIGKILL);
  }
  const Ended ended = run(drain({"--until-idle"}, 2));
  ASSERT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], 0);
  const Ended listed = table(command, "list", "messages", {"--limit", "1000000", "--jsonl"});
  EXPECT_EQ(std::ranges::count(listed.out, '\n'), count);
}

TEST_F(TablePipeline, a_table_that_is_not_what_the_options_say_is_a_configuration_error) {
  write(0, 1);
  ASSERT_EQ(run(drain()).exit, 0);
  const Ended ended = run(pipeline(R"("messages":{"type":"sqlite","path":"@/t.db","key":{"body":"text"}})",
                                   R"("table":"messages","item":{"body":"{body}"})"));
  EXPECT_EQ(ended.exit, 78);
  EXPECT_NE(ended.err.find("it has no column \"body\"; it is keyed by \"queueMessage\""), std::string::npos) << ended.err;
}

TEST_F(TablePipeline, an_item_that_the_table_never_takes_is_a_configuration_error_before_anything_is_made) {
  write(0, 1);
  const Ended ended = run(pipeline(kMessages, R"("table":"messages","item":{"queueMessage":"{body}","hots":"{hostname}"})"));
  EXPECT_EQ(ended.exit, 78);
  EXPECT_NE(ended.err.find(R"(table "messages" has no column "hots": did you mean "host"?)"), std::string::npos) << ended.err;
  EXPECT_FALSE(std::filesystem::exists(folder() / "t.db"));
}

TEST_F(TablePipeline, a_file_that_is_no_database_ends_the_start_and_is_left_as_it_is) {
  const std::string text(8192, 'n');
  put_file(folder() / "t.db", text);
  write(0, 1);
  const Ended ended = run(drain());
  EXPECT_EQ(ended.exit, 74);
  EXPECT_NE(ended.err.find("t.db is damaged, or no SQLite database"), std::string::npos) << ended.err;
  EXPECT_EQ(read_file(folder() / "t.db"), text);
}

TEST_F(TablePipeline, who_looks_before_anything_was_put_hears_so_and_makes_nothing) {
  const Command command = drain();
  for (const char* action : {"list", "get"}) {
    const Ended ended = table(command, action, "messages", action == std::string("get") ? Words{"a"} : Words{});
    EXPECT_EQ(ended.exit, 66) << ended.err;
    EXPECT_NE(ended.err.find("t.db is not there"), std::string::npos) << ended.err;
  }
  EXPECT_FALSE(std::filesystem::exists(folder() / "t.db"));
}

TEST_F(TablePipeline, validate_does_not_touch_the_database) {
  write(0, 1);
  Command command = drain();
  command.words = {"validate", command.words.at(1)};
  const Ended ended = run(command);
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_FALSE(std::filesystem::exists(folder() / "t.db"));
}

}  // namespace
}  // namespace sluice::test
