#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

struct Close {
  void operator()(sluice_reader* reader) const { host().close(reader); }
};
using Reader = std::unique_ptr<sluice_reader, Close>;

std::string error() {
  return std::string(view(host().last_error()));
}

/// Status and bytes of one read of at most `capacity`.
std::pair<int32_t, std::string> read(sluice_reader& reader, std::size_t capacity) {
  std::string into(capacity, '?');
  uint64_t got = 99;
  const int32_t status =
      host().read(&reader, reinterpret_cast<uint8_t*>(into.data()), capacity, &got);
  return {status, into.substr(0, got)};
}

class Objects : public testing::Test {
 protected:
  Objects() { bucket_.objects["k"] = "hello world"; }
  Reader open(uint64_t offset = 0) {
    sluice_reader* reader = nullptr;
    EXPECT_EQ(host().object_open(&ref_, str("k"), str(""), offset, &reader, &size_), SLUICE_OK)
        << error();
    return Reader(reader);
  }
  sluice_writer* create() {
    sluice_writer* writer = nullptr;
    EXPECT_EQ(host().object_create(&ref_, str("new"), str("text/plain"), &writer), SLUICE_OK);
    return writer;
  }
  FakeBucket bucket_;
  sluice_bucket_ref ref_{&kFakeBucket, &bucket_, "graphics", "", "", sluice_bucket_ref::all};
  uint64_t size_ = 0;
};

TEST_F(Objects, are_read_forward_to_their_end_and_stay_there) {
  const Reader reader = open(6);
  EXPECT_EQ(size_, 11u);
  EXPECT_EQ(read(*reader, 3), std::pair(SLUICE_OK + 0, std::string("wor")));
  EXPECT_EQ(read(*reader, 0), std::pair(SLUICE_OK + 0, std::string()));
  EXPECT_EQ(read(*reader, 9), std::pair(SLUICE_OK + 0, std::string("ld")));
  EXPECT_EQ(read(*reader, 9), std::pair(SLUICE_END + 0, std::string()));
  bucket_.fail_with = SLUICE_FATAL;  // the bucket is not asked again
  EXPECT_EQ(read(*reader, 9), std::pair(SLUICE_END + 0, std::string()));
}

TEST_F(Objects, closing_gives_the_buckets_handle_back) {
  open();
  EXPECT_EQ(bucket_.handles, 0);
  host().close(nullptr);
}

TEST_F(Objects, an_open_that_fails_leaves_no_handle_and_the_buckets_text) {
  bucket_.fail_with = SLUICE_UNAVAILABLE;
  bucket_.text = "the disk is on fire";
  sluice_reader* reader = nullptr;
  EXPECT_EQ(host().object_open(&ref_, str("k"), str(""), 0, &reader, &size_), SLUICE_UNAVAILABLE);
  EXPECT_EQ(error(), "the disk is on fire");
  EXPECT_EQ(reader, nullptr);
  EXPECT_EQ(bucket_.handles, 0);
}

TEST_F(Objects, an_error_while_reading_is_told) {
  const Reader reader = open();
  bucket_.fail_with = SLUICE_UNAVAILABLE;
  bucket_.text = "gone";
  EXPECT_EQ(read(*reader, 4), std::pair(SLUICE_UNAVAILABLE + 0, std::string()));
  EXPECT_EQ(error(), "gone");
}

TEST_F(Objects, a_bucket_that_claims_more_than_fits_is_stopped) {
  const Reader reader = open();
  bucket_.overclaim = 1'000;
  EXPECT_EQ(read(*reader, 4), std::pair(SLUICE_FATAL + 0, std::string()));
}

TEST_F(Objects, what_is_committed_is_visible_and_what_is_aborted_is_not) {
  sluice_writer* kept = create();
  EXPECT_EQ(host().write(kept, reinterpret_cast<const uint8_t*>("abc"), 3), SLUICE_OK);
  EXPECT_EQ(host().object_commit(kept), SLUICE_OK);
  EXPECT_EQ(bucket_.objects["new"], "abc");
  bucket_.objects.erase("new");
  host().object_abort(create());
  host().object_abort(nullptr);
  EXPECT_FALSE(bucket_.objects.contains("new"));
  EXPECT_EQ(bucket_.handles, 0);
}

TEST_F(Objects, a_commit_that_fails_ends_the_writer_too) {
  sluice_writer* writer = create();
  bucket_.fail_with = SLUICE_UNAVAILABLE;
  EXPECT_EQ(host().object_commit(writer), SLUICE_UNAVAILABLE);
  EXPECT_EQ(error(), "cannot commit the object: unavailable");
  EXPECT_EQ(bucket_.handles, 0);
}

TEST_F(Objects, are_deleted) {
  EXPECT_EQ(host().object_delete(&ref_, str("k")), SLUICE_OK);
  EXPECT_EQ(host().object_delete(&ref_, str("k")), SLUICE_NOT_FOUND);
}

TEST_F(Objects, calls_on_nothing_are_invalid) {
  uint64_t got = 0;
  EXPECT_EQ(host().object_open(nullptr, str("k"), str(""), 0, nullptr, nullptr), SLUICE_INVALID);
  EXPECT_EQ(host().read(nullptr, nullptr, 0, &got), SLUICE_INVALID);
  EXPECT_EQ(host().object_commit(nullptr), SLUICE_INVALID);
  EXPECT_EQ(host().watch_next(nullptr, 0, nullptr, nullptr), SLUICE_INVALID);
}

TEST(Readers, all_of_a_body_comes_into_memory_up_to_the_limit) {
  const std::string big(300'000, 'x');
  for (const auto& [size, limit, status] :
       {std::tuple(big.size(), big.size(), SLUICE_OK + 0),
        std::tuple(big.size(), big.size() - 1, SLUICE_TOO_LARGE + 0),
        std::tuple(big.size(), std::size_t{UINT64_MAX}, SLUICE_OK + 0),
        std::tuple(std::size_t{0}, std::size_t{0}, SLUICE_OK + 0),
        std::tuple(std::size_t{1}, std::size_t{0}, SLUICE_TOO_LARGE + 0)}) {
    const Reader reader(memory_reader(big.substr(0, size)));
    std::string body = "old";
    EXPECT_EQ(read_all(*reader, limit, &body), status);
    EXPECT_EQ(body.size(), status == SLUICE_OK ? size : 0u);
  }
  EXPECT_EQ(error(), "the body is longer than 0 bytes");
}

TEST(Readers, a_file_is_read_and_its_descriptor_closed) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::write(ends[1], "abc", 3), 3);
  ::close(ends[1]);
  Reader reader(file_reader(ends[0]));
  std::string body;
  EXPECT_EQ(read_all(*reader, 100, &body), SLUICE_OK);
  EXPECT_EQ(body, "abc");
  reader.reset();
  EXPECT_EQ(::fcntl(ends[0], F_GETFD), -1);
}

TEST(Readers, a_file_that_cannot_be_read_is_an_error) {
  const Reader reader(file_reader(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  EXPECT_EQ(read(*reader, 10).first, SLUICE_UNAVAILABLE);
  EXPECT_NE(error().find("cannot read"), std::string::npos);
}

}  // namespace
}  // namespace sluice::core
