// Items put, got and listed, in real files.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tables.hpp"

namespace sluice::sqlite {
namespace {

const std::string kInvalid = std::to_string(SLUICE_INVALID) + " ";
const std::string kConflict = std::to_string(SLUICE_CONFLICT) + " ";

TEST_F(Tables, a_file_that_is_removed_or_moved_takes_no_item_that_would_be_lost_with_it) {
  SqliteTable table(options());
  EXPECT_EQ(put(table, {R"({"id":"1"})"}), Texts{"ok"});
  ::rename(path().c_str(), (path() + ".old").c_str());
  const Texts refused{"thrown " + std::to_string(SLUICE_UNAVAILABLE) + " " + path() +
                      " was removed or moved while it was open: put it back, or start anew"};
  EXPECT_EQ(put(table, {R"({"id":"2"})"}), refused);
  ::rename((path() + ".old").c_str(), path().c_str());
  EXPECT_EQ(put(table, {R"({"id":"2"})"}), Texts{"ok"});
}

TEST_F(Tables, an_item_comes_back_with_its_values_and_their_types) {
  SqliteTable table(options(R"({"id":"text"})", R"({"n":"integer","r":"real","y":"boolean","j":"json"})"));
  const std::string item = R"({"id":"a\"b\u0000ü","n":-9223372036854775808,"r":0.1,"y":false,"j":{"x":[1,"2",null]}})";
  EXPECT_EQ(put(table, {item}), Texts{"ok"});
  EXPECT_EQ(table.get(R"({"id":"a\"b\u0000ü"})"), item);
  EXPECT_EQ(table.get("\"a\""), std::nullopt);
}

TEST_F(Tables, json_is_kept_compact_and_may_be_a_scalar) {
  SqliteTable table(options(R"({"id":"text"})", R"({"j":"json"})"));
  put(table, {R"({"id":"1","j": [ 1 , "a b" ] })", R"({"id":"2","j":"text"})", R"({"id":"3","j":1.50})", R"({"id":"4","j": false })"});
  EXPECT_EQ(list(table, 10).items, (Texts{R"({"id":"1","j":[1,"a b"]})", R"({"id":"2","j":"text"})", R"({"id":"3","j":1.50})", R"({"id":"4","j":false})"}));
}

TEST_F(Tables, what_an_item_leaves_out_is_null_also_over_what_was_there) {
  SqliteTable table(options());
  put(table, {R"({"id":"1","name":"n","done":true})"});
  put(table, {R"({"id":"1","done":null})"});
  EXPECT_EQ(table.get("\"1\""), R"({"id":"1","name":null,"done":null})");
}

TEST_F(Tables, insert_puts_only_what_is_not_there) {
  SqliteTable table(options());
  EXPECT_EQ(put(table, {R"({"id":"1","name":"old"})"}, PutMode::insert), Texts{"ok"});
  EXPECT_EQ(put(table, {R"({"id":"1","name":"new"})", R"({"id":"2"})"}, PutMode::insert),
            (Texts{kConflict + "UNIQUE constraint failed: todos.id", "ok"}));
  EXPECT_EQ(table.get("\"1\""), R"({"id":"1","name":"old","done":null})");
}

TEST_F(Tables, insert_finds_a_number_that_is_there) {
  SqliteTable table(options(R"({"id":"integer"})"));
  put(table, {R"({"id":7})"});
  EXPECT_EQ(put(table, {R"({"id":7})"}, PutMode::insert)[0].find(kConflict), 0U);
}

TEST_F(Tables, update_puts_only_what_is_there) {
  SqliteTable table(options());
  put(table, {R"({"id":"1","name":"old"})"});
  EXPECT_EQ(put(table, {R"({"id":"1","name":"new"})", R"({"id":"2"})"}, PutMode::update),
            (Texts{"ok", kConflict + "there is no item with this key"}));
  EXPECT_EQ(list(table, 10).items, Texts{R"({"id":"1","name":"new","done":null})"});
}

TEST_F(Tables, a_table_of_keys_alone_knows_all_three) {
  SqliteTable table(options(R"({"id":"text"})", "{}"));
  const Texts one{R"({"id":"1"})"};
  EXPECT_EQ(put(table, one, PutMode::update)[0].find(kConflict), 0U);
  EXPECT_EQ(put(table, one), Texts{"ok"});
  EXPECT_EQ(put(table, one), Texts{"ok"});
  EXPECT_EQ(put(table, one, PutMode::update), Texts{"ok"});
  EXPECT_EQ(put(table, one, PutMode::insert)[0].find(kConflict), 0U);
}

TEST_F(Tables, one_bad_item_does_not_fail_its_neighbours) {
  SqliteTable table(options(R"({"id":"text"})", R"({"n":"integer","r":"real","y":"boolean","t":"text"})"));
  const std::pair<const char*, const char*> bad[] = {
      {R"({"id":"x","n":1.5})", "column \"n\" holds integer, and the item has a number that is not whole"},
      {R"({"id":"x","n":9223372036854775808})", "more than 64 bits"},
      {R"({"id":"x","n":"5"})", "the item has a string"},
      {R"({"id":"x","r":1e999})", "beyond its range"},
      {R"({"id":"x","y":1})", "holds boolean, and the item has a number"},
      {R"({"id":"x","t":["a"]})", "the item has an array"},
      {R"({"id":"x","u":1})", "the table has no column \"u\""},
      {R"({"id":"x","n":1,"n":2})", "column \"n\" is there twice"},
      {R"({"n":1})", "column \"id\" of the key has no value"},
      {R"({"id":null})", "column \"id\" of the key has no value"},
      {R"(["x"])", "an item is a JSON object"},
      {R"({"id":"x")", "no JSON"},
      {"", "no JSON"},
      {"{\"id\":\"\xff\"}", "no JSON"},
  };
  Texts items{R"({"id":"first"})"};
  for (const auto& [item, says] : bad)
    items.emplace_back(item);
  items.emplace_back(R"({"id":"last"})");

  const Texts results = put(table, items);

  EXPECT_EQ(results.front(), "ok");
  EXPECT_EQ(results.back(), "ok");
  for (std::size_t i = 0; i < std::size(bad); ++i) {
    EXPECT_EQ(results[i + 1].find(kInvalid), 0U) << items[i + 1] << ": " << results[i + 1];
    EXPECT_NE(results[i + 1].find(bad[i].second), std::string::npos) << items[i + 1] << ": " << results[i + 1];
  }
  EXPECT_EQ(list(table, 10).items.size(), 2U);
}

TEST_F(Tables, an_item_over_the_limit_is_too_large) {
  TableOptions limited = options();
  limited.item_bytes_max = 40;
  SqliteTable table(limited);
  const std::string fits = R"({"id":"1","name":")" + std::string(20, 'x') + "\"}";
  ASSERT_EQ(fits.size(), 40U);
  std::string over = fits;
  over.insert(8, "1");
  const Texts results = put(table, {fits, over});
  EXPECT_EQ(results[0], "ok");
  EXPECT_EQ(results[1], std::to_string(SLUICE_TOO_LARGE) + " an item of 41 bytes, and at most 40 are taken");
}

TEST_F(Tables, of_two_items_with_one_key_the_later_wins) {
  SqliteTable table(options());
  EXPECT_EQ(put(table, {R"({"id":"1","name":"a"})", R"({"id":"1","name":"b"})"}), (Texts{"ok", "ok"}));
  EXPECT_EQ(table.get("\"1\""), R"({"id":"1","name":"b","done":null})");
}

TEST_F(Tables, a_key_may_be_several_columns) {
  SqliteTable table(options(R"({"order":"integer","line":"integer"})", R"({"what":"text"})"));
  put(table, {R"({"order":2,"line":1,"what":"c"})", R"({"order":1,"line":2,"what":"b"})",
              R"({"order":1,"line":1,"what":"a"})"});
  EXPECT_EQ(table.get(R"({"line":2,"order":1})"), R"({"order":1,"line":2,"what":"b"})");
  std::string whats, token;
  for (bool more = true; more;) {
    const Page page = list(table, 1, token);
    ASSERT_EQ(page.items.size(), 1U);
    whats += page.items[0].at(page.items[0].size() - 3);
    token = page.token;
    more = page.more;
  }
  EXPECT_EQ(whats, "abc");
  EXPECT_THROW(table.get("5"), Failure) << "one value is no key of two columns";
  EXPECT_THROW(table.get(R"({"order":1})"), Failure);
}

TEST_F(Tables, a_bare_text_is_a_key_of_any_type) {
  SqliteTable numbers(options(R"({"id":"integer"})"));
  put(numbers, {R"({"id":7,"name":"seven"})"});
  EXPECT_TRUE(numbers.get("7"));
  EXPECT_TRUE(numbers.get("\"7\""));
  EXPECT_THROW(numbers.get("\"seven\""), Failure);
}

TEST_F(Tables, a_list_gives_each_item_once_in_the_order_of_the_keys) {
  SqliteTable table(options(R"({"id":"integer"})", "{}"));
  Texts items;
  for (int i = 0; i < 25; ++i)
    items.push_back("{\"id\":" + std::to_string((i * 7) % 25) + "}");
  put(table, items);
  Texts found;
  std::string token;
  int pages = 0;
  for (bool more = true; more; ++pages) {
    const Page page = list(table, 5, token);
    found.insert(found.end(), page.items.begin(), page.items.end());
    token = page.token;
    more = page.more;
  }
  EXPECT_EQ(pages, 5) << "the last page, which is full, says that it is the last";
  Texts expected;
  for (int i = 0; i < 25; ++i)
    expected.push_back("{\"id\":" + std::to_string(i) + "}");
  EXPECT_EQ(found, expected);
}

TEST_F(Tables, a_list_goes_on_where_the_item_of_its_token_is_gone) {
  SqliteTable table(options(R"({"id":"integer"})", "{}"));
  put(table, {R"({"id":1})", R"({"id":2})", R"({"id":3})"});
  const Page first = list(table, 2);
  execute("DELETE FROM todos WHERE id = 2");
  EXPECT_EQ(list(table, 2, first.token).items, Texts{R"({"id":3})"});
}

TEST_F(Tables, a_page_of_large_items_ends_before_its_limit) {
  SqliteTable table(options());
  for (int i = 0; i < 15; ++i)
    put(table, {"{\"id\":\"" + std::to_string(i) + "\",\"name\":\"" + std::string(390'000, 'x') + "\"}"});
  const Page page = list(table, 100);
  EXPECT_TRUE(page.more);
  EXPECT_LT(page.items.size(), 15U);
  EXPECT_EQ(page.items.size() + list(table, 100, page.token).items.size(), 15U);
}

TEST_F(Tables, a_token_of_another_table_is_refused) {
  SqliteTable table(options());
  for (const char* token : {"x", "bm8gSlNPTg==", "eyJvdGhlciI6MX0="})
    EXPECT_THROW(list(table, 5, token), Failure) << token;
}

TEST_F(Tables, names_and_values_are_no_sql) {
  const std::string evil = R"(x") ; DROP TABLE todos; --)";
  TableOptions strange = options();
  strange.layout = {evil, {{"id\"", ColumnType::text}, {"a'b);", ColumnType::text}}, 1};
  SqliteTable table(strange);
  const std::string item = R"({"id\"":"1'); DELETE FROM x; --","a'b);":"\"; --"})";
  EXPECT_EQ(put(table, {item}), Texts{"ok"});
  EXPECT_EQ(put(table, {item}), Texts{"ok"});
  EXPECT_EQ(put(table, {item}, PutMode::update), Texts{"ok"});
  EXPECT_EQ(list(table, 5).items, Texts{item});
  EXPECT_EQ(ask("SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), "1");
}

TEST_F(Tables, a_name_that_is_no_column_is_an_error_and_no_text) {
  // SQLite by itself takes "nonsense" for 'nonsense' then.
  Database database(path(), true, 0);
  database.execute("CREATE TABLE t (a TEXT)");
  EXPECT_THROW(database.prepare("SELECT \"nonsense\" FROM t"), DatabaseError);
}

TEST_F(Tables, the_file_its_folder_and_the_table_are_made_where_they_are_missing) {
  TableOptions deep = options();
  deep.path = folder_.at("a/b/t.db");
  EXPECT_EQ(opening(deep), "");
  EXPECT_EQ(opening(deep), "") << "and found there the next time";
  EXPECT_EQ(Database(deep.path, false, 0).ask("PRAGMA journal_mode"), "wal");
}

TEST_F(Tables, nothing_is_made_where_that_is_not_wanted) {
  TableOptions found_only = options();
  found_only.create = false;
  const std::string not_found = std::to_string(SLUICE_NOT_FOUND) + " ";
  EXPECT_EQ(opening(found_only), not_found + path() + " is not there, and \"create\" is false");
  EXPECT_FALSE(folder_.exists("t.db"));
  execute("CREATE TABLE other (id TEXT)");
  EXPECT_EQ(opening(found_only), not_found + path() + " has no table \"todos\", and \"create\" is false");
}

TEST_F(Tables, nothing_is_made_or_put_by_who_only_looks) {
  TableOptions looking = options();
  looking.read_only = true;
  const std::string not_found = std::to_string(SLUICE_NOT_FOUND) + " ";
  EXPECT_EQ(opening(looking), not_found + path() + " is not there");
  EXPECT_FALSE(folder_.exists("t.db"));
  execute("CREATE TABLE other (id TEXT)");
  EXPECT_EQ(opening(looking), not_found + path() + " has no table \"todos\"");
  SqliteTable writing(options()), table(looking);
  put(writing, {R"({"id":"1","name":"a"})"});
  EXPECT_EQ(table.get("\"1\""), R"({"id":"1","name":"a","done":null})");
  EXPECT_EQ(put(table, {R"({"id":"2"})"}),
            Texts{"thrown " + std::to_string(SLUICE_UNAVAILABLE) + " " + path() +
                  ": attempt to write a readonly database"});
}

/// As another user than the one who made it, in a folder where he makes nothing.
TEST_F(Tables, who_only_looks_needs_no_right_to_write) {
  TableOptions looking = options();
  looking.path = folder_.at("a%3f b#?.db");
  {
    SqliteTable table(looking);
    put(table, {R"({"id":"1","name":"a"})"});
  }
  looking.read_only = true;
  ASSERT_EQ(chmod(looking.path.c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0555), 0);
  const bool is_root = geteuid() == 0;  // who may do all
  ASSERT_TRUE(!is_root || seteuid(65534) == 0);
  std::string fault;
  Page page;
  try {
    SqliteTable table(looking);
    page = list(table, 5);
  } catch (const Failure& failure) {
    fault = failure.what();
  }
  ASSERT_TRUE(!is_root || seteuid(0) == 0);
  chmod(folder_.path().c_str(), 0755);
  EXPECT_EQ(fault, "");
  EXPECT_EQ(page.items, Texts{R"({"id":"1","name":"a","done":null})"});
}

TEST_F(Tables, two_tables_share_a_file) {
  TableOptions second = options();
  second.layout.table = "others";
  SqliteTable a(options()), b(second);
  put(a, {R"({"id":"1","name":"a"})"});
  put(b, {R"({"id":"1","name":"b"})"});
  EXPECT_EQ(a.get("\"1\""), R"({"id":"1","name":"a","done":null})");
  EXPECT_EQ(b.get("\"1\""), R"({"id":"1","name":"b","done":null})");
}

TEST_F(Tables, threads_put_and_look_at_once) {
  constexpr int kThreads = 4, kEach = 25;
  SqliteTable table(options());
  std::vector<std::thread> threads;
  std::atomic<int> put_ok{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        put_ok += put(table, {"{\"id\":\"" + id + "\"}"}) == Texts{"ok"} ? 1 : 0;
        put_ok -= table.get("\"" + id + "\"") ? 0 : 1;
        list(table, 3);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(put_ok, kThreads * kEach);
  EXPECT_EQ(list(table, 1000).items.size(), static_cast<std::size_t>(kThreads * kEach));
}

TEST_F(Tables, values_that_others_wrote_come_as_what_they_are) {
  SqliteTable table(options(R"({"id":"text"})", R"({"n":"integer","y":"boolean","j":"json"})"));
  execute("INSERT INTO todos VALUES ('1', 'text', 2, 'no json'), ('2', x'00ff', NULL, NULL), ('3', 1e999, 1, '[1]')");
  EXPECT_EQ(list(table, 5).items,
            (Texts{R"({"id":"1","n":"text","y":2,"j":"no json"})", R"({"id":"2","n":"AP8=","y":null,"j":null})",
                   R"({"id":"3","n":null,"y":true,"j":[1]})"}));
}

}  // namespace
}  // namespace sluice::sqlite
