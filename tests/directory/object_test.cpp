#include "directory/object.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sluice/plugin.hpp>

#include <vector>

#include "directory/keys.hpp"
#include "directory/root.hpp"
#include "temporary_folder.hpp"

namespace sluice::directory {
namespace {

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The status that `action` fails with; SLUICE_OK if it does not.
template <class Action>
std::int32_t status_of(Action action) {
  try {
    action();
  } catch (const Failure& failure) {
    EXPECT_NE(std::string(failure.what()), "");
    return failure.status();
  }
  return SLUICE_OK;
}

/// Every test runs with both ways of resolving a key.
class Objects : public testing::TestWithParam<Root::Resolve> {
 protected:
  void put(const std::string& key, std::string_view text) {
    ObjectWriter writer(root_, key);
    writer.write(bytes(text));
    writer.commit();
  }
  std::string get(std::string_view key, std::string_view if_match = {}, std::uint64_t offset = 0) {
    std::uint64_t size = 0;
    const auto reader = open_object(root_, key, if_match, offset, &size);
    std::string text(size + 1, '\0');
    std::size_t got = 0;
    while (const std::size_t more = reader->read(
               {reinterpret_cast<std::uint8_t*>(text.data()) + got, text.size() - got})) {
      got += more;
    }
    return text.substr(0, got);
  }
  std::size_t entries(const std::string& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }

  test::TemporaryFolder outside_;
  test::TemporaryFolder folder_;
  Root root_{folder_.path(), GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Resolve, Objects,
                         testing::Values(Root::Resolve::by_kernel, Root::Resolve::by_component),
                         [](const auto& mode) {
                           return mode.param == Root::Resolve::by_kernel ? "by_kernel"
                                                                         : "by_component";
                         });

TEST_P(Objects, what_is_put_is_got_and_folders_are_made) {
  put("icons/a/b c+d.png", "hello");

  EXPECT_EQ(get("icons/a/b c+d.png"), "hello");
  EXPECT_EQ(get("icons/a/b c+d.png", {}, 2), "llo");
  EXPECT_EQ(get("icons/a/b c+d.png", {}, 99), "");
  EXPECT_EQ(folder_.read("icons/a/b c+d.png"), "hello");
}

TEST_P(Objects, a_put_is_not_visible_before_its_commit_and_leaves_nothing_without) {
  put("a/x", "old");
  {
    ObjectWriter writer(root_, "a/x");
    writer.write(bytes("new"));
    EXPECT_EQ(get("a/x"), "old");
    EXPECT_EQ(entries(folder_.at("a")), 2U);
  }
  EXPECT_EQ(get("a/x"), "old");
  EXPECT_EQ(entries(folder_.at("a")), 1U);
}

TEST_P(Objects, a_reader_keeps_its_version_while_a_put_replaces_it) {
  put("x", "first");
  std::uint64_t size = 0;
  const auto reader = open_object(root_, "x", {}, 0, &size);
  put("x", "second");

  std::uint8_t buffer[16];
  EXPECT_EQ(reader->read(buffer), 5U);
  EXPECT_EQ(std::string(buffer, buffer + 5), "first");
  EXPECT_EQ(get("x"), "second");
}

TEST_P(Objects, an_etag_that_does_not_match_is_a_conflict) {
  put("x", "12345");
  struct stat status {};
  ASSERT_EQ(stat(folder_.at("x").c_str(), &status), 0);

  EXPECT_EQ(get("x", etag_of(status)), "12345");
  EXPECT_EQ(status_of([&] { get("x", "5-1"); }), SLUICE_CONFLICT);
}

TEST_P(Objects, hostile_keys_are_invalid_for_every_call) {
  for (const std::string& key :
       {std::string("../x"), std::string("/etc/passwd"), std::string("a//b"), std::string("a/"),
        std::string(), std::string("a\0b", 3), std::string(256, 'n'),
        std::string(".sluice-tmp-1")}) {
    EXPECT_EQ(status_of([&] { get(key); }), SLUICE_INVALID) << key;
    EXPECT_EQ(status_of([&] { put(key, "x"); }), SLUICE_INVALID) << key;
    EXPECT_EQ(status_of([&] { remove_object(root_, key); }), SLUICE_INVALID) << key;
  }
  EXPECT_EQ(entries(folder_.path()), 0U);
}

TEST_P(Objects, symbolic_links_are_never_followed) {
  outside_.write("secret", "secret");
  folder_.write("real", "real");
  std::filesystem::create_symlink(outside_.path(), folder_.at("folder"));
  std::filesystem::create_symlink(outside_.at("secret"), folder_.at("leaf"));
  std::filesystem::create_symlink("real", folder_.at("inner"));
  std::filesystem::create_symlink(outside_.at("new"), folder_.at("dangling"));

  for (const char* key : {"folder/secret", "folder/new/x", "leaf", "inner", "dangling"}) {
    EXPECT_EQ(status_of([&] { get(key); }), SLUICE_INVALID) << key;
    EXPECT_EQ(status_of([&] { put(key, "overwritten"); }), SLUICE_INVALID) << key;
    EXPECT_EQ(status_of([&] { remove_object(root_, key); }), SLUICE_INVALID) << key;
  }
  EXPECT_EQ(outside_.read("secret"), "secret");
  EXPECT_EQ(entries(outside_.path()), 1U);
  EXPECT_TRUE(folder_.exists("leaf"));
}

TEST_P(Objects, what_is_no_file_is_not_found) {
  folder_.write("a/file", "x");
  ASSERT_EQ(mkfifo(folder_.at("pipe").c_str(), 0600), 0);

  for (const char* key : {"missing", "a", "a/missing", "missing/x", "a/file/x", "pipe"}) {
    EXPECT_EQ(status_of([&] { get(key); }), SLUICE_NOT_FOUND) << key;
  }
}

TEST_P(Objects, a_key_cannot_be_an_object_and_a_folder_at_once) {
  put("a/file", "x");

  EXPECT_EQ(status_of([&] { put("a", "x"); }), SLUICE_INVALID);
  EXPECT_EQ(status_of([&] { put("a/file/b", "x"); }), SLUICE_INVALID);
  EXPECT_EQ(status_of([&] { remove_object(root_, "a"); }), SLUICE_INVALID);
  EXPECT_EQ(get("a/file"), "x");
}

TEST_P(Objects, deleting_succeeds_whether_it_is_there_or_not) {
  put("a/x", "x");

  remove_object(root_, "a/x");
  remove_object(root_, "a/x");
  remove_object(root_, "nowhere/x");

  EXPECT_EQ(status_of([&] { get("a/x"); }), SLUICE_NOT_FOUND);
}

TEST_P(Objects, no_descriptors_left_is_unavailable_and_passes) {
  put("x", "x");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);

  const std::int32_t getting = status_of([&] { get("x"); });
  const std::int32_t putting = status_of([&] { put("y", "y"); });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

  EXPECT_EQ(getting, SLUICE_UNAVAILABLE);
  EXPECT_EQ(putting, SLUICE_UNAVAILABLE);
  EXPECT_EQ(get("x"), "x");
}

TEST_P(Objects, a_file_over_the_systems_limit_is_too_large_and_leaves_nothing) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {4096, before.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);

  const std::int32_t status = status_of([&] { put("big", std::string(10'000, 'x')); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);

  EXPECT_EQ(status, SLUICE_TOO_LARGE);
  EXPECT_EQ(entries(folder_.path()), 0U);
}

TEST(Root, a_missing_folder_is_named) {
  try {
    Root root("/nowhere/at/all");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.status(), SLUICE_NOT_FOUND);
    EXPECT_NE(std::string(failure.what()).find("/nowhere/at/all"), std::string::npos);
  }
}

TEST(Errors, the_systems_errors_say_whether_a_retry_helps) {
  const auto status = [](int error) { return status_of([&] { fail(error, "put", "x"); }); };
  EXPECT_EQ(status(ENOSPC), SLUICE_UNAVAILABLE);
  EXPECT_EQ(status(EDQUOT), SLUICE_UNAVAILABLE);
  EXPECT_EQ(status(EMFILE), SLUICE_UNAVAILABLE);
  EXPECT_EQ(status(EIO), SLUICE_UNAVAILABLE);
  EXPECT_EQ(status(EACCES), SLUICE_DENIED);
  EXPECT_EQ(status(EROFS), SLUICE_DENIED);
  EXPECT_EQ(status(ENOENT), SLUICE_NOT_FOUND);
  EXPECT_EQ(status(ENAMETOOLONG), SLUICE_INVALID);
}

TEST(StaleFiles, temporary_files_of_dead_writers_are_removed_and_nothing_else) {
  test::TemporaryFolder folder;
  const Root root(folder.path());
  constexpr std::int64_t kHourNs = 3'600'000'000'000;
  const std::int64_t now_ns = std::int64_t{time(nullptr)} * 1'000'000'000;
  folder.write("a/.sluice-tmp-old", "x");
  folder.write("a/.sluice-tmp-new", "x");
  folder.write("a/old", "x");
  folder.touch("a/.sluice-tmp-old", now_ns - 2 * kHourNs);
  folder.touch("a/old", now_ns - 2 * kHourNs);

  remove_stale(root, now_ns, 100);

  EXPECT_FALSE(folder.exists("a/.sluice-tmp-old"));
  EXPECT_TRUE(folder.exists("a/.sluice-tmp-new"));
  EXPECT_TRUE(folder.exists("a/old"));
}

}  // namespace
}  // namespace sluice::directory
