// What keeps an engine from starting: each with its exit code and a text that names it.
#include <csignal>
#include <fstream>

#include <fmt/format.h>

#include "base/storage.hpp"
#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

class Start : public Pipeline {
 protected:
  static void expect_end(const Ended& ended, int exit, const std::string& part) {
    EXPECT_EQ(ended.exit, exit) << ended.err;
    EXPECT_NE(ended.err.find(part), std::string::npos)
        << "expected \"" << part << "\" in: " << ended.err;
    EXPECT_EQ(ended.out, "") << "no summary of a run that was none";
  }
};

TEST_F(Start, a_missing_config_is_66) {
  expect_end(run({{"run", file("none.json")}, {}}), 66, "none.json");
}

TEST_F(Start, a_folder_as_config_is_66) {
  expect_end(run({{"run", folder().string()}, {}}), 66, folder().string());
}

TEST_F(Start, a_malformed_config_is_78_with_its_place) {
  expect_end(run(own("{\n  \"name\": oops\n}\n")), 78, "pipeline.json:2:11: error: ");
}

TEST_F(Start, an_unknown_type_is_78_and_the_nearest_is_named) {
  expect_end(run(own(R"({"buckets": {"b": {"type": "directry", "path": "@"}}})")), 78,
             "did you mean \"directory\"?");
}

TEST_F(Start, a_missing_plugin_is_69_and_is_named) {
  fs::create_directories(folder() / "bin");
  fs::copy(build_root() + "/sluice", folder() / "bin/sluice");
  Command command = icons_until_idle();
  command.program = file("bin/sluice");
  expect_end(run(command), 69, "directory.so");
}

TEST_F(Start, a_plugin_that_is_no_library_is_69_and_is_named) {
  put_file(folder() / "plugins/image_resize.so", "this is no library");
  Command command = icons_until_idle();
  command.words.insert(command.words.end(), {"--plugin-dir", file("plugins")});
  expect_end(run(command), 69, "plugins/image_resize.so");
}

TEST_F(Start, a_missing_bucket_folder_is_66) {
  fs::remove_all(bucket());
  expect_end(run(icons_until_idle()), 66, bucket().string());
}

TEST_F(Start, a_bucket_that_is_a_file_is_66) {
  fs::remove_all(bucket());
  put_file(bucket(), "a file");
  expect_end(run(icons_until_idle()), 66, bucket().string());
}

TEST_F(Start, an_unreadable_bucket_folder_is_66) {
  if (::geteuid() == 0)
    GTEST_SKIP() << "root reads every folder";
  fs::permissions(bucket(), fs::perms::none);
  const Ended ended = run(icons_until_idle());
  fs::permissions(bucket(), fs::perms::owner_all);
  expect_end(ended, 66, bucket().string());
}

TEST_F(Start, a_state_folder_that_cannot_be_made_is_73) {
  put_file(folder() / "state", "a file where the folder should be");
  expect_end(run(icons_until_idle()), 73, file("state"));
}

TEST_F(Start, a_state_folder_in_use_is_73_and_the_other_engine_goes_on) {
  Process first(icons());
  put("icons/a.png", icon_png());
  first.until("it runs", [&] { return results() == 3; });

  expect_end(run(icons_until_idle()), 73, file("state"));

  put("icons/b.png", icon_png());
  first.until("it still runs", [&] { return results() == 6; });
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().exit, 0);
}

/// The second one's address is taken as well; what is wrong is that it runs already.
TEST_F(Start, a_state_folder_in_use_is_73_also_where_the_admin_address_is) {
  Command fixed = icons();
  fixed.words.insert(fixed.words.end(), {"--admin", "127.0.0.1:0"});
  Process first(fixed);
  put("icons/a.png", icon_png());
  first.until("it runs, and tells where it listens", [&] { return results() == 3 && std::filesystem::exists(folder() / "state/admin"); });
  const std::string address = read_file(folder() / "state/admin");
  Command second = icons_until_idle();
  second.words.insert(second.words.end(), {"--admin", address.substr(0, address.find('\n'))});

  expect_end(run(second), 73, file("state"));

  first.send(SIGTERM);
  EXPECT_EQ(first.wait().exit, 0);
}

TEST_F(Start, a_state_folder_inside_the_watched_prefix_is_78) {
  Command command = icons_until_idle();
  command.words.insert(command.words.end(),
                       {"--set", "/state=" + (bucket() / "icons/state").string()});
  expect_end(run(command), 78, "state");
}

TEST_F(Start, an_option_out_of_range_is_78) {
  Command command = icons_until_idle();
  command.words.insert(command.words.end(), {"--set", "/services/resize-16/stages/1/width=0"});
  expect_end(run(command), 78, "/services/resize-16/stages/1/width");
}

TEST_F(Start, an_event_that_never_happens_in_a_directory_is_78) {
  Command command = icons_until_idle();
  command.words.insert(command.words.end(),
                       {"--set", R"(/sources/uploads/events=["s3:ObjectRemoved:*"])"});
  expect_end(run(command), 78, "s3:ObjectRemoved:*");
}

/// An engine that reads so many dead letters at its start that signals come in the midst of it.
class SlowStart : public Start {
 protected:
  static constexpr int kLetters = 100'000;
  SlowStart() {
    std::string letters;
    for (int i = 0; i < kLetters; ++i) {
      letters += fmt::format(
          R"({{"id":"00000000-0000-4000-8000-{:012x}","body":"x","attributes":{{}},"sent":1,"receive_count":1,)"
          R"("dead_letter":{{"queue":"jobs-dead","source_queue":"jobs","reason":"r"}}}})"
          "\n",
          i);
    }
    put_file(folder() / "state/dead-letters/jobs-dead.jsonl", letters);
  }
  Command command() const {
    return own(R"({"state":"@/state","queues":{"jobs":{}},"services":{"work":{"queue":"jobs",)"
               R"("stages":[{"type":"lines","path":"@/out.jsonl"}]}}})");
  }
  /// Its handlers stand before it takes the lock.
  void await_lock(Process& process) const {
    process.until("its lock", [&] {
      return core::file_storage().folder_is_locked((folder() / "state").string());
    });
  }
};

TEST_F(SlowStart, a_signal_in_the_midst_of_it_stops_in_order_once_it_is_over) {
  Process process(command());
  await_lock(process);
  process.send(SIGHUP);
  process.send(SIGTERM);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], kLetters);
  EXPECT_NE(ended.err.find("stopping: finishing what is in hand"), std::string::npos) << ended.err;
}

TEST_F(SlowStart, the_second_signal_ends_it_at_once_with_75) {
  Process process(command());
  await_lock(process);
  process.until("its end", [&] {
    process.send(SIGTERM);
    return process.ends_within(std::chrono::milliseconds(20));
  });
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 75) << ended.err;
  EXPECT_NE(ended.err.find("before the start is over"), std::string::npos) << ended.err;
}

}  // namespace
}  // namespace sluice::test
