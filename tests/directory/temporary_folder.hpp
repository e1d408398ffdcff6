// A folder that is there for one test, and short ways to put files into it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace sluice::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = testing::TempDir() + "sluice-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr)
      std::abort();
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string at(std::string_view relative) const { return path_ + "/" + std::string(relative); }

  /// Writes a file in place, making its folders.
  void write(std::string_view relative, std::string_view text) const {
    const std::filesystem::path file = at(relative);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  std::string read(std::string_view relative) const {
    std::ifstream file(at(relative), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  bool exists(std::string_view relative) const {
    return std::filesystem::exists(std::filesystem::symlink_status(at(relative)));
  }
  /// Sets the time of the last change, in nanoseconds since 1970.
  void touch(std::string_view relative, std::int64_t ns) const {
    const timespec times[2] = {{ns / 1'000'000'000, ns % 1'000'000'000},
                               {ns / 1'000'000'000, ns % 1'000'000'000}};
    if (utimensat(AT_FDCWD, at(relative).c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      std::abort();
  }

 private:
  std::string path_;
};

}  // namespace sluice::test
