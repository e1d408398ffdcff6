#include "directory/listing.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <vector>

#include "temporary_folder.hpp"

namespace sluice::directory {
namespace {

class Listing : public testing::Test {
 protected:
  std::vector<std::string> keys(std::string_view prefix = {}, std::string_view after = {}) {
    std::vector<std::string> result;
    list_objects(root_, prefix, after, 0,
                 [&](std::string_view key, std::uint64_t, std::string_view, std::int64_t) {
                   result.emplace_back(key);
                   return SLUICE_OK;
                 });
    return result;
  }

  test::TemporaryFolder folder_;
  Root root_{folder_.path()};
};

using Keys = std::vector<std::string>;

TEST_F(Listing, keys_come_in_bytewise_order_across_folders) {
  for (const char* key :
       {"a/b", "a-b", "a.b", "a0", "a/c/d", "a/c.d", "A", "\xc3\xbc", "a b", "a/c0"}) {
    folder_.write(key, "x");
  }

  Keys sorted = keys();
  EXPECT_EQ(sorted,
            (Keys{"A", "a b", "a-b", "a.b", "a/b", "a/c.d", "a/c/d", "a/c0", "a0", "\xc3\xbc"}));
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
}

TEST_F(Listing, a_prefix_need_not_end_at_a_folder) {
  for (const char* key : {"icons/a", "icons/b/c", "icons-16/a", "icon", "other"})
    folder_.write(key, "x");

  EXPECT_EQ(keys("icons/"), (Keys{"icons/a", "icons/b/c"}));
  EXPECT_EQ(keys("icon"), (Keys{"icon", "icons-16/a", "icons/a", "icons/b/c"}));
  EXPECT_EQ(keys("icons/b/c"), (Keys{"icons/b/c"}));
  EXPECT_EQ(keys("nothing/"), Keys{});
  EXPECT_EQ(keys("other/"), Keys{});
  EXPECT_EQ(keys("../"), Keys{});
}

TEST_F(Listing, every_key_can_be_the_place_to_go_on_after) {
  for (const char* key : {"a-b", "a.b", "a/b", "a/c/d", "a/c/e", "a0", "b/x"})
    folder_.write(key, "x");
  const Keys all = keys();
  ASSERT_EQ(all.size(), 7U);

  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(keys("", all[i]), Keys(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end()))
        << all[i];
  }
  EXPECT_EQ(keys("", "a/c"), (Keys{"a/c/d", "a/c/e", "a0", "b/x"}));
  EXPECT_EQ(keys("a/", "a/c/d"), (Keys{"a/c/e"}));
}

TEST_F(Listing, links_pipes_and_temporary_names_are_no_objects) {
  test::TemporaryFolder outside;
  outside.write("secret", "x");
  folder_.write("a/x", "x");
  folder_.write("a/.sluice-tmp-1", "x");
  folder_.write(".sluice-tmp-2/x", "x");
  std::filesystem::create_symlink(outside.path(), folder_.at("a/link"));
  std::filesystem::create_symlink("x", folder_.at("a/y"));
  ASSERT_EQ(mkfifo(folder_.at("a/pipe").c_str(), 0600), 0);

  EXPECT_EQ(keys(), (Keys{"a/x"}));
}

TEST_F(Listing, the_caller_ends_the_listing) {
  for (const char* key : {"a", "b", "c"})
    folder_.write(key, "x");
  int told = 0;

  const std::int32_t status = list_objects(
      root_, "", "", 0, [&](std::string_view, std::uint64_t, std::string_view, std::int64_t) {
        return ++told == 2 ? SLUICE_CANCELLED : SLUICE_OK;
      });

  EXPECT_EQ(status, SLUICE_CANCELLED);
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace sluice::directory
