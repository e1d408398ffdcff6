// Queues are listed, peeked into, redriven and purged: while the engine runs, and on what it
// stored.
#include <signal.h>

#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

/// Messages name objects that are not there (yet): each becomes a dead letter.
class Operate : public Pipeline {
 protected:
  Operate() {
    std::ofstream file(folder() / "in.jsonl");
    for (int i = 1; i <= 3; ++i)
      file << R"({"body":"x","attributes":{"s3.key":"key-)" << i << "\"}}\n";
  }
  Command pipeline(const Words& more = {}, const std::string& top = {}) {
    return own(R"({"name":"operate","state":"@/state",)" + top + R"(
      "buckets":{"graphics":{"type":"directory","path":"@/graphics"}},
      "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"jobs"}},
      "queues":{"jobs":{},"spare":{}},
      "services":{"work":{"queue":"jobs","stages":[{"type":"object_get","bucket":"graphics"},
                                                   {"type":"lines","path":"@/out.jsonl"}]}}})",
               more);
  }
  void make_objects() {
    for (int i = 1; i <= 3; ++i)
      put("key-" + std::to_string(i), "object " + std::to_string(i));
  }
  /// `sluice queue ...`; the configuration follows the action.
  Ended queue(const std::string& action, Words more = {}) {
    Words words{"queue", action, file("pipeline.json")};
    words.insert(words.end(), more.begin(), more.end());
    return run({words, {}});
  }
  Json listed(const std::string& name) {
    const Ended ended = queue("list", {"--json"});
    const Json all = ended.exit == 0 ? Json::parse(ended.out)["queues"] : Json::array();
    const auto found = std::ranges::find(
        all, name, [](const Json& queue) { return queue["name"].get<std::string>(); });
    return found != all.end() ? *found : Json();
  }
  std::size_t out() const { return lines("out.jsonl").size(); }
};

TEST_F(Operate, a_running_engine_through_its_admin_address) {
  Process engine(pipeline({"--admin", "127.0.0.1:0"}));
  engine.until_logged("is dead-lettered", 3);
  engine.until("the letters",
               [&] { return listed("jobs-dead")["ApproximateNumberOfMessages"] == 3; });
  EXPECT_EQ(listed("jobs")["NumberOfMessagesSent"], 3);
  EXPECT_EQ(listed("jobs")["fifo"], false);
  EXPECT_NE(queue("list").out.find("jobs-dead"), std::string::npos);

  const Ended peeked = queue("peek", {"jobs-dead", "--limit", "1"});
  EXPECT_EQ(peeked.exit, 0) << peeked.err;
  EXPECT_EQ(Json::parse(peeked.out)["dead_letter"]["source_queue"], "jobs");

  const Ended dry = queue("redrive", {"jobs-dead", "--dry-run"});
  EXPECT_NE(dry.out.find("3 of 3 letters would be moved"), std::string::npos) << dry.out << dry.err;
  EXPECT_EQ(listed("jobs-dead")["ApproximateNumberOfMessages"], 3);

  make_objects();
  const Ended redriven = queue("redrive", {"jobs-dead", "--json"});
  EXPECT_EQ(redriven.exit, 0) << redriven.err;
  EXPECT_EQ(Json::parse(redriven.out)["moved"], 3);
  engine.until("the work", [&] { return out() == 3; });
  EXPECT_NE(queue("redrive", {"jobs-dead", "--status"}).out.find("COMPLETED: 3 of 3"),
            std::string::npos);
  EXPECT_EQ(queue("redrive", {"jobs-dead", "--cancel"}).exit, 66);

  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(listed("jobs-dead")["ApproximateNumberOfMessages"], 0);
  EXPECT_FALSE(std::filesystem::exists(folder() / "state/admin"));
}

/// What stands in the state folder then is an address that another engine has by now.
TEST_F(Operate, an_engine_with_the_address_of_one_that_was_killed_is_asked_nothing) {
  Process engine(pipeline({"--admin", "127.0.0.1:0"}));
  engine.until_logged("is dead-lettered", 3);
  engine.until("the letters",
               [&] { return listed("jobs-dead")["ApproximateNumberOfMessages"] == 3; });
  const std::filesystem::path path = folder() / "state/admin";
  const std::string its_own = read_file(path);
  std::ofstream(path) << its_own.substr(0, its_own.find('\n')) << "\nof the one that was killed\n";

  const Ended purged = queue("purge", {"jobs-dead"});
  EXPECT_EQ(purged.exit, 69) << purged.out;
  EXPECT_NE(purged.err.find("another sluice answers"), std::string::npos) << purged.err;
  EXPECT_EQ(run({{"alarm", "list", file("pipeline.json")}, {}}).exit, 69);

  std::ofstream(path) << its_own;
  EXPECT_EQ(listed("jobs-dead")["ApproximateNumberOfMessages"], 3);
  engine.send(SIGTERM);
  EXPECT_EQ(engine.wait().exit, 0);
}

TEST_F(Operate, letters_of_a_stopped_engine_that_cannot_be_read_are_told_of) {
  run(pipeline({"--until-idle"}));
  const std::filesystem::path letters = folder() / "state/dead-letters/jobs-dead.jsonl";
  std::ofstream(letters, std::ios::app) << "who wrote this\n";
  const std::string told = "sluice: warning: '" + letters.string() + "', line 4 (from byte ";
  const Ended list = queue("list");
  EXPECT_EQ(list.exit, 65);
  EXPECT_NE(list.out.find("jobs-dead"), std::string::npos) << "the others are listed all the same";
  EXPECT_NE(list.err.find(told), std::string::npos) << list.err;
  EXPECT_NE(list.err.find("no JSON: "), std::string::npos) << list.err;
  const Ended peek = queue("peek", {"jobs-dead"});
  EXPECT_EQ(peek.exit, 65);
  EXPECT_EQ(std::ranges::count(peek.out, '\n'), 3) << peek.out;
  EXPECT_NE(peek.err.find(told), std::string::npos) << peek.err;
  const Ended redrive = queue("redrive", {"jobs-dead"});
  EXPECT_EQ(redrive.exit, 0) << "all that are letters are marked";
  EXPECT_NE(redrive.err.find(told), std::string::npos) << redrive.err;

  std::filesystem::remove(letters);
  std::filesystem::create_directory(letters);
  const Ended none = queue("list", {"--json"});
  EXPECT_EQ(none.exit, 74);
  EXPECT_EQ(Json::parse(none.out)["queues"].size(), 3U) << none.out;
  EXPECT_NE(none.err.find("queue 'jobs-dead': cannot open '" + letters.string()), std::string::npos) << none.err;
  EXPECT_EQ(queue("peek", {"jobs-dead"}).exit, 74);
}

TEST_F(Operate, a_letter_that_is_too_long_to_be_shown_is_told_by_its_size) {
  run(pipeline({"--until-idle"}));
  const std::string path = "state/dead-letters/jobs-dead.jsonl";
  Json letter = Json::parse(lines(path).front());
  letter["body"] = std::string(2 << 20, 'x');
  std::ofstream(folder() / path, std::ios::app) << letter.dump() << "\n";  // it takes the first one's place
  const Ended peeked = queue("peek", {"jobs-dead"});
  EXPECT_EQ(peeked.exit, 0) << peeked.err;
  EXPECT_EQ(std::ranges::count(peeked.out, '\n'), 3);
  EXPECT_LT(peeked.out.size(), 10'000U);
  EXPECT_NE(peeked.out.find("\"body_bytes\":2097152,"), std::string::npos);
  EXPECT_EQ(peeked.err, "");
}

TEST_F(Operate, a_stopped_engine_through_its_state_folder) {
  Command until_idle = pipeline({"--until-idle"});
  EXPECT_EQ(summary_of(run(until_idle))["dead_letters"], 3);
  EXPECT_EQ(listed("jobs-dead")["ApproximateNumberOfMessages"], 3);
  EXPECT_NE(queue("list").out.find("No engine runs"), std::string::npos);
  const Ended peeked = queue("peek", {"jobs-dead"});
  EXPECT_EQ(std::ranges::count(peeked.out, '\n'), 3) << peeked.err;

  const Ended marked = queue("redrive", {"jobs-dead"});
  EXPECT_EQ(marked.exit, 0) << marked.err;
  const std::string all = "MARKED: 3 of 3 letters marked, to go when the engine starts\n  3 to jobs\n";
  EXPECT_EQ(marked.out, all);
  EXPECT_EQ(queue("redrive", {"jobs-dead", "--status"}).out, all);
  make_objects();
  const Json summary = summary_of(run(until_idle));
  expect_conservation(summary);
  EXPECT_EQ(out(), 3U);
  EXPECT_EQ(summary["dead_letters"], 0);
  EXPECT_EQ(summary["queues"]["jobs"]["moved_in"], 3);
  EXPECT_EQ(queue("redrive", {"jobs-dead", "--status"}).exit, 66);
  EXPECT_EQ(queue("redrive", {"jobs-dead", "--cancel"}).exit, 66);
}

TEST_F(Operate, letters_of_a_queue_that_keeps_none_any_more_are_told_of) {
  run(pipeline({"--until-idle"}));
  const std::filesystem::path folder_of_letters = folder() / "state/dead-letters";
  std::filesystem::rename(folder_of_letters / "jobs-dead.jsonl", folder_of_letters / "old-dead.jsonl");
  const Ended list = queue("list", {"--json"});
  EXPECT_EQ(list.exit, 0) << list.err;
  EXPECT_NE(list.err.find("old-dead.jsonl' holds 3 dead letters of queue 'old-dead'"), std::string::npos) << list.err;
}

/// Messages of a topic's branches have the same id.
TEST_F(Operate, branches_that_share_a_dead_letter_queue_get_each_its_own_back) {
  const auto service = [](const std::string& name) {
    return "\"" + name + R"(":{"queue":")" + name + R"(","stages":[
        {"type":"object_get","bucket":"graphics"},{"type":"lines","path":"@/)" +
           name + ".jsonl\"}]}";
  };
  const std::string queue_of_topic =
      R"({"subscriptions":[{"topic":"all"}],"redrive_policy":{"dead_letter_queue":"dead"}})";
  const Command until_idle = own(R"({"name":"operate","state":"@/state","topics":{"all":{}},
      "buckets":{"graphics":{"type":"directory","path":"@/graphics"}},
      "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"all"}},
      "queues":{"a":)" + queue_of_topic +
                                     R"(,"b":)" + queue_of_topic + R"(,"dead":{}},
      "services":{)" + service("a") + "," +
                                     service("b") + "}}",
                                 {"--until-idle"});
  ASSERT_EQ(summary_of(run(until_idle))["dead_letters"], 6);
  EXPECT_NE(queue("redrive", {"dead"}).out.find("6 of 6 letters marked"), std::string::npos);
  make_objects();
  const Json summary = summary_of(run(until_idle));
  expect_conservation(summary);
  EXPECT_EQ(summary["dead_letters"], 0);
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(summary["queues"][name]["moved_in"], 3);
    EXPECT_EQ(lines(std::string(name) + ".jsonl").size(), 3U);
  }
}

TEST_F(Operate, a_purge_deletes_what_is_stored_whether_it_runs_or_not) {
  Command until_idle = pipeline({"--until-idle"});
  ASSERT_EQ(summary_of(run(until_idle))["dead_letters"], 3);
  const std::string state = read_file(folder() / "state/dead-letters/jobs-dead.jsonl");
  EXPECT_EQ(queue("purge", {"jobs-dead"}).out, "jobs-dead: 3 messages deleted\n");
  EXPECT_EQ(listed("jobs-dead")["ApproximateNumberOfMessages"], 0);

  put_file(folder() / "state/dead-letters/jobs-dead.jsonl", state);
  Process engine(pipeline({"--admin", "127.0.0.1:0"}));
  engine.until_logged("admin answers", 1);
  engine.until("an answer", [&] { return queue("list").exit == 0; });
  EXPECT_EQ(queue("purge", {"jobs-dead"}).out, "jobs-dead: 3 messages deleted\n");
  engine.send(SIGTERM);
  EXPECT_EQ(engine.wait().exit, 0);
  EXPECT_EQ(summary_of(run(until_idle))["dead_letters"], 0);
}

TEST_F(Operate, letters_of_one_reason_go_elsewhere_at_a_rate) {
  Process engine(pipeline({}, R"("admin":{"listen":"127.0.0.1:0"},)"));
  engine.until_logged("is dead-lettered", 3);
  engine.until("the letters",
               [&] { return listed("jobs-dead")["ApproximateNumberOfMessages"] == 3; });
  EXPECT_NE(queue("redrive", {"jobs-dead", "--reason", "no such thing"}).out.find("0 of 3"),
            std::string::npos);
  const Ended moved = queue(
      "redrive", {"jobs-dead", "--to", "spare", "--reason", "not_found", "--max-rate", "100"});
  EXPECT_NE(moved.out.find("3 to spare"), std::string::npos) << moved.out << moved.err;
  EXPECT_EQ(listed("spare")["ApproximateNumberOfMessages"], 3);
  EXPECT_EQ(std::ranges::count(queue("peek", {"spare"}).out, '\n'), 3);
  engine.send(SIGTERM);
  engine.wait();
  EXPECT_EQ(listed("jobs-dead")["ApproximateNumberOfMessages"], 3)
      << "they are stored until their end";
}

TEST_F(Operate, what_cannot_be_done_says_why) {
  const Command command = pipeline();
  const auto says = [](const Ended& ended, int exit, const std::string& text) {
    EXPECT_EQ(ended.exit, exit) << ended.err;
    EXPECT_NE(ended.err.find(text), std::string::npos) << ended.err;
  };
  says(queue("peek", {"job"}), 66, "did you mean \"jobs\"");
  says(queue("peek", {"../jobs"}), 64, "no name of a queue");
  says(queue("redrive", {"jobs"}), 64, "no dead-letter queue");
  says(queue("redrive", {"jobs-dead", "--max-rate", "5"}), 64, "running engine");
  says(queue("redrive", {"jobs-dead", "--max-rate", "0"}), 64, "max-rate");
  says(queue("redrive", {"jobs-dead", "--status", "--cancel"}), 64, "cancel");
  says(queue("peek", {"jobs", "--limit", "0"}), 64, "limit");
  says(run({{"queue", "list", "http://127.0.0.1:1"}, {}}), 69, "no answer");
  says(run({{"queue", "list", "http://nonsense"}, {}}), 64, "http://ADDR:PORT");
  says(run({{"queue", "list", file("none.json")}, {}}), 66, "none.json");
  says(run({{"queue"}, {}}), 64, "subcommand");
  EXPECT_FALSE(std::filesystem::exists(folder() / "state")) << "looking makes nothing";
  says(run(pipeline({"--admin", "nowhere"})), 64, "ADDRESS:PORT");
  says(run(pipeline({}, R"("admin":{"listen":"nowhere"},)")), 78, "ADDRESS:PORT");

  Process engine(pipeline({"--admin", "off"}, R"("admin":{"listen":"127.0.0.1:0"},)"));
  engine.until_logged("is dead-lettered", 3);
  says(queue("list"), 69, "--admin 127.0.0.1:9640");
  engine.send(SIGTERM);
  EXPECT_EQ(engine.wait().err.find("admin answers"), std::string::npos);
}

}  // namespace
}  // namespace sluice::test
