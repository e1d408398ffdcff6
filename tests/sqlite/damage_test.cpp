// Files that are locked, full, damaged, or none at all.
#include <filesystem>
#include <fstream>

#include "support/file_limit.hpp"
#include "tables.hpp"

namespace sluice::sqlite {
namespace {

using Troubles = Tables;

const std::string kUnavailable = "thrown " + std::to_string(SLUICE_UNAVAILABLE) + " ";

TEST_F(Troubles, while_another_writes_nothing_is_put_and_then_all_of_it) {
  SqliteTable table(options());
  const Texts items{R"({"id":"1"})", R"({"id":"2"})"};
  {
    Database other(path(), false, 0);
    const Transaction writing(other);
    EXPECT_EQ(put(table, items), Texts{kUnavailable + path() + ": database is locked"});
    EXPECT_EQ(table.get("\"1\""), std::nullopt) << "and who reads does not wait";
  }
  EXPECT_EQ(put(table, items), (Texts{"ok", "ok"}));
}

TEST_F(Troubles, who_finds_the_table_can_open_it_while_another_writes) {
  SqliteTable table(options());
  put(table, {R"({"id":"1"})"});
  Database other(path(), false, 0);
  const Transaction writing(other);
  SqliteTable second(options());
  EXPECT_EQ(list(second, 5).items.size(), 1U);
}

TEST_F(Troubles, on_a_full_disk_nothing_is_put_and_what_was_there_stays) {
  SqliteTable table(options());
  put(table, {R"({"id":"old"})"});
  Texts items;
  for (int i = 0; i < 4; ++i)
    items.push_back("{\"id\":\"" + std::to_string(i) + "\",\"name\":\"" + std::string(100'000, 'x') + "\"}");
  {
    const test::FileLimit full(120'000);
    const Texts results = put(table, items);
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].find(kUnavailable + path()), 0U) << results[0];
  }
  EXPECT_EQ(list(table, 10).items.size(), 1U);
  EXPECT_EQ(put(table, items), Texts(4, "ok"));
  EXPECT_EQ(list(table, 10).items.size(), 5U);
}

TEST_F(Troubles, a_file_that_is_no_database_is_named_and_left_as_it_is) {
  const std::string text(4096, 'n');
  folder_.write("t.db", text);
  const std::string said = opening(options());
  EXPECT_EQ(said.find(std::to_string(SLUICE_IO) + " " + path() + " is damaged, or no SQLite database: "), 0U) << said;
  EXPECT_EQ(folder_.read("t.db"), text);
}

TEST_F(Troubles, a_table_that_is_damaged_in_its_middle_cannot_go_on) {
  {
    SqliteTable table(options());
    put(table, {R"({"id":"1"})"});
  }
  ask("PRAGMA wal_checkpoint(TRUNCATE)");
  const auto size = std::filesystem::file_size(path());
  ASSERT_GE(size, 8192U);
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    const std::string garbage(size - 4096, '\x5a');
    file.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
  }
  SqliteTable table(options());
  EXPECT_EQ(put(table, {R"({"id":"2"})"}),
            Texts{"thrown " + std::to_string(SLUICE_FATAL) + " " + path() + ": database disk image is malformed"});
}

TEST_F(Troubles, a_folder_in_the_files_place_cannot_be_opened) {
  std::filesystem::create_directories(path());
  const std::string said = opening(options());
  EXPECT_EQ(said.find(std::to_string(SLUICE_UNAVAILABLE) + " cannot open " + path()), 0U) << said;
}

TEST_F(Troubles, a_file_in_the_folders_place_is_told) {
  folder_.write("file", "x");
  TableOptions below = options();
  below.path = folder_.at("file/t.db");
  const std::string said = opening(below);
  EXPECT_EQ(said.find(std::to_string(SLUICE_UNAVAILABLE) + " cannot open " + below.path), 0U) << said;
  EXPECT_NE(said.find("Not a directory"), std::string::npos) << said;
}

TEST_F(Troubles, a_table_that_is_dropped_meanwhile_takes_nothing_until_it_is_there_again) {
  SqliteTable table(options());
  execute("DROP TABLE todos");
  EXPECT_EQ(put(table, {R"({"id":"1"})"}), Texts{kUnavailable + path() + ": no such table: todos"});
  execute("CREATE TABLE todos (id TEXT PRIMARY KEY, name TEXT, done INTEGER)");
  EXPECT_EQ(put(table, {R"({"id":"1"})"}), Texts{"ok"});
}

}  // namespace
}  // namespace sluice::sqlite
