// What stages put into tables, held against the tables' columns before anything runs.
#include <gtest/gtest.h>

#include "config_fixture.hpp"

namespace sluice::core {
namespace {

constexpr const char* kColumns =
    R"("key": { "todoId": "text", "part": "integer" },
       "columns": { "name": "text", "done": "boolean", "at": "integer", "share": "real", "more": "json" })";

/// A service that puts into a table; `stage` stands in a line of its own, the sixth.
Loaded todos(const std::string& stage, const std::string& table = kColumns) {
  return Loaded(R"({
  "tables": { "todos": { "type": "sqlite", "path": "todos.db",
       )" + table + R"( } }, "queues": { "rows": {} },
  "services": { "import": { "queue": "rows", "stages": [ { "type": "table_put",
)" + stage + R"(
  } ] } } })",
                {}, {}, shipped_plugin_folder());
}

std::string with_item(const std::string& item) {
  return R"("table": "todos", "item": )" + item;
}

TEST(PutItems, that_fit_are_fine) {
  for (const char* item :
       {R"({"todoId": "{id}", "part": 1})", R"({"todoId": "{id}", "part": {"json": "{body:/part}"}})",
        R"({"todoId": "{id}", "part": {"number": "{now_ms}"}, "share": {"number": "{body}"}, "at": null})",
        R"({"todoId": "", "part": 0, "done": false, "share": 0.5, "more": {"json": "{body}"}})",
        R"({"todoId": "a", "part": 0, "done": {"boolean": "{body}"}, "share": 2, "more": "{body}"})",
        R"({"todoId": "a", "part": 0, "name": {"json": "{body}"}, "done": null, "more": 5})",
        R"({"todoId": "a", "part": {"number": "7"}, "share": {"number": "2"}, "done": {"boolean": "true"}})",
        R"({"todoId": {"json": "\"a\""}, "part": {"json": "7"}, "share": {"json": "null"}, "more": {"json": " {{}}"}})",
        R"({"todoId": "a", "part": 0, "more": {"json": "{{\"a\": {body}}}"}, "share": {"number": "1{body}"}})"}) {
    const Loaded good = todos(with_item(item));
    EXPECT_TRUE(good.result) << item << "\n" << good.text();
  }
}

TEST(PutItems, that_are_bodies_are_seen_when_they_come) {
  const Loaded loaded = todos(R"("table": "todos")");
  EXPECT_TRUE(loaded.result) << loaded.text();
}

struct Misfit {
  const char* name;
  std::string item;  ///< @ marks the place
  const char* error;
};

class PutItem : public testing::TestWithParam<Misfit> {};

TEST_P(PutItem, that_never_fits_is_reported_once_at_its_place) {
  std::string stage = with_item(GetParam().item);
  const std::size_t at = stage.find('@');
  stage.erase(at, 1);

  const Loaded loaded = todos(stage);

  ASSERT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
  EXPECT_EQ(loaded.result.error().code, Errc::config);
  const Diagnostic& found = loaded.diagnostics.all().front();
  EXPECT_EQ(found.place.label, "/configs/test.json:6:" + std::to_string(at + 1)) << loaded.text();
  EXPECT_EQ(found.text, std::string("stage 1 of service \"import\": ") + GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Table, PutItem,
    testing::Values(
        Misfit{"an_unknown_column_names_the_nearest",
               R"({"todoId": "{id}", "part": 1, @"nmae": "{body}"})",
               "table \"todos\" has no column \"nmae\": did you mean \"name\"?"},
        Misfit{"a_column_has_its_letters_case", R"({"todoId": "{id}", "part": 1, @"NAME": "{body}"})",
               "table \"todos\" has no column \"NAME\": did you mean \"name\"?"},
        Misfit{"a_key_must_be_given", R"(@{"part": 1, "name": "{body}"})",
               "the item has no value for \"todoId\", which is of the key of table \"todos\""},
        Misfit{"so_must_its_second_column", R"(@{"todoId": "{id}"})",
               "the item has no value for \"part\", which is of the key of table \"todos\""},
        Misfit{"a_key_is_not_null", R"({"todoId": "{id}", "part": @null})",
               "the item has no value for \"part\", which is of the key of table \"todos\""},
        Misfit{"a_misspelt_key_is_not_missed_as_well", R"({@"todoid": "{id}", "part": 1})",
               "table \"todos\" has no column \"todoid\": did you mean \"todoId\"?"},
        Misfit{"a_template_makes_no_number", R"({"todoId": "{id}", "part": 1, "at": @"{now_ms}"})",
               "column \"at\" of table \"todos\" holds integer, and the item has a string: "
               "{\"number\": TEMPLATE} makes a number"},
        Misfit{"a_template_makes_no_flag", R"({"todoId": "{id}", "part": 1, "done": @"false"})",
               "column \"done\" of table \"todos\" holds boolean, and the item has a string: "
               "{\"boolean\": TEMPLATE} makes true or false"},
        Misfit{"a_number_is_no_text", R"({"todoId": @7, "part": 1})",
               "column \"todoId\" of table \"todos\" holds text, and the item has a whole number"},
        Misfit{"what_becomes_a_number_is_no_text",
               R"({"todoId": "{id}", "part": 1, "name": @{"number": "{now_ms}"}})",
               "column \"name\" of table \"todos\" holds text, and the item has a number"},
        Misfit{"a_fixed_text_that_is_no_number_never_becomes_one",
               R"({"todoId": "{id}", "part": 1, "at": @{"number": "abc"}})",
               "column \"at\" of table \"todos\" holds integer, and the item has {\"number\": \"abc\"}, "
               "which is no number"},
        Misfit{"a_fixed_text_that_is_no_flag_never_becomes_one",
               R"({"todoId": "{id}", "part": 1, "done": @{"boolean": "maybe"}})",
               "column \"done\" of table \"todos\" holds boolean, and the item has {\"boolean\": "
               "\"maybe\"}, which is no boolean"},
        Misfit{"a_fixed_text_that_is_no_json_never_becomes_some",
               R"({"todoId": "{id}", "part": 1, "more": @{"json": "nope}}"}})",
               "column \"more\" of table \"todos\" holds json, and the item has {\"json\": \"nope}\"}, "
               "which is no JSON"},
        Misfit{"a_fixed_half_is_no_integer", R"({"todoId": "{id}", "part": 1, "at": @{"number": "1.5"}})",
               "column \"at\" of table \"todos\" holds integer, and the item has a number"},
        Misfit{"a_fixed_flag_is_no_text", R"({"todoId": "{id}", "part": 1, "name": @{"json": "true"}})",
               "column \"name\" of table \"todos\" holds text, and the item has true or false"},
        Misfit{"a_fixed_null_is_no_key", R"({"todoId": "{id}", "part": @{"json": "null"}})",
               "the item has no value for \"part\", which is of the key of table \"todos\""},
        Misfit{"a_half_is_no_integer", R"({"todoId": "{id}", "part": @0.5})",
               "column \"part\" of table \"todos\" holds integer, and the item has a number"},
        Misfit{"a_flag_is_no_number", R"({"todoId": "{id}", "part": 1, "share": @true})",
               "column \"share\" of table \"todos\" holds real, and the item has true or false"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(PutItems, the_default_key_is_known_too) {
  const Loaded loaded = todos(with_item(R"({"todoId": "{id}"})"), R"("columns": { "todoId": "text" })");
  ASSERT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
  EXPECT_NE(loaded.text().find("no value for \"id\""), std::string::npos) << loaded.text();
}

TEST(PutItems, are_not_put_into_a_table_that_is_only_looked_at) {
  const std::string read_only = std::string(kColumns) + R"(, "read_only": true)";
  for (const std::string& stage :
       {std::string(R"("table": "todos")"), with_item(R"({"todoId": "{id}", "part": 1})")}) {
    const Loaded loaded = todos(stage, read_only);
    ASSERT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
    EXPECT_EQ(loaded.diagnostics.all().front().place.label, "/configs/test.json:6:10");
    EXPECT_NE(loaded.text().find("stage 1 of service \"import\": table \"todos\" is \"read_only\", and takes no items"),
              std::string::npos)
        << loaded.text();
  }
}

TEST(PutItems, are_not_held_against_a_table_that_is_wrong_itself) {
  const Loaded loaded = todos(with_item(R"({"todoId": "{id}", "nmae": "{body}"})"), R"("key": { "todoId": "txt" })");
  ASSERT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
  EXPECT_NE(loaded.text().find("table \"todos\": column \"todoId\" must be of type text"), std::string::npos)
      << loaded.text();
}

TEST(Columns, that_are_wrong_are_told_of_each_and_of_the_key_as_well) {
  const Loaded loaded = todos(R"("table": "todos")",
                              R"("key": { "todoId": "txt" }, "columns": { "host": "strnig", "at": "integer", "n": 5 })");
  ASSERT_EQ(loaded.diagnostics.errors(), 2U) << loaded.text();
  for (const char* says : {"column \"todoId\" must be of type text, integer, real, boolean or json, found \"txt\"",
                           "column \"host\" must be of type text, integer, real, boolean or json, found \"strnig\"; "
                           "column \"n\" must be of type text, integer, real, boolean or json, found 5"})
    EXPECT_NE(loaded.text().find(says), std::string::npos) << says << "\n" << loaded.text();
}

}  // namespace
}  // namespace sluice::core
