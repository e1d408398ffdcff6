// Files that are no plugin of ours, or a wrong one: one line each, naming file and reason.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "abi/temporary_folder.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class BadLibraries : public testing::Test {
 protected:
  fs::path bad() const { return folder_.path() / "bad.so"; }
  void write(const std::string& bytes) const { std::ofstream(bad(), std::ios::binary) << bytes; }

  /// bad.so, whatever stands there now, is refused for `reason` where it is needed, and only there.
  void expect_refused(std::string_view reason) const {
    Registry plugins({folder_.path().string()}, {});
    const auto found = plugins.find("stage", "bad");
    ASSERT_FALSE(found.has_value()) << reason;
    EXPECT_EQ(found.error().code, Errc::unavailable);
    EXPECT_TRUE(found.error().message.starts_with("plugin library " + bad().string() + ": "))
        << found.error().message;
    EXPECT_NE(found.error().message.find(reason), std::string::npos) << found.error().message;
    EXPECT_EQ(found.error().message.find('\n'), std::string::npos);
    expect_others_work();
  }

  void expect_others_work() const {
    fs::copy_file(built("upper"), folder_.path() / "upper.so",
                  fs::copy_options::skip_existing);  // it may be mapped: never written over
    Registry plugins({folder_.path().string()}, {});
    EXPECT_TRUE(plugins.find("stage", "upper").has_value());
    EXPECT_TRUE(plugins.find("source", "count_up").has_value());
    std::vector<Error> failures;
    EXPECT_EQ(plugins.all(&failures).size(), 2u);
    EXPECT_EQ(failures.size(), 1u);
  }
  TemporaryFolder folder_;
};

struct Wrong {
  const char* library;
  const char* reason;
};

class WrongPlugins : public BadLibraries, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongPlugins, are_refused_with_their_reason) {
  fs::copy_file(built(GetParam().library), bad());
  expect_refused(GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Table, WrongPlugins,
    testing::Values(Wrong{"bad_major", "is built for plugin ABI 2.1, this sluice speaks 1."},
                    Wrong{"bad_short_struct", "sluice_plugin has struct_size 12"},
                    Wrong{"bad_short_component",
                          "component \"bad\": its sluice_component has struct_size 24"},
                    Wrong{"bad_missing_symbol", "it exports no sluice_plugin_entry_v1"},
                    Wrong{"bad_unresolved", "undefined symbol: nowhere_to_be_found"},
                    Wrong{"bad_null_entry", "answered NULL"}),
    [](const auto& entry) { return std::string(entry.param.library); });

TEST_F(BadLibraries, a_newer_minor_version_is_welcome) {
  fs::copy_file(built("newer_minor"), bad());
  Registry plugins({folder_.path().string()}, {});
  const auto found = plugins.find("stage", "bad");
  EXPECT_TRUE(found.has_value()) << found.error().message;
}

TEST_F(BadLibraries, files_that_are_no_library_are_refused) {
  write("");
  expect_refused("is empty");
  write(
      "\x7F"
      "EL");
  expect_refused("is not an ELF file");
  write("#!/bin/sh\necho hello, this is long enough to hold an ELF header, but is none\n");
  expect_refused("is not an ELF file");
}

TEST_F(BadLibraries, folders_pipes_and_dangling_links_are_refused) {
  fs::create_directory(bad());
  expect_refused("is a folder");
  fs::remove(bad());
  ASSERT_EQ(::mkfifo(bad().c_str(), 0600), 0);
  expect_refused("is no regular file");
  fs::remove(bad());
  fs::create_symlink("/nonexistent", bad());
  expect_refused("No such file");
}

TEST_F(BadLibraries, another_processors_library_is_refused) {
  std::string bytes = bytes_of(built("upper"));
  bytes[18] = '\x28';  // e_machine: 40 is ARM
  bytes[19] = '\0';
  write(bytes);
  expect_refused("is built for another processor (ELF machine 40");
}

TEST_F(BadLibraries, a_library_cut_at_any_place_never_ends_the_process) {
  const std::string bytes = bytes_of(built("upper"));
  ASSERT_GT(bytes.size(), 4096u);
  std::size_t refused = 0, cuts = 0;
  for (std::size_t cut = 1; cut < bytes.size();
       cut += std::max<std::size_t>(1, bytes.size() / 97), ++cuts) {
    TemporaryFolder folder;  // dlopen remembers files by inode
    std::ofstream(folder.path() / "bad.so", std::ios::binary) << bytes.substr(0, cut);
    Registry plugins({folder.path().string()}, {});
    refused += plugins.find("stage", "bad").has_value() ? 0 : 1;
  }
  // Cut behind its last segment it misses section headers only, and is sound for the loader.
  EXPECT_GT(refused, cuts / 4);
}

TEST_F(BadLibraries, a_bad_library_is_named_when_a_type_is_not_found_anywhere) {
  write("no library");
  Registry plugins({folder_.path().string()}, {"image_resize"});
  EXPECT_NE(plugins.find("stage", "image_resize").error().message.find(bad().string()),
            std::string::npos);
  EXPECT_NE(plugins.find("stage", "thumbnail").error().message.find(bad().string()),
            std::string::npos);
}

TEST_F(BadLibraries, ten_thousand_files_are_no_burden) {
  for (int i = 0; i < 10'000; ++i) {
    std::ofstream(folder_.path() / (std::to_string(i) + (i % 10 == 0 ? ".so" : ".txt")))
        << "no library";
  }
  fs::copy_file(built("upper"), folder_.path() / "upper.so");
  Registry plugins({folder_.path().string()}, {});
  EXPECT_TRUE(plugins.find("stage", "upper").has_value());
  const auto missing = plugins.find("stage", "missing");
  EXPECT_NE(missing.error().message.find("and 997 more that do not load"), std::string::npos)
      << missing.error().message;
  std::vector<Error> failures;
  EXPECT_EQ(plugins.all(&failures).size(), 2u);
  EXPECT_EQ(failures.size(), 1'000u);
}

}  // namespace
}  // namespace sluice::core
