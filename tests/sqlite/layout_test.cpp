// Columns as options name them, and tables that somebody else made.
#include "tables.hpp"

namespace sluice::sqlite {
namespace {

TEST(Columns, are_read_in_their_order_with_their_types) {
  const auto columns =
      read_columns(R"({"b":"text","a":"integer","r":"real","y":"boolean","j":"json"})");
  ASSERT_TRUE(columns);
  ASSERT_EQ(columns->size(), 5U);
  EXPECT_EQ((*columns)[0].name, "b");
  EXPECT_EQ((*columns)[1].type, ColumnType::integer);
  EXPECT_EQ((*columns)[4].type, ColumnType::json);
}

TEST(Columns, that_are_none_are_refused_in_words) {
  for (const auto& [json, says] : {std::pair{R"([])", "must be an object of columns"},
                                   {R"("text")", "must be an object of columns"},
                                   {R"({"a":"varchar"})", "column \"a\" must be of type text, integer, real, boolean or json, found \"varchar\""},
                                   {R"({"a":5})", "column \"a\" must be of type text, integer, real, boolean or json, found 5"},
                                   {R"({"a":"strnig","b":"text","c":[5]})", "found \"strnig\"; column \"c\" must be of type"},
                                   {R"({"a":)", "no JSON"}}) {
    const auto columns = read_columns(json);
    ASSERT_FALSE(columns) << json;
    EXPECT_NE(columns.error().find(says), std::string::npos) << columns.error();
  }
}

TEST(Columns, that_SQLite_would_take_for_one_another_or_keeps_for_itself_are_a_fault) {
  EXPECT_EQ(layout_fault(layout_of(R"({"id":"text"})", R"({"name":"text"})")), "");
  EXPECT_NE(layout_fault(layout_of(R"({"id":"text"})", R"({"Id":"text"})")), "");
  EXPECT_NE(layout_fault(layout_of(R"({"id":"text"})", R"({"":"text"})")), "");
  EXPECT_NE(layout_fault(layout_of(R"({"id":"text"})", R"({"a\u0000b":"text"})")), "");
  EXPECT_NE(layout_fault(layout_of(R"({})", R"({"a":"text"})")), "");
  EXPECT_NE(layout_fault(layout_of(R"({"id":"text"})", R"({})", "SQLite_x")), "");
  EXPECT_NE(layout_fault(layout_of(R"({"id":"text"})", R"({})", std::string(129, 't'))), "");
  Layout wide = layout_of(R"({"id":"text"})", R"({})");
  while (wide.columns.size() <= kColumnsMax)
    wide.columns.push_back({"c" + std::to_string(wide.columns.size()), ColumnType::text});
  EXPECT_NE(layout_fault(wide), "");
}

using OtherTables = Tables;

TEST_F(OtherTables, fit_where_their_columns_keep_what_is_put) {
  execute("CREATE TABLE todos (ID VARCHAR(36) PRIMARY KEY, name CLOB, done BOOLEAN, more TEXT,"
          " made TEXT NOT NULL DEFAULT 'now')");
  SqliteTable table(options());
  EXPECT_EQ(put(table, {R"({"id":"1","name":"n","done":true})"}), Texts{"ok"});
  EXPECT_EQ(table.get("\"1\""), R"({"id":"1","name":"n","done":true})");
}

TEST_F(OtherTables, keep_what_stands_in_columns_of_their_own) {
  execute("CREATE TABLE todos (id TEXT PRIMARY KEY, name TEXT, done INTEGER, more TEXT);"
          "INSERT INTO todos VALUES ('1', 'old', 0, 'mine')");
  SqliteTable table(options());
  EXPECT_EQ(put(table, {R"({"id":"1","name":"new"})"}), Texts{"ok"});
  EXPECT_EQ(ask("SELECT name || more FROM todos"), "newmine");
}

TEST_F(OtherTables, that_do_not_fit_are_refused_with_all_that_is_wrong) {
  execute("CREATE TABLE todos (name INTEGER PRIMARY KEY, done TEXT, more TEXT NOT NULL)");
  const std::string text = opening(options());
  EXPECT_EQ(text.find(std::to_string(SLUICE_BAD_OPTION) + " table \"todos\" of " + path()), 0U) << text;
  for (const char* says : {"it has no column \"id\"", "its column \"name\" is declared \"INTEGER\", which does not keep text",
                           "its column \"done\" is declared \"TEXT\", which does not keep boolean",
                           "it is keyed by \"name\"", "its column \"more\" needs a value"})
    EXPECT_NE(text.find(says), std::string::npos) << says << ": " << text;
}

TEST_F(OtherTables, without_our_key_are_refused) {
  execute("CREATE TABLE todos (id TEXT, name TEXT, done INTEGER)");
  EXPECT_NE(opening(options()).find("it is without a key"), std::string::npos);
}

TEST_F(OtherTables, with_the_keys_columns_in_another_order_fit) {
  execute("CREATE TABLE todos (a TEXT, b TEXT, PRIMARY KEY (b, a))");
  EXPECT_EQ(opening(options(R"({"a":"text","b":"text"})", "{}")), "");
  EXPECT_NE(opening(options(R"({"a":"text"})", R"({"b":"text"})")), "");
}

TEST_F(OtherTables, that_are_views_are_refused) {
  execute("CREATE VIEW todos AS SELECT 'x' AS id, 'y' AS name, 1 AS done");
  EXPECT_NE(opening(options()).find("it is a view"), std::string::npos);
}

TEST_F(OtherTables, may_refuse_an_item_which_fails_alone_with_the_databases_text) {
  execute("CREATE TABLE todos (id TEXT PRIMARY KEY, name TEXT CHECK (length(name) < 5), done INTEGER)");
  SqliteTable table(options());
  const Texts results =
      put(table, {R"({"id":"1","name":"fits"})", R"({"id":"2","name":"too long"})", R"({"id":"3"})"});
  EXPECT_EQ(results, (Texts{"ok", std::to_string(SLUICE_INVALID) + " CHECK constraint failed: length(name) < 5", "ok"}));
}

TEST_F(OtherTables, with_a_trigger_that_rolls_back_leave_no_half_of_a_put) {
  SqliteTable table(options());
  execute("CREATE TRIGGER guard BEFORE INSERT ON todos WHEN new.name = 'bad'"
          " BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END");
  EXPECT_EQ(put(table, {R"({"id":"1"})", R"({"id":"2","name":"bad"})", R"({"id":"3"})"}),
            Texts{"thrown " + std::to_string(SLUICE_UNAVAILABLE) + " " + path() + ": not this one"});
  EXPECT_EQ(list(table, 10).items, Texts{});
  EXPECT_EQ(put(table, {R"({"id":"1"})"}), Texts{"ok"}) << "and the table can be used as before";
}

}  // namespace
}  // namespace sluice::sqlite
