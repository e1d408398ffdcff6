// What README.md shows is true: its plugins build as it says and do what it says.
#include <fstream>
#include <sstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

std::string readme() {
  return read_file(source_root() + "/README.md");
}

/// The one block ```LANGUAGE ... ``` of the README; empty if there is none or another.
std::string block(const std::string& language) {
  const std::string text = readme(), begin = "\n```" + language + "\n";
  const std::size_t at = text.find(begin);
  if (at == std::string::npos || text.find(begin, at + 1) != std::string::npos)
    return "";
  const std::size_t from = at + begin.size();
  return text.substr(from, text.find("\n```", from) + 1 - from);
}

class Readme : public Pipeline {
 protected:
  /// Builds the example as README.md does, with warnings as errors.
  void build(const std::string& compiler, const std::string& name, const std::string& ending) {
    const std::string source = block(ending);
    ASSERT_FALSE(source.empty()) << "README.md has no single block of " << ending;
    put_file(folder() / (name + "." + ending), source);
    const std::string build = "cd '" + folder().string() + "' && PKG_CONFIG_PATH='" + build_root() +
                              "/meson-uninstalled' && " + "export PKG_CONFIG_PATH && " + compiler +
                              " -Wall -Wextra -Werror -fPIC -shared " + name + "." + ending +
                              " $(pkg-config --cflags sluice) -o " + name + ".so";
    const Command shell{{"-c", build}, {}, "/bin/sh"};
    const Ended ended = run(shell);
    ASSERT_EQ(ended.exit, 0) << ended.err;
  }
  Ended stage(const std::string& type, const std::string& body, const Words& more = {}) {
    put_file(folder() / "body", body);
    Words words{"stage", type, "--plugin-dir", folder().string()};
    words.insert(words.end(), more.begin(), more.end());
    words.push_back(file("body"));
    return run({words, {}});
  }
};

TEST_F(Readme, the_plugin_in_c_builds_and_works) {
  build("cc -std=c11", "shout", "c");
  EXPECT_EQ(stage("shout", "hello").out, "HELLO");
  EXPECT_EQ(stage("shout", std::string(9000, 'x')).exit, 65) << "over the limit of reserve()";
}

TEST_F(Readme, the_plugin_in_cpp_builds_and_works) {
  build("c++ -std=c++20", "exclaim", "cpp");
  EXPECT_EQ(stage("exclaim", "hello").out, "hello!");
  EXPECT_EQ(stage("exclaim", "hello", {"--marks", "3"}).out, "hello!!!");
  const Ended rejected = stage("exclaim", "");
  EXPECT_EQ(rejected.exit, 65);
  EXPECT_NE(rejected.err.find("empty"), std::string::npos) << rejected.err;
}

TEST_F(Readme, the_keys_of_a_queue_are_valid_and_their_defaults_true) {
  const std::string shown = block("json");
  const Command valid = own(R"({"topics":{"new-icons":{}},
    "sources":{"in":{"type":"lines","path":"-","publish_to":"new-icons"}},"queues":{)" +
                            shown + R"(},"services":{"work":{"queue":"resize-16","stages":[
      {"type":"lines","path":"@/out.jsonl"}]}}})");
  const Ended ended = run({{"validate", valid.words[1]}, {}});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json schema = Json::parse(read_file(source_root() + "/docs/pipeline.schema.json"));
  const Json& keys = schema["properties"]["queues"]["additionalProperties"]["properties"];
  const Json queue = Json::parse("{" + shown + "}")["resize-16"];
  int defaults = 0;
  for (const auto& [key, value] : queue.items()) {
    ASSERT_TRUE(keys.contains(key)) << key;
    if (keys[key].contains("default")) {
      EXPECT_EQ(keys[key]["default"], value) << key;
      ++defaults;
    }
  }
  EXPECT_GE(defaults, 6);
}

TEST_F(Readme, the_scaling_policy_is_a_good_one) {
  put_file(folder() / "scaling.json", R"({"name":"scaling","queues":{"q":{}},"services":{"work":{"queue":"q",)" + block("json scaling") +
                                          R"(,"stages":[{"type":"lines","path":")" + file("out.jsonl") + R"("}]}}})");
  const Ended ended = run({{"validate", file("scaling.json")}, {}});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_NE(ended.out.find("scaling.json: ok"), std::string::npos) << ended.out;
}

/// From `seq` on, but with pauses of a millisecond.
TEST_F(Readme, the_drain_on_an_alarm_ends_and_its_table_is_listed) {
  const std::string text = readme();
  const std::size_t from = text.find("seq 1000");
  ASSERT_NE(from, std::string::npos);
  std::string script = text.substr(from, text.find("\n```", from) - from);
  const auto replace = [&](const std::string& part, const std::string& by) {
    for (std::size_t at = 0; (at = script.find(part, at)) != std::string::npos; at += by.size())
      script.replace(at, part.size(), by);
  };
  replace("build/release/sluice", "'" + build_root() + "/sluice'");
  replace("configs/drain-on-alarm.json", "'" + source_root() + "/configs/drain-on-alarm.json'");
  replace(" | ", " | timeout 60 ");
  replace("period=2s", "period=2s --set /services/drain/stages/0/duration=1ms --set '/state=" + file("state") + "'");
  const Ended ended = run({{"-c", script},
                           {{"TABLE", file("messages")}, {"NOTIFICATIONS", file("notifications.jsonl")}},
                           "/bin/sh"});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_NE(ended.err.find("drain: starts 4 workers, 4 run: alarm 'work-is-full' is in ALARM"), std::string::npos) << ended.err;
  EXPECT_NE(ended.out.find("exit 0"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("\"queueMessage\":\"100000001\""), std::string::npos) << ended.out;
}

TEST_F(Readme, the_alarm_is_a_good_one_and_its_defaults_true) {
  const std::string shown = block("json alarms");
  const Command valid = own(R"({"name":"drain","topics":{"alarms":{}},"queues":{"work":{},"notes":{"subscriptions":[{"topic":"alarms"}]}},)" +
                            shown + "}");
  const Ended ended = run({{"validate", valid.words[1]}, {}});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json schema = Json::parse(read_file(source_root() + "/docs/pipeline.schema.json"));
  const Json& keys = schema["properties"]["alarms"]["additionalProperties"]["properties"];
  const Json alarm = Json::parse("{" + shown + "}")["alarms"]["work-is-full"];
  int defaults = 0;
  for (const auto& [key, value] : alarm.items()) {
    ASSERT_TRUE(keys.contains(key)) << key;
    if (keys[key].contains("default")) {
      EXPECT_EQ(keys[key]["default"], value) << key;
      ++defaults;
    }
  }
  EXPECT_GE(defaults, 5);
}

TEST_F(Readme, the_fifo_queue_is_a_good_one) {
  put_file(folder() / "fifo.json", R"({"name":"fifo","queues":{)" + block("json fifo") + "}}");
  const Ended ended = run({{"validate", file("fifo.json")}, {}});
  EXPECT_EQ(ended.exit, 0) << ended.err;
}

TEST_F(Readme, every_path_of_the_layout_is_there) {
  std::istringstream layout(block("text"));
  int paths = 0;
  for (std::string path, rest; layout >> path && std::getline(layout, rest); ++paths) {
    EXPECT_TRUE(fs::exists(fs::path(source_root()) / path)) << path;
  }
  EXPECT_GE(paths, 10);
}

}  // namespace
}  // namespace sluice::test
