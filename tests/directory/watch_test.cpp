#include "directory/watch.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sluice/plugin.hpp>

#include <ctime>
#include <memory>
#include <set>
#include <thread>

#include "directory/object.hpp"
#include "temporary_folder.hpp"

namespace sluice::directory {
namespace {

constexpr std::int64_t kForEver = 20'000;  // ms; a test that waits so long has failed

std::int64_t real_now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class WatchTest : public testing::Test {
 protected:
  void open(const std::string& prefix = {}, bool poll = false, bool leases = true) {
    WatchOptions options;
    options.prefix = prefix;
    options.poll = poll;
    options.poll_interval_ms = 5;
    options.leases = leases;
    options.now_ns = [this] { return real_now_ns() + clock_ahead_ns_; };
    options.log = [this](std::int32_t, std::string_view text) { log_ += std::string(text) + '\n'; };
    watch_ = std::make_unique<Watch>(root_, std::move(options));
  }

  /// One call; adds to told_.
  std::int32_t next(std::int64_t wait_ms = kForEver) {
    return watch_->next(wait_ms, [this](std::string_view key, std::uint64_t size,
                                        std::string_view etag, std::int64_t) {
      told_.emplace(key);
      sizes_[std::string(key)] = size;
      etags_.emplace(std::string(key) + ' ' + std::string(etag));
      ++calls_;
      return SLUICE_OK;
    });
  }

  /// Calls until nothing is left to tell; what was told.
  std::set<std::string> until_end() {
    told_.clear();
    std::int32_t status = SLUICE_OK;
    while (status == SLUICE_OK)
      status = next();
    EXPECT_EQ(status, SLUICE_END);
    return told_;
  }

  void put(const std::string& key, std::string_view text) {
    ObjectWriter writer(root_, key);
    writer.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    writer.commit();
  }

  std::string etag(const std::string& key) {
    struct stat status {};
    EXPECT_EQ(stat(folder_.at(key).c_str(), &status), 0);
    return etag_of(status);
  }

  test::TemporaryFolder folder_;
  test::TemporaryFolder elsewhere_;
  Root root_{folder_.path()};
  std::unique_ptr<Watch> watch_;
  std::int64_t clock_ahead_ns_ = 0;
  std::set<std::string> told_;
  std::set<std::string> etags_;
  std::unordered_map<std::string, std::uint64_t> sizes_;
  int calls_ = 0;
  std::string log_;
};

using Keys = std::set<std::string>;

/// What holds whether folders are watched or read again and again.
class BothModes : public WatchTest, public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Mode, BothModes, testing::Bool(),
                         [](const auto& mode) { return mode.param ? "polling" : "inotify"; });

TEST_P(BothModes, all_that_is_there_is_told_before_the_end) {
  for (const char* key : {"icons/a", "icons/b/c/d", "icons-16/a", "x"})
    folder_.write(key, "12345");
  folder_.write("icons/.sluice-tmp-1", "x");
  open("icons/", GetParam());

  EXPECT_EQ(until_end(), (Keys{"icons/a", "icons/b/c/d"}));
  EXPECT_EQ(etags_.count("icons/a " + etag("icons/a")), 1U);
  EXPECT_EQ(next(0), SLUICE_WOULD_BLOCK);
}

TEST_P(BothModes, an_empty_folder_is_at_its_end_at_once) {
  open("icons/", GetParam());
  EXPECT_EQ(next(0), SLUICE_END);
}

TEST_P(BothModes, new_changed_and_moved_in_objects_are_told) {
  folder_.write("old", "x");
  open({}, GetParam());
  until_end();

  folder_.write("new", "x");
  EXPECT_EQ(until_end(), Keys{"new"});
  put("put", "12345");
  EXPECT_EQ(until_end(), Keys{"put"});
  put("old", "changed");
  EXPECT_EQ(until_end(), Keys{"old"});
  EXPECT_EQ(sizes_["old"], 7U);
  elsewhere_.write("moved", "x");
  std::filesystem::rename(elsewhere_.at("moved"), folder_.at("moved"));
  EXPECT_EQ(until_end(), Keys{"moved"});
}

TEST_P(BothModes, new_and_moved_in_folders_are_told_with_all_that_is_in_them) {
  open({}, GetParam());
  until_end();

  folder_.write("a/b/c/x", "x");
  EXPECT_EQ(until_end(), Keys{"a/b/c/x"});
  folder_.write("a/b/c/y", "x");
  EXPECT_EQ(until_end(), Keys{"a/b/c/y"});
  elsewhere_.write("m/n/z", "x");
  std::filesystem::rename(elsewhere_.at("m"), folder_.at("m"));
  EXPECT_EQ(until_end(), Keys{"m/n/z"});
  folder_.write("m/n/later", "x");
  EXPECT_EQ(until_end(), Keys{"m/n/later"});
}

TEST_P(BothModes, a_prefix_whose_folder_comes_later_is_waited_for) {
  open("in/box/img", GetParam());
  EXPECT_EQ(until_end(), Keys{});

  folder_.write("in/box/other", "x");
  folder_.write("in/box/img-1", "x");

  EXPECT_EQ(until_end(), Keys{"in/box/img-1"});
}

TEST_P(BothModes, links_are_never_followed) {
  elsewhere_.write("secret", "x");
  std::filesystem::create_symlink(elsewhere_.path(), folder_.at("folder"));
  std::filesystem::create_symlink(elsewhere_.at("secret"), folder_.at("leaf"));
  open({}, GetParam());
  EXPECT_EQ(until_end(), Keys{});

  std::filesystem::create_symlink(elsewhere_.path(), folder_.at("folder2"));
  std::filesystem::rename(folder_.at("leaf"), folder_.at("leaf2"));
  folder_.write("real", "x");

  EXPECT_EQ(until_end(), Keys{"real"});
}

TEST_P(BothModes, a_file_that_is_being_written_is_waited_for_before_the_end) {
  folder_.write("done", "x");
  folder_.write("big", "1");
  Descriptor writer(::open(folder_.at("big").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  open({}, GetParam());
  EXPECT_EQ(next(), SLUICE_OK);
  EXPECT_EQ(told_, Keys{"done"});
  EXPECT_EQ(next(0), SLUICE_WOULD_BLOCK);  // neither told nor at the end

  ASSERT_EQ(write(writer.get(), "2345", 4), 4);
  EXPECT_EQ(next(0), SLUICE_WOULD_BLOCK);
  writer.reset();

  EXPECT_EQ(until_end(), Keys{"big"});
  EXPECT_EQ(sizes_["big"], 5U);
  EXPECT_EQ(etags_.count("big " + etag("big")), 1U);
}

TEST_P(BothModes, a_file_that_is_deleted_while_it_is_written_does_not_hold_up_the_end) {
  folder_.write("big", "1");
  const Descriptor writer(::open(folder_.at("big").c_str(), O_WRONLY | O_CLOEXEC));
  open({}, GetParam());
  EXPECT_EQ(next(0), SLUICE_WOULD_BLOCK);

  std::filesystem::remove(folder_.at("big"));

  EXPECT_EQ(until_end(), Keys{});
}

TEST_P(BothModes, without_leases_a_file_is_told_when_it_has_rested_for_a_second) {
  folder_.write("x", "x");
  open({}, GetParam(), false);
  EXPECT_EQ(next(0), SLUICE_WOULD_BLOCK);

  clock_ahead_ns_ = 1'100'000'000;

  EXPECT_EQ(until_end(), Keys{"x"});
}

TEST_P(BothModes, an_object_that_the_caller_did_not_take_is_told_again) {
  folder_.write("x", "x");
  open({}, GetParam());

  const std::int32_t status =
      watch_->next(kForEver, [](std::string_view, std::uint64_t, std::string_view, std::int64_t) {
        return SLUICE_UNAVAILABLE;
      });

  EXPECT_EQ(status, SLUICE_UNAVAILABLE);
  EXPECT_EQ(until_end(), Keys{"x"});
}

TEST_P(BothModes, cancelling_wakes_a_waiting_call_and_holds) {
  open({}, GetParam());
  until_end();
  std::int32_t status = SLUICE_OK;
  std::thread waiting([&] { status = next(-1); });

  watch_->cancel();
  waiting.join();

  EXPECT_EQ(status, SLUICE_CANCELLED);
  EXPECT_EQ(next(kForEver), SLUICE_CANCELLED);
}

TEST_P(BothModes, more_objects_than_a_call_tells_are_all_told) {
  for (int i = 0; i < 1000; ++i)
    folder_.write("f" + std::to_string(i % 7) + "/" + std::to_string(i), "x");
  open({}, GetParam());

  EXPECT_EQ(until_end().size(), 1000U);
  EXPECT_EQ(calls_, 1000);
}

TEST_F(WatchTest, a_lost_event_makes_it_read_everything_again) {
  folder_.write("a/x", "x");
  open();
  until_end();

  watch_->handle({IN_Q_OVERFLOW, "", ""});

  EXPECT_EQ(until_end(), Keys{"a/x"});
  folder_.write("a/y", "x");
  EXPECT_EQ(until_end(), Keys{"a/y"});
}

TEST_F(WatchTest, a_real_overflow_of_the_kernels_queue_loses_nothing) {
  open();
  until_end();
  std::ifstream limit_file("/proc/sys/fs/inotify/max_queued_events");
  int limit = 0;
  ASSERT_TRUE(limit_file >> limit);
  if (limit > 50'000)
    GTEST_SKIP() << "the queue takes " << limit << " events";
  elsewhere_.write("x", "x");
  for (int i = 0; i < limit; ++i) {  // in and out: fills the queue
    ASSERT_EQ(rename(elsewhere_.at("x").c_str(), folder_.at("x").c_str()), 0);
    ASSERT_EQ(rename(folder_.at("x").c_str(), elsewhere_.at("x").c_str()), 0);
  }
  for (const char* key : {"a/b/c", "d"})
    folder_.write(key, "x");  // of these no event comes

  EXPECT_EQ(until_end(), (Keys{"a/b/c", "d"}));
  EXPECT_NE(log_.find("reading all of it again"), std::string::npos);
}

TEST_F(WatchTest,
       a_folder_that_moves_away_is_watched_no_longer_and_one_that_moves_is_under_its_new_name) {
  folder_.write("a/sub/x", "x");
  open();
  until_end();

  std::filesystem::rename(folder_.at("a"), folder_.at("b"));
  EXPECT_EQ(until_end(), Keys{"b/sub/x"});
  folder_.write("b/sub/y", "x");
  EXPECT_EQ(until_end(), Keys{"b/sub/y"});
  std::filesystem::rename(folder_.at("b"), elsewhere_.at("b"));
  elsewhere_.write("b/sub/z", "x");
  folder_.write("last", "x");
  EXPECT_EQ(until_end(), Keys{"last"});
}

TEST_F(WatchTest, a_hard_link_is_told) {
  elsewhere_.write("x", "x");
  open();
  until_end();

  std::filesystem::create_hard_link(elsewhere_.at("x"), folder_.at("linked"));

  EXPECT_EQ(until_end(), Keys{"linked"});
}

TEST_F(WatchTest, polling_tells_a_version_once) {
  folder_.write("x", "x");
  open({}, true);
  until_end();

  EXPECT_EQ(next(30), SLUICE_WOULD_BLOCK);  // some six polls
  EXPECT_EQ(calls_, 1);
  std::filesystem::remove(folder_.at("x"));
  EXPECT_EQ(next(30), SLUICE_WOULD_BLOCK);
  folder_.write("x", "xy");
  EXPECT_EQ(until_end(), Keys{"x"});
}

TEST_F(WatchTest, a_prefix_that_no_key_can_have_is_refused) {
  for (const char* prefix : {"/icons", "../", "a//b"}) {
    EXPECT_THROW(open(prefix), Failure) << prefix;
  }
}

TEST_F(WatchTest, files_whose_paths_are_no_keys_are_left_out_and_named) {
  const std::string deep = std::string(250, 'a') + "/" + std::string(250, 'b') + "/" +
                           std::string(250, 'c') + "/" + std::string(250, 'd');
  folder_.write(deep + "/" + std::string(100, 'e'), "x");
  folder_.write("x", "x");
  open();

  EXPECT_EQ(until_end(), Keys{"x"});
  EXPECT_NE(log_.find("is left out: its key is 1104 bytes long"), std::string::npos) << log_;
}

}  // namespace
}  // namespace sluice::directory
