#include "directory/keys.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::directory {
namespace {

using namespace std::string_literals;

TEST(Keys, names_of_files_below_the_folder_are_keys) {
  for (const std::string& key :
       {"a"s, "a/b/c.png"s, "icons/a b+c.png"s, ".hidden"s, "..."s, "..a/b.."s, "a\nb"s,
        "\xff\xfe"s, "-rf"s, "a\\..\\b"s, "ü"s, std::string(255, 'n'),
        std::string(200, 'd') + "/" + std::string(255, 'n')}) {
    EXPECT_EQ(key_fault(key), "") << key;
  }
}

TEST(Keys, what_could_leave_the_folder_or_be_no_file_is_no_key) {
  struct Bad {
    std::string key;
    const char* fault;
  };
  std::string deep;
  for (std::size_t i = 0; i <= kDepthMax; ++i)
    deep += "d/";
  for (const Bad& bad : {
           Bad{"", "is empty"},
           Bad{"..", "\"..\""},
           Bad{"../x", "\"..\""},
           Bad{"a/../../x", "\"..\""},
           Bad{"a/..", "\"..\""},
           Bad{".", "\".\""},
           Bad{"./a", "\".\""},
           Bad{"a/./b", "\".\""},
           Bad{"/etc/passwd", "empty component"},
           Bad{"/", "empty component"},
           Bad{"a//b", "empty component"},
           Bad{"a/", "empty component"},
           Bad{"a\0b"s, "NUL"},
           Bad{"a\0"s, "NUL"},
           Bad{std::string(256, 'n'), "256 bytes"},
           Bad{"a/" + std::string(256, 'n') + "/b", "256 bytes"},
           Bad{std::string(250, 'a') + "/" + std::string(250, 'b') + "/" + std::string(250, 'c') +
                   "/" + std::string(250, 'd') + "/" + std::string(250, 'e'),
               "1254 bytes long"},
           Bad{deep + "x", "folders deep"},
           Bad{".sluice-tmp-0123456789abcdef", "kept for files being written"},
           Bad{"a/.sluice-tmp-x", "kept for files being written"},
           Bad{".sluice-tmp-x/a", "kept for files being written"},
       }) {
    const std::string fault = key_fault(bad.key);
    EXPECT_NE(fault.find(bad.fault), std::string::npos)
        << "key \"" << bad.key.substr(0, 40) << "\": " << fault;
  }
}

TEST(Keys, a_prefix_may_end_anywhere_in_a_key) {
  for (const std::string& prefix : {""s, "icons/"s, "icons/a"s, "."s, ".."s, "a/.."s, ".slu"s}) {
    EXPECT_EQ(prefix_fault(prefix), "") << prefix;
  }
  for (const std::string& prefix : {"/"s, "../"s, "a//"s, "a/../b"s, "a\0"s, std::string(256, 'n'),
                                    ".sluice-tmp-"s, ".sluice-tmp-1/a"s, std::string(1025, 'n')}) {
    EXPECT_NE(prefix_fault(prefix), "") << prefix;
  }
}

TEST(Keys, an_etag_is_size_and_time_in_hex) {
  struct stat status {};
  status.st_size = 0x1a2b;
  status.st_mtim = {1'767'225'600, 123'456'789};

  EXPECT_EQ(modified_ns(status), 1'767'225'600'123'456'789);
  EXPECT_EQ(etag_of(status), "1a2b-18867251f555cd15");
}

}  // namespace
}  // namespace sluice::directory
