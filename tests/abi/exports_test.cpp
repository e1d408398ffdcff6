// What our plugins show to the linker: one symbol each, so that no two of them can meet there.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "abi/temporary_folder.hpp"

namespace sluice::core {
namespace {

/// The dynamic symbols that a library defines, a line each.
std::string exports_of(const std::filesystem::path& library) {
  std::string symbols;
  FILE* output = ::popen(
      ("nm -D --defined-only --format=just-symbols '" + library.string() + "'").c_str(), "r");
  for (int c; output != nullptr && (c = std::fgetc(output)) != EOF;) {
    symbols += static_cast<char>(c);
  }
  EXPECT_TRUE(output != nullptr && ::pclose(output) == 0) << library;
  return symbols;
}

TEST(Exports, of_each_plugin_are_its_entry_point_and_nothing_else) {
  int plugins = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           folder_from_environment("SLUICE_BUILD_ROOT") / "plugins")) {
    if (entry.path().extension() == ".so") {
      EXPECT_EQ(exports_of(entry.path()), "sluice_plugin_entry_v1\n") << entry.path();
      ++plugins;
    }
  }
  EXPECT_GE(plugins, 6);
}

}  // namespace
}  // namespace sluice::core
