#include "config/schema.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config_fixture.hpp"

namespace sluice::core {
namespace {

nlohmann::json test_schema() {
  Registry registry({test_plugin_folder()});
  return nlohmann::json::parse(schema_text(registry.all(nullptr)));
}

TEST(Schema, it_names_its_draft_and_closes_the_pipeline) {
  const nlohmann::json schema = test_schema();
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema["additionalProperties"], false);
  EXPECT_EQ(schema["properties"]["drain_timeout"]["default"], "30s");
}

TEST(Schema, limits_come_from_the_tables_that_check) {
  const nlohmann::json schema = test_schema();
  const nlohmann::json& queue =
      schema["properties"]["queues"]["additionalProperties"]["properties"];
  EXPECT_EQ(queue["capacity"]["minimum"], 1);
  EXPECT_EQ(queue["capacity"]["maximum"], 67'000'000);
  EXPECT_EQ(queue["redrive_policy"]["type"], (nlohmann::json{"object", "null"}));
  const nlohmann::json& service =
      schema["properties"]["services"]["additionalProperties"]["properties"];
  EXPECT_EQ(service["max_rate"]["exclusiveMinimum"], 0);
  EXPECT_FALSE(service["max_rate"].contains("minimum"));
}

TEST(Schema, a_stage_has_its_own_options_chosen_by_type) {
  const nlohmann::json schema = test_schema();
  const nlohmann::json& stage =
      schema["properties"]["services"]["additionalProperties"]["properties"]["stages"]["items"];
  const auto& choices = stage["allOf"];
  const auto shape = std::find_if(choices.begin(), choices.end(), [](const auto& choice) {
    return choice["if"]["properties"]["type"]["const"] == "test_shape";
  });
  ASSERT_NE(shape, choices.end());
  const nlohmann::json& then = (*shape)["then"];
  EXPECT_EQ(then["required"], nlohmann::json{"width"});
  EXPECT_EQ(then["properties"]["width"]["maximum"], 65535);
  EXPECT_EQ(then["properties"]["fit"]["enum"], (nlohmann::json{"inside", "cover", "fill"}));
  EXPECT_EQ(then["properties"]["enlarge"]["default"], true);
  EXPECT_EQ(then["additionalProperties"], false);
}

TEST(Schema, a_table_has_its_own_options_chosen_by_type) {
  const nlohmann::json schema = test_schema();
  const nlohmann::json& table = schema["properties"]["tables"]["additionalProperties"];
  EXPECT_EQ(table["required"], nlohmann::json{"type"});
  ASSERT_EQ(table["allOf"].size(), 1U);
  EXPECT_EQ(table["allOf"][0]["then"]["properties"]["items"]["maximum"], 100'000);
}

TEST(Schema, the_order_does_not_depend_on_how_plugins_are_found) {
  Registry registry({test_plugin_folder()});
  std::vector<const Component*> components = registry.all(nullptr);
  const std::string text = schema_text(components);
  std::reverse(components.begin(), components.end());
  EXPECT_EQ(schema_text(components), text);
}

}  // namespace
}  // namespace sluice::core
