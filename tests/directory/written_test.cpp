#include "directory/written.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <ctime>
#include <thread>

#include "directory/descriptor.hpp"
#include "temporary_folder.hpp"

namespace sluice::directory {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

class BeingWritten : public testing::Test {
 protected:
  BeingWritten() { folder_.write("x", "12345"); }
  Written look_at(bool leases, std::int64_t now) {
    const Descriptor file(open(folder_.at("x").c_str(), O_RDONLY | O_CLOEXEC));
    return look(file.get(), leases, now, &earlier_, &status_);
  }

  test::TemporaryFolder folder_;
  EarlierLook earlier_;
  struct stat status_ {};
};

TEST_F(BeingWritten, a_file_is_complete_once_its_writer_has_closed_it) {
  Descriptor writer(open(folder_.at("x").c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(look_at(true, now_ns()), Written::being_written);

  writer.reset();

  EXPECT_EQ(look_at(true, now_ns()), Written::complete);
  EXPECT_EQ(status_.st_size, 5);
}

TEST_F(BeingWritten, a_reader_is_no_writer) {
  const Descriptor reader(open(folder_.at("x").c_str(), O_RDONLY | O_CLOEXEC));

  EXPECT_EQ(look_at(true, now_ns()), Written::complete);
}

TEST_F(BeingWritten, an_empty_file_is_complete_only_when_it_is_a_tenth_of_a_second_old) {
  folder_.write("x", "");
  const std::int64_t now = now_ns();

  EXPECT_EQ(look_at(true, now), Written::being_written);
  EXPECT_EQ(look_at(true, now + kSecond / 5), Written::complete);
}

TEST_F(BeingWritten, without_leases_a_file_rests_for_a_second_first) {
  const std::int64_t now = now_ns();

  EXPECT_EQ(look_at(false, now), Written::being_written);
  EXPECT_EQ(look_at(false, now + kSecond + kSecond / 10), Written::complete);
}

TEST_F(BeingWritten, without_leases_a_time_set_back_does_not_make_a_file_old) {
  folder_.touch("x", 1'000 * kSecond);

  EXPECT_EQ(look_at(false, now_ns()), Written::being_written);
}

TEST_F(BeingWritten, without_leases_a_time_in_the_future_counts_from_the_first_look) {
  const std::int64_t now = now_ns() - 3600 * kSecond;  // our clock is an hour late

  EXPECT_EQ(look_at(false, now), Written::being_written);
  EXPECT_EQ(look_at(false, now + kSecond / 2), Written::being_written);
  folder_.write("x", "123456");  // a change begins the second anew
  EXPECT_EQ(look_at(false, now + kSecond), Written::being_written);
  EXPECT_EQ(look_at(false, now + 2 * kSecond), Written::complete);
}

// The kernel signals the holder of a lease when somebody wants to write; by default with SIGIO,
// which would end this process.
TEST_F(BeingWritten, a_writer_that_comes_during_the_look_harms_nobody) {
  std::atomic<bool> stop{false};
  std::thread writers([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      const Descriptor writer(open(folder_.at("x").c_str(), O_WRONLY | O_CLOEXEC));
      EXPECT_TRUE(writer);
    }
  });
  int complete = 0, being_written = 0;
  for (int i = 0; i < 20'000; ++i) {
    (look_at(true, now_ns()) == Written::complete ? complete : being_written) += 1;
  }
  stop.store(true, std::memory_order_relaxed);
  writers.join();

  EXPECT_GT(complete, 0);
  EXPECT_GT(being_written, 0);
}

}  // namespace
}  // namespace sluice::directory
