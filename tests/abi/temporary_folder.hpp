// A folder that vanishes with the test, and the libraries that the build made for these tests.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace sluice::core {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-abi-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A folder that the tests are told of (tests/meson.build).
inline std::filesystem::path folder_from_environment(const char* name) {
  const char* value = std::getenv(name);
  EXPECT_NE(value, nullptr) << name << " is not set: run me by 'meson test'";
  return value == nullptr ? "" : value;
}

/// The libraries of tests/abi/meson.build.
inline std::filesystem::path built(const std::string& name) {
  return folder_from_environment("SLUICE_BUILD_ROOT") / "tests/abi" / (name + ".so");
}

}  // namespace sluice::core
