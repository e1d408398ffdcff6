// What keeps an engine from starting: each with its exit code and a text that names it.
#include <csignal>
#include <fstream>

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

}  // namespace
}  // namespace sluice::test
