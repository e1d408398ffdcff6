// `sluice table`, on the table of the test components: keys 0, 1, ..., two items at once.
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace sluice::core {
namespace {

using nlohmann::json;

class TableCommand : public testing::Test {
 protected:
  TableCommand() {
    write_text(folder_ / "p.json", R"({"tables": {"users": {"type": "test_table", "items": 5}}})");
  }
  Said table(const std::string& action, std::vector<std::string> more = {},
             const std::string& name = "users") const {
    std::vector<std::string> words{"table",          action, folder_ / "p.json", name,
                                   "--plugin-dir", test_plugins()};
    words.insert(words.end(), more.begin(), more.end());
    return run_sluice(words);
  }

  Folder folder_;
};

TEST_F(TableCommand, get_prints_the_item_with_a_key) {
  for (const char* key : {"3", R"({"id":3})"}) {
    const Said said = table("get", {key});
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_EQ(said.out, "{\"id\":3}\n") << key;
  }
}

TEST_F(TableCommand, an_item_that_is_not_there_is_missing_input) {
  const Said said = table("get", {"7"});
  EXPECT_EQ(said.exit, 66);
  EXPECT_TRUE(has(said.err, "table \"users\" has no item with the key \"7\"")) << said.err;
  EXPECT_EQ(said.out, "");
}

TEST_F(TableCommand, list_goes_through_the_tables_pages_and_ends_without_a_token) {
  const Said said = table("list");
  ASSERT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(said.out, "{\"items\":[\n{\"id\":0},\n{\"id\":1},\n{\"id\":2},\n{\"id\":3},\n{\"id\":4}\n]}\n");
}

TEST_F(TableCommand, a_token_goes_on_where_the_page_ended) {
  const json first = json::parse(table("list", {"--limit", "3"}).out);
  EXPECT_EQ(first["items"].size(), 3U);
  const json next = json::parse(table("list", {"--limit", "3", "--next-token", first["nextToken"].get<std::string>()}).out);
  EXPECT_EQ(next["items"], (json{{{"id", 3}}, {{"id", 4}}}));
  EXPECT_FALSE(next.contains("nextToken"));
}

TEST_F(TableCommand, a_page_that_ends_with_the_last_item_has_no_token) {
  EXPECT_FALSE(json::parse(table("list", {"--limit", "5"}).out).contains("nextToken"));
  EXPECT_TRUE(json::parse(table("list", {"--limit", "4"}).out).contains("nextToken"));
}

TEST_F(TableCommand, an_empty_table_is_an_empty_list) {
  const Said said = table("list", {"--set", "/tables/users/items=0"});
  EXPECT_EQ(said.out, "{\"items\":[]}\n") << said.err;
}

TEST_F(TableCommand, lines_alone_come_with_jsonl_and_the_token_on_stderr) {
  const Said said = table("list", {"--jsonl", "--limit", "2"});
  EXPECT_EQ(said.exit, 0);
  EXPECT_EQ(said.out, "{\"id\":0}\n{\"id\":1}\n");
  EXPECT_TRUE(has(said.err, "there are more items: --next-token 2")) << said.err;
  EXPECT_EQ(table("list", {"--jsonl"}).err, "");
}

TEST_F(TableCommand, a_table_that_the_config_has_not_names_the_nearest) {
  const Said said = table("list", {}, "usres");
  EXPECT_EQ(said.exit, 78);
  EXPECT_TRUE(has(said.err, "\"usres\" names no table: did you mean \"users\"?")) << said.err;
}

TEST_F(TableCommand, a_table_that_does_not_answer_is_unavailable) {
  const Said said = table("list", {"--next-token", "broken"});
  EXPECT_EQ(said.exit, 69);
  EXPECT_TRUE(has(said.err, "table \"users\": the table is down")) << said.err;
}

TEST_F(TableCommand, a_limit_is_at_least_one) {
  EXPECT_EQ(table("list", {"--limit", "0"}).exit, 64);
}

}  // namespace
}  // namespace sluice::core
