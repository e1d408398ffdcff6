// The file that sinks append to.
#include "lines/appender.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <set>
#include <sluice/plugin.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "directory/temporary_folder.hpp"
#include "support/file_limit.hpp"

namespace sluice::test {
namespace {

using lines::Appender;

const std::atomic<bool> kRunning{false};

TEST(Appender, appends_to_what_is_there) {
  const TemporaryFolder folder;
  folder.write("out", "old\n");
  Appender::open(folder.at("out"))->append("a\nb\n", kRunning);
  EXPECT_EQ(folder.read("out"), "old\na\nb\n");
}

TEST(Appender, a_torn_line_of_a_killed_process_is_cut_off_and_other_text_is_not) {
  const TemporaryFolder folder;
  const std::string long_line = R"({"id":")" + std::string(200'000, 'x');
  for (const std::string& torn : {std::string("{"), std::string(R"({"id":"5","bo)"), long_line}) {
    folder.write("out", "old\n" + torn);
    Appender::open(folder.at("out"))->append("a\n", kRunning);
    EXPECT_EQ(folder.read("out"), "old\na\n");
  }
  folder.write("out", "my own notes");
  Appender::open(folder.at("out"))->append("a\n", kRunning);
  EXPECT_EQ(folder.read("out"), "my own notes\na\n");
}

TEST(Appender, a_full_disk_fails_the_append_and_leaves_whole_lines) {
  const TemporaryFolder folder;
  const auto appender = Appender::open(folder.at("out"));
  appender->append("first\n", kRunning);
  {
    const FileLimit limit(10);
    EXPECT_THROW(appender->append("second\nthird\n", kRunning), Failure);
    EXPECT_EQ(folder.read("out"), "first\n");
  }
  appender->append("second\nthird\n", kRunning);
  appender->sync();
  EXPECT_EQ(folder.read("out"), "first\nsecond\nthird\n");
}

TEST(Appender, sinks_of_one_path_do_not_tear_each_others_lines) {
  const TemporaryFolder folder;
  constexpr int kThreads = 4, kAppends = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, appender = Appender::open(folder.at("out")), t] {
      const std::string line(static_cast<std::size_t>(5'000 + t), static_cast<char>('a' + t));
      for (int i = 0; i < kAppends; ++i)
        appender->append(line + "\n" + line + "\n", kRunning);
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  std::istringstream text(folder.read("out"));
  int count = 0;
  for (std::string line; std::getline(text, line); ++count) {
    const std::set<char> letters(line.begin(), line.end());
    ASSERT_EQ(letters.size(), 1U);
    ASSERT_EQ(line.size(), 5'000U + static_cast<std::size_t>(line[0] - 'a'));
  }
  EXPECT_EQ(count, kThreads * kAppends * 2);
}

TEST(Appender, a_pipe_whose_reader_is_gone_fails_the_append) {
  std::signal(SIGPIPE, SIG_IGN);
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo(folder.at("fifo").c_str(), 0600), 0);
  const int reader = ::open(folder.at("fifo").c_str(), O_RDONLY | O_NONBLOCK);
  const auto appender = Appender::open(folder.at("fifo"));
  appender->append("a\n", kRunning);
  appender->sync();
  ::close(reader);
  EXPECT_THROW(appender->append("b\n", kRunning), Failure);
}

TEST(Appender, a_full_pipe_is_waited_for_until_it_is_stopped_and_its_torn_line_is_continued) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo(folder.at("fifo").c_str(), 0600), 0);
  const int reader = ::open(folder.at("fifo").c_str(), O_RDONLY | O_NONBLOCK);
  const auto appender = Appender::open(folder.at("fifo"));
  const std::string big(100'000, 'x');  // a pipe holds 64 KiB
  const std::atomic<bool> stopped{true};
  EXPECT_THROW(appender->append("a\n" + big + "\nb\n", stopped), Failure);

  std::string got;
  std::thread reading([&] {
    std::string block(4096, '\0');
    while (got.size() < big.size() + 5) {
      pollfd ready{reader, POLLIN, 0};
      ::poll(&ready, 1, -1);
      if (const ssize_t bytes = ::read(reader, block.data(), block.size()); bytes > 0)
        got.append(block, 0, static_cast<std::size_t>(bytes));
    }
  });
  appender->append("c\n", kRunning);
  reading.join();
  ::close(reader);

  EXPECT_EQ(got, "a\n" + big + "\nc\n");
}

TEST(Appender, a_file_that_cannot_be_made_is_named) {
  const TemporaryFolder folder;
  try {
    Appender::open(folder.at("no/such/folder"));
    ADD_FAILURE() << "it was opened";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.status(), SLUICE_UNAVAILABLE);
    EXPECT_NE(std::string(failure.what()).find("no/such/folder"), std::string::npos);
  }
}

}  // namespace
}  // namespace sluice::test
