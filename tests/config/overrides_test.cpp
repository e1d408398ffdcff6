// --set and the environment.
#include <gtest/gtest.h>

#include "config_fixture.hpp"

namespace sluice::core {
namespace {

TEST(Overrides, a_value_is_json_if_it_parses_as_such) {
  const Loaded loaded(kGoodConfig,
                      {"/services/small/batch_size=1", "/queues/small/capacity_bytes=\"1MiB\""});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().services[0].batch_size, 1U);
  EXPECT_EQ(loaded.pipeline().queues[0].capacity_bytes, 1 << 20);
}

TEST(Overrides, a_value_that_is_no_json_is_a_string) {
  const Loaded loaded(kGoodConfig, {"/queues/small/visibility_timeout=75s"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().queues[0].visibility_timeout_ms, 75'000);
}

TEST(Overrides, they_apply_in_order_and_make_what_is_not_there) {
  const Loaded loaded(kGoodConfig, {"/queues/more={}", "/queues/more/subscriptions=[]",
                                    "/queues/more/subscriptions/-={\"topic\": \"new\"}",
                                    "/queues/more/capacity=1", "/queues/more/capacity=2"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const QueueDescription& more = loaded.pipeline().queues[3];
  EXPECT_EQ(more.name, "more");
  EXPECT_EQ(more.capacity, 2);
  EXPECT_EQ(loaded.pipeline().topics[0].queues, (std::vector<std::uint32_t>{0, 1, 3}));
}

TEST(Overrides, an_item_of_an_array_is_named_by_its_number) {
  const Loaded loaded(kGoodConfig, {"/services/small/stages/0/width=32"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().services[0].stages[0]->values.at("width").integer, 32);
}

TEST(Overrides, escapes_of_a_pointer_are_undone) {
  const Loaded loaded(R"({"name": "x"})", {"/queues/a~1b={}"});
  ASSERT_EQ(loaded.diagnostics.errors(), 1U);
  EXPECT_NE(loaded.text().find("\"a/b\" is no name for a queue"), std::string::npos)
      << loaded.text();
}

TEST(Overrides, an_error_has_the_override_as_its_place) {
  const Loaded loaded(kGoodConfig, {"/services/small/batch_size=0"});
  ASSERT_EQ(loaded.diagnostics.errors(), 1U);
  EXPECT_EQ(loaded.text(),
            "--set /services/small/batch_size: error: \"batch_size\" of service \"small\" must be "
            "1 to 10000, found 0\n"
            "  --set /services/small/batch_size=0\n"
            "                                   ^\n");
}

TEST(Overrides, an_unknown_key_in_an_override_is_reported_there) {
  const Loaded loaded(kGoodConfig, {"/queues/small/capcity=5"});
  EXPECT_NE(loaded.text().find("--set /queues/small/capcity: error: unknown key \"capcity\""),
            std::string::npos)
      << loaded.text();
}

TEST(Overrides, a_fault_within_an_object_points_into_it) {
  const Loaded loaded(kGoodConfig, {R"(/queues/small={"capacity": 0})"});
  ASSERT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
  EXPECT_NE(loaded.text().find("\n                                   ^\n"), std::string::npos)
      << loaded.text();
}

TEST(Overrides, nothing_lies_below_a_number) {
  const Loaded loaded(R"({"queues": {"q": {"capacity": 5}}})", {"/queues/q/capacity/x=1"});
  EXPECT_NE(loaded.text().find("--set /queues/q/capacity/x: error: there is nothing to set"),
            std::string::npos)
      << loaded.text();
}

TEST(Overrides, an_item_beyond_the_end_is_refused) {
  const Loaded loaded(kGoodConfig, {"/services/small/stages/7/width=1"});
  EXPECT_NE(loaded.text().find("no item \"7\" in an array of 2"), std::string::npos)
      << loaded.text();
}

TEST(Overrides, an_argument_without_a_pointer_is_a_usage_error) {
  for (const char* argument : {"", "=1", "name=x", "/name", "/a~2b=1", "/a~=1"}) {
    const auto parsed = parse_override(argument);
    ASSERT_FALSE(parsed.has_value()) << argument;
    EXPECT_EQ(parsed.error().code, Errc::usage);
  }
}

TEST(Environment, a_variable_stands_within_a_text) {
  const Loaded loaded(R"({"state": "/var/${WHERE}/${WHAT:-icons}"})", {}, {{"WHERE", "lib"}});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().state, "/var/lib/icons");
}

TEST(Environment, an_empty_variable_takes_the_default) {
  const Loaded loaded(R"({"state": "/var/${WHAT:-icons}"})", {}, {{"WHAT", ""}});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().state, "/var/icons");
}

TEST(Environment, a_value_is_taken_once_and_as_text) {
  const Loaded loaded(R"({"state": "/${A}"})", {}, {{"A", "\"${B}\", \"x\": \""}});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().state, "/\"${B}\", \"x\": \"");
}

TEST(Environment, a_number_stays_a_string) {
  const Loaded loaded(R"({"queues": {"q": {"capacity": "${N}"}}})", {}, {{"N", "5"}});
  EXPECT_NE(loaded.text().find("must be a whole number, found a string"), std::string::npos)
      << loaded.text();
}

TEST(Environment, overrides_are_expanded_too) {
  const Loaded loaded(R"({"name": "x"})", {"/state=/srv/${WHO}"}, {{"WHO", "me"}});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().state, "/srv/me");
}

}  // namespace
}  // namespace sluice::core
