// What a configuration does to its buckets: rights of access points, and results that come back.
#include <gtest/gtest.h>

#include "config/bucket_use.hpp"
#include "config_fixture.hpp"

namespace sluice::core {
namespace {

/// A resizing pipeline of the project's own plugins; `sets` change it.
Loaded icons(const std::vector<std::string>& sets) {
  return Loaded(R"({
  "buckets": { "graphics": { "type": "directory", "path": "graphics", "access_points": {
    "in": { "prefix": "icons/", "allow": ["get", "list"] }, "out": { "prefix": "small/", "allow": ["put"] } } } },
  "sources": { "uploads": { "type": "bucket_events", "bucket": "graphics/in", "publish_to": "new" } },
  "topics": { "new": {} },
  "queues": { "resize": { "subscriptions": [{ "topic": "new" }] } },
  "services": { "resize": { "queue": "resize", "stages": [
    { "type": "object_get", "bucket": "graphics/in" },
    { "type": "image_resize", "width": 16 },
    { "type": "object_put", "bucket": "graphics/out", "key": "small/{key_after_prefix}" } ] } } })",
                sets, {}, shipped_plugin_folder());
}

TEST(AccessPoints, a_use_that_the_rights_allow_is_fine) {
  const Loaded loaded = icons({});
  EXPECT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.diagnostics.warnings(), 0U) << loaded.text();
}

struct Denied {
  const char* name;
  std::vector<std::string> sets;
  const char* place;
  const char* error;
};

class DeniedUse : public testing::TestWithParam<Denied> {};

TEST_P(DeniedUse, is_an_error_at_its_place) {
  const Loaded loaded = icons(GetParam().sets);

  ASSERT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
  EXPECT_EQ(loaded.result.error().code, Errc::config);
  EXPECT_EQ(loaded.diagnostics.all().front().place.label, GetParam().place);
  EXPECT_NE(loaded.text().find(GetParam().error), std::string::npos) << loaded.text();
}

INSTANTIATE_TEST_SUITE_P(
    Table, DeniedUse,
    testing::Values(
        Denied{"watching_needs_list",
               {"/buckets/graphics/access_points/in/allow=[\"get\"]"},
               "/configs/test.json:4:64",
               "source \"uploads\": access point \"graphics/in\" does not allow \"list\""},
        Denied{
            "object_get_needs_get",
            {"/buckets/graphics/access_points/in/allow=[\"list\"]"},
            "/configs/test.json:8:39",
            "stage 1 of service \"resize\": access point \"graphics/in\" does not allow \"get\""},
        Denied{
            "object_put_needs_put",
            {"/buckets/graphics/access_points/out/allow=[\"get\", \"delete\", \"list\"]"},
            "/configs/test.json:10:39",
            "stage 3 of service \"resize\": access point \"graphics/out\" does not allow \"put\""},
        Denied{"a_watched_prefix_outside_of_the_access_point",
               {"/sources/uploads/prefix=photos/"},
               "--set /sources/uploads/prefix",
               "limited to prefix \"icons/\", and no key of \"photos/\""},
        Denied{"a_key_outside_of_the_access_point",
               {"/services/resize/stages/2/key=large/{key_after_prefix}"},
               "--set /services/resize/stages/2/key",
               "limited to prefix \"small/\", and no key of \"large/{key_after_prefix}\""}),
    [](const auto& row) { return std::string(row.param.name); });

/// Sets that make the pipeline watch `prefix` for keys with `suffix` and put under `key`.
std::vector<std::string> loop(const std::string& prefix, const std::string& suffix,
                              const std::string& key) {
  return {"/sources/uploads/bucket=graphics", "/sources/uploads/prefix=" + prefix,
          "/sources/uploads/suffix=" + suffix, "/services/resize/stages/2/bucket=graphics",
          "/services/resize/stages/2/key=" + key};
}

TEST(Feedback, results_below_the_watched_prefix_are_warned_of_at_the_key) {
  const Loaded loaded = icons(loop("icons/", "", "icons/small/{key_after_prefix}"));

  ASSERT_TRUE(loaded.result) << loaded.text();
  ASSERT_EQ(loaded.diagnostics.warnings(), 1U) << loaded.text();
  EXPECT_EQ(loaded.diagnostics.all().front().place.label, "--set /services/resize/stages/2/key");
  EXPECT_NE(loaded.text().find("lies where source \"uploads\" watches (bucket \"graphics\", prefix "
                               "\"icons/\"): every result is an input again"),
            std::string::npos)
      << loaded.text();
}

TEST(Feedback, a_result_that_replaces_its_own_input_is_warned_of) {
  EXPECT_EQ(icons(loop("icons/", "", "{key}")).diagnostics.warnings(), 1U);
  EXPECT_EQ(icons(loop("icons/", "", "{key_dir}/small/{key_base}")).diagnostics.warnings(), 1U);
  EXPECT_EQ(icons(loop("", "", "{id}")).diagnostics.warnings(), 1U);
}

TEST(Feedback, results_elsewhere_are_fine) {
  EXPECT_EQ(icons(loop("icons/", "", "icons-16/{key_after_prefix}")).diagnostics.warnings(), 0U);
  EXPECT_EQ(icons(loop("icons/", "", "{key_dir}-16/{key_base}")).diagnostics.warnings(), 0U);
  EXPECT_EQ(icons(loop("icons/", ".jpg", "icons/{key_base}.png")).diagnostics.warnings(), 0U);
  EXPECT_EQ(icons(loop("icons/", ".jpg", "icons/{key_base}.jpg")).diagnostics.warnings(), 1U);
}

TEST(Feedback, a_second_source_may_watch_for_results_that_do_not_come_back_to_the_first) {
  std::vector<std::string> sets = loop("icons/", "", "small/{key_after_prefix}");
  sets.push_back(
      R"(/sources/results={"type": "bucket_events", "bucket": "graphics", "prefix": "small/", "publish_to": "sign"})");
  sets.push_back("/queues/sign={}");
  sets.push_back(
      R"(/services/sign={"queue": "sign", "stages": [{"type": "object_put", "bucket": "graphics", "key": "signed/{id}"}]})");
  EXPECT_EQ(icons(sets).diagnostics.warnings(), 0U) << icons(sets).text();

  sets.push_back("/services/sign/stages/0/key=icons/{id}");  // round by way of both
  EXPECT_EQ(icons(sets).diagnostics.warnings(), 2U) << icons(sets).text();
}

TEST(Feedback, a_doubled_brace_is_literal_text) {
  EXPECT_EQ(template_ends("a{{b/{key}/c}}d").start, "a{b/");
  EXPECT_EQ(template_ends("a{{b/{key}/c}}d").end, "/c}d");
  EXPECT_EQ(template_ends("{uuid5:x{id}}.png").first, "uuid5:x{id}");
  EXPECT_EQ(template_ends("{uuid5:x{id}}.png").end, ".png");
}

}  // namespace
}  // namespace sluice::core
