#include "plugin/access_point.hpp"

#include <gtest/gtest.h>

#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

class AccessPoint : public testing::Test {
 protected:
  AccessPoint() {
    bucket_.objects = {
        {"icons/a.png", "aaa"}, {"icons/b.png", "bb"}, {"photos/c.jpg", "c"}, {"icons-old", "x"}};
  }
  int32_t open(sluice_bucket_ref& ref, std::string_view key) {
    sluice_reader* reader = nullptr;
    uint64_t size = 0;
    const int32_t status = host().object_open(&ref, str(key), str(""), 0, &reader, &size);
    host().close(reader);
    return status;
  }
  static std::string error() { return std::string(view(host().last_error())); }
  static int32_t collect(void* user, sluice_str key, uint64_t, sluice_str, int64_t) {
    static_cast<std::vector<std::string>*>(user)->emplace_back(view(key));
    return SLUICE_OK;
  }
  std::vector<std::string> list(sluice_bucket_ref& ref, std::string_view prefix) {
    std::vector<std::string> keys;
    EXPECT_EQ(host().object_list(&ref, str(prefix), str(""), &keys, collect), SLUICE_OK) << error();
    return keys;
  }

  FakeBucket bucket_;
  sluice_bucket_ref whole_{&kFakeBucket, &bucket_, "graphics", "", "", sluice_bucket_ref::all};
  sluice_bucket_ref design_{&kFakeBucket, &bucket_, "graphics",
                            "design",     "icons/", sluice_bucket_ref::all};
};

TEST_F(AccessPoint, a_key_below_its_prefix_passes) {
  EXPECT_EQ(open(design_, "icons/a.png"), SLUICE_OK);
}

TEST_F(AccessPoint, a_key_outside_its_prefix_is_denied_before_the_bucket_sees_it) {
  for (std::string_view key : {"photos/c.jpg", "icons-old", "icon", "/icons/a.png"}) {
    EXPECT_NE(open(design_, key), SLUICE_OK) << key;
  }
  EXPECT_EQ(open(design_, "photos/c.jpg"), SLUICE_DENIED);
  EXPECT_EQ(
      error(),
      "access point \"graphics/design\" is limited to prefix \"icons/\": key \"photos/c.jpg\"");
  EXPECT_TRUE(bucket_.calls.empty());
}

TEST_F(AccessPoint, a_key_that_could_climb_out_of_its_prefix_is_invalid) {
  for (std::string_view key : {"icons/../photos/c.jpg", "icons/..", "icons/./a.png", "icons//a.png",
                               "icons/", "", "icons/a/../../photos/c.jpg", "../icons/a.png"}) {
    EXPECT_EQ(open(design_, key), SLUICE_INVALID) << key;
    EXPECT_NE(error().find("\"graphics/design\""), std::string::npos) << error();
  }
  EXPECT_TRUE(bucket_.calls.empty());
}

TEST_F(AccessPoint, dots_inside_a_segment_are_no_climbing) {
  bucket_.objects["icons/..a/.b/c..png"] = "x";
  EXPECT_EQ(open(design_, "icons/..a/.b/c..png"), SLUICE_OK);
}

TEST_F(AccessPoint, the_whole_bucket_leaves_keys_to_the_bucket) {
  EXPECT_EQ(open(whole_, "icons/../x"), SLUICE_NOT_FOUND);
  EXPECT_EQ(bucket_.calls, std::vector<std::string>{"open icons/../x"});
  EXPECT_EQ(error(), "bucket \"graphics\": cannot open \"icons/../x\": not found");
}

TEST_F(AccessPoint, each_action_must_be_allowed) {
  const auto denied = [&](unsigned without, auto&& call) {
    sluice_bucket_ref ref = design_;
    ref.allow = sluice_bucket_ref::all & ~without;
    EXPECT_EQ(call(ref), SLUICE_DENIED);
    EXPECT_NE(error().find("access point \"graphics/design\" does not allow"), std::string::npos)
        << error();
  };
  const sluice_str key = str("icons/a.png");
  denied(sluice_bucket_ref::get, [&](sluice_bucket_ref& ref) { return open(ref, "icons/a.png"); });
  denied(sluice_bucket_ref::put, [&](sluice_bucket_ref& ref) {
    sluice_writer* writer = nullptr;
    return host().object_create(&ref, key, str(""), &writer);
  });
  denied(sluice_bucket_ref::remove,
         [&](sluice_bucket_ref& ref) { return host().object_delete(&ref, key); });
  denied(sluice_bucket_ref::list, [&](sluice_bucket_ref& ref) {
    return host().object_list(&ref, str("icons/"), str(""), nullptr, collect);
  });
  denied(sluice_bucket_ref::list, [&](sluice_bucket_ref& ref) {
    sluice_watch* watch = nullptr;
    return host().watch_open(&ref, str("icons/"), 0, &watch);
  });
  EXPECT_TRUE(bucket_.calls.empty());
}

TEST_F(AccessPoint, a_list_sees_its_prefix_only_even_if_the_bucket_tells_more) {
  const std::vector<std::string> icons = {"icons/a.png", "icons/b.png"};
  EXPECT_EQ(list(design_, ""), icons);
  EXPECT_EQ(list(design_, "ico"), icons);
  EXPECT_EQ(list(design_, "icons/a"), std::vector<std::string>{"icons/a.png"});
  EXPECT_EQ(bucket_.calls[0], "list icons/");
  EXPECT_EQ(list(whole_, "").size(), 4u);
}

TEST_F(AccessPoint, a_list_elsewhere_is_denied) {
  EXPECT_EQ(host().object_list(&design_, str("photos/"), str(""), nullptr, collect), SLUICE_DENIED);
  EXPECT_EQ(host().object_list(&design_, str("icons/../"), str(""), nullptr, collect),
            SLUICE_INVALID);
  EXPECT_TRUE(bucket_.calls.empty());
}

TEST_F(AccessPoint, a_watch_sees_its_prefix_only) {
  sluice_watch* watch = nullptr;
  ASSERT_EQ(host().watch_open(&design_, str(""), 1000, &watch), SLUICE_OK);
  std::vector<std::string> keys;
  EXPECT_EQ(host().watch_next(watch, 0, &keys, collect), SLUICE_END);
  host().watch_cancel(watch);
  host().watch_close(watch);
  EXPECT_EQ(bucket_.calls[0], "watch icons/");
  EXPECT_EQ(keys, (std::vector<std::string>{"icons/a.png", "icons/b.png"}));
  EXPECT_EQ(bucket_.handles, 0);
}

TEST_F(AccessPoint, a_bucket_that_cannot_watch_says_so) {
  sluice_bucket functions = kFakeBucket;
  functions.watch_open = nullptr;
  whole_.functions = &functions;
  sluice_watch* watch = nullptr;
  EXPECT_EQ(host().watch_open(&whole_, str(""), 0, &watch), SLUICE_INVALID);
  EXPECT_NE(error().find("cannot be watched"), std::string::npos);
}

}  // namespace
}  // namespace sluice::core
