// The cores that cgroups grant, by folders that stand for them.
#include "base/cpu.hpp"

#include <gtest/gtest.h>

#include "directory/temporary_folder.hpp"

namespace sluice::core {
namespace {

class CgroupQuota : public testing::Test {
 protected:
  /// "" is the root.
  void limit(const std::string& group, const std::string& text) const { folder_.write(group + "/cpu.max", text); }
  int cores(const std::string& membership) const { return cgroup_quota_cores(folder_.path(), membership); }

  test::TemporaryFolder folder_;
};

TEST_F(CgroupQuota, is_the_own_groups_rounded_up) {
  limit("a/b", "150000 100000\n");
  EXPECT_EQ(cores("0::/a/b\n"), 2);
  limit("a/b", "50000 100000\n");
  EXPECT_EQ(cores("0::/a/b\n"), 1);
  limit("a/b", "400000 100000\n");
  EXPECT_EQ(cores("0::/a/b\n"), 4);
  EXPECT_EQ(cores("0::/a\n"), 0) << "a group below limits nobody";
  EXPECT_EQ(cores("0::/a/b (deleted)\n"), 0);
}

TEST_F(CgroupQuota, is_the_least_up_to_the_root) {
  limit("a/b/c", "800000 100000\n");
  limit("a", "300000 100000\n");
  EXPECT_EQ(cores("0::/a/b/c\n"), 3);
  limit("", "200000 100000\n");
  EXPECT_EQ(cores("0::/a/b/c\n"), 2);
  EXPECT_EQ(cores("0::/\n"), 2);
}

TEST_F(CgroupQuota, is_none_where_there_is_no_number) {
  for (const char* text : {"max 100000\n", "", "garbage\n", "100000\n", "0 100000\n", "-1 100000\n", "100000 0\n"}) {
    limit("a", text);
    EXPECT_EQ(cores("0::/a\n"), 0) << text;
  }
}

TEST_F(CgroupQuota, is_the_roots_where_the_group_cannot_be_told) {
  limit("", "300000 100000\n");
  limit("a", "100000 100000\n");
  for (const char* membership : {"", "0::\n", "0::a\n", "0::/..\n", "0::/../..\n", "0::/../a\n", "0::/a/../..\n", "1:cpu:/a\n"}) {
    EXPECT_EQ(cores(membership), 3) << membership;
  }
}

TEST_F(CgroupQuota, is_that_of_version_2_among_other_lines) {
  limit("a", "200000 100000\n");
  limit("b", "100000 100000\n");
  EXPECT_EQ(cores("12:memory:/b\n1:name=systemd:/b\n0::/a\n"), 2);
  EXPECT_EQ(cores("0::/a"), 2) << "without an end of line";
}

}  // namespace
}  // namespace sluice::core
