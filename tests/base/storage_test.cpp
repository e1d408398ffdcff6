// Files of the engine's own state.
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/storage.hpp"

/// What was synced, in order.
static std::vector<ino_t> synced;

/// In the place of the C library's.
extern "C" int fsync(int descriptor) {
  struct stat status {};
  ::fstat(descriptor, &status);
  synced.push_back(status.st_ino);
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace sluice::core {
namespace {

namespace fs = std::filesystem;

class FileStorageTest : public ::testing::Test {
 protected:
  FileStorageTest() {
    std::string pattern = (fs::temp_directory_path() / "sluice-storage-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FileStorageTest() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

TEST_F(FileStorageTest, what_is_appended_is_read_back_from_any_offset_and_after_reopening) {
  {
    auto file = file_storage().open_append(path("a"));
    ASSERT_TRUE(file);
    EXPECT_EQ((*file)->size(), 0u);
    ASSERT_TRUE((*file)->append("hello "));
    ASSERT_TRUE((*file)->append("world"));
    ASSERT_TRUE((*file)->sync());
    EXPECT_EQ(*(*file)->read(6, 100), "world");
    EXPECT_EQ(*(*file)->read(2, 3), "llo");
    EXPECT_EQ(*(*file)->read(50, 3), "");
  }
  auto again = file_storage().open_append(path("a"));
  EXPECT_EQ((*again)->size(), 11u);
  ASSERT_TRUE((*again)->append("!"));
  EXPECT_EQ(*(*again)->read(0, 100), "hello world!");
}

TEST_F(FileStorageTest, truncate_cuts_and_appending_goes_on_there) {
  auto file = file_storage().open_append(path("a"));
  ASSERT_TRUE((*file)->append("0123456789"));
  ASSERT_TRUE((*file)->truncate(4));
  ASSERT_TRUE((*file)->append("x"));
  EXPECT_EQ(*(*file)->read(0, 100), "0123x");
}

TEST_F(FileStorageTest, what_cannot_be_looked_at_counts_as_there_and_opening_it_tells_why) {
  EXPECT_FALSE(file_storage().exists(path("nothing")));
  EXPECT_FALSE(file_storage().exists(path("nothing/in it")));
  fs::create_symlink("loop", path("loop"));
  EXPECT_TRUE(file_storage().exists(path("loop")));
  EXPECT_TRUE(file_storage().exists(path("loop/in it")));
  const auto opened = file_storage().open_append(path("loop/in it"));
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("loop/in it': "), std::string::npos) << opened.error().message;
}

TEST_F(FileStorageTest, files_and_folders_are_the_owners_alone) {
  ASSERT_TRUE(file_storage().make_folders(path("one/two")));
  ASSERT_TRUE(file_storage().open_append(path("one/two/file")));
  struct stat status {};
  ::stat(path("one/two").c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ::stat(path("one/two/file").c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(FileStorageTest, folders_that_are_made_outlive_a_power_cut) {
  synced.clear();
  ASSERT_TRUE(file_storage().make_folders(path("one/two/three")));
  std::vector<ino_t> parents;
  for (const char* parent : {"one/two", "one", ""}) {
    struct stat status {};
    ::stat(path(parent).c_str(), &status);
    parents.push_back(status.st_ino);
  }
  EXPECT_EQ(synced, parents);
  synced.clear();
  ASSERT_TRUE(file_storage().make_folders(path("one/two/three")));
  EXPECT_TRUE(synced.empty()) << "they were there";
}

TEST_F(FileStorageTest, replace_puts_one_file_in_the_place_of_another) {
  std::ofstream(path("old")) << "old";
  std::ofstream(path("new")) << "new";
  ASSERT_TRUE(file_storage().replace(path("new"), path("old")));
  EXPECT_FALSE(fs::exists(path("new")));
  EXPECT_EQ(*(*file_storage().open_append(path("old")))->read(0, 9), "new");
  auto missing = file_storage().replace(path("nowhere"), path("old"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::io);
  EXPECT_NE(missing.error().message.find("nowhere"), std::string::npos);
}

TEST_F(FileStorageTest, removing_what_is_not_there_is_fine) {
  EXPECT_TRUE(file_storage().remove(path("nothing")));
}

TEST_F(FileStorageTest, a_symbolic_link_is_not_followed) {
  std::ofstream(path("target")) << "precious";
  fs::create_symlink(path("target"), path("link"));
  EXPECT_FALSE(file_storage().open_append(path("link")));
}

TEST_F(FileStorageTest, errors_name_the_path_and_the_reason) {
  auto file = file_storage().open_append(path("no/such/folder/file"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Errc::io);
  EXPECT_NE(file.error().message.find("no/such/folder/file"), std::string::npos);
  std::ofstream(path("plain")) << "";
  auto folder = file_storage().make_folders(path("plain/below"));
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Errc::cannot_create);
}

TEST_F(FileStorageTest, a_locked_folder_is_refused_until_its_holder_lets_go) {
  auto first = file_storage().lock_folder(folder_);
  ASSERT_TRUE(first);
  auto second = file_storage().lock_folder(folder_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::cannot_create);
  EXPECT_NE(second.error().message.find(folder_), std::string::npos);
  first->reset();
  EXPECT_TRUE(file_storage().lock_folder(folder_));
}

TEST_F(FileStorageTest, whoever_asks_whether_a_folder_is_locked_takes_nothing) {
  EXPECT_FALSE(file_storage().folder_is_locked(folder_));
  {
    auto holder = file_storage().lock_folder(folder_);
    ASSERT_TRUE(holder);
    EXPECT_TRUE(file_storage().folder_is_locked(folder_));
    EXPECT_TRUE(file_storage().folder_is_locked(folder_)) << "the first one's end lets go of nothing";
  }
  EXPECT_FALSE(file_storage().folder_is_locked(folder_));
}

TEST_F(FileStorageTest, the_lock_of_a_process_that_died_is_free) {
  pid_t child = ::fork();
  if (child == 0) {
    auto lock = file_storage().lock_folder(folder_);
    ::_exit(lock ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(file_storage().lock_folder(folder_));
}

}  // namespace
}  // namespace sluice::core
