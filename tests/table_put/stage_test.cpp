// The stage on the real host's calls: into a real table, and into one that is troubled as the test says.
#include <gtest/gtest.h>

#include <thread>

#include "directory/temporary_folder.hpp"
#include "object_stages/harness.hpp"

namespace sluice::test {
namespace {

/// Fails items as it is told, and keeps what it was given.
struct Troubled {
  std::map<std::string, std::int32_t> status;  ///< by item; others are put
  int busy_calls = 0;                          ///< so many calls put nothing
  std::vector<std::vector<std::string>> calls;

  static std::int32_t put(void* self, std::uint32_t count, const sluice_str* const* items, std::int32_t,
                          std::int32_t* status, void* user, void (*reason)(void*, std::uint32_t, sluice_str)) {
    auto& table = *static_cast<Troubled*>(self);
    auto& call = table.calls.emplace_back();
    const bool busy = table.busy_calls > 0 && table.busy_calls-- > 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      call.emplace_back(view(*items[i]));
      const auto found = table.status.find(call.back());
      status[i] = busy ? SLUICE_UNAVAILABLE : found == table.status.end() ? SLUICE_OK : found->second;
      if (status[i] != SLUICE_OK)
        reason(user, i, str("the table says so"));
    }
    return SLUICE_OK;
  }
};
constexpr sluice_table kTroubled = {sizeof(sluice_table), Troubled::put, nullptr, nullptr};

class TablePut : public testing::Test {
 protected:
  TablePut() { sluice::detail::host_slot() = &core::host(); }

  std::unique_ptr<core::Instance> stage(const std::string& more = {}) {
    plugins_.add_table("troubled", kTroubled, &table_);
    return plugins_.make("stage", "table_put", "drain", R"({"table":"troubled")" + more + "}");
  }

  TemporaryFolder folder_;
  Troubled table_;
  Plugins plugins_;
  Messages messages_;
  Receiver out_;
};

TEST_F(TablePut, items_of_a_batch_are_put_together_and_a_body_is_its_item_by_default) {
  const auto put = stage();
  messages_.add("{\"id\":1}", {});
  messages_.add("{\"id\":2}", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_EQ(table_.calls, (std::vector<std::vector<std::string>>{{"{\"id\":1}", "{\"id\":2}"}}));
  EXPECT_TRUE(out_.outcomes.empty());
  EXPECT_TRUE(out_.emitted.empty());
}

TEST_F(TablePut, each_message_has_its_own_outcome) {
  table_.status = {{"conflict", SLUICE_CONFLICT}, {"invalid", SLUICE_INVALID}, {"large", SLUICE_TOO_LARGE}, {"denied", SLUICE_DENIED}};
  const auto put = stage();
  for (const char* body : {"good", "conflict", "invalid", "large", "denied"})
    messages_.add(body, {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  ASSERT_EQ(out_.outcomes.size(), 4U);
  for (const auto& [index, reason] : {std::pair{1U, "item_exists"}, {2U, "invalid_item"}, {3U, "item_too_large"}, {4U, "access_denied"}}) {
    EXPECT_EQ(out_.outcomes[index].status, SLUICE_REJECT);
    EXPECT_EQ(out_.outcomes[index].reason, reason);
    EXPECT_EQ(out_.outcomes[index].detail, "the table says so");
  }
  EXPECT_EQ(table_.calls.size(), 1U);
}

TEST_F(TablePut, a_conflict_may_be_passed_over) {
  table_.status = {{"conflict", SLUICE_CONFLICT}};
  const auto put = stage(R"(,"mode":"insert","on_conflict":"ignore")");
  messages_.add("good", {});
  messages_.add("conflict", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_EQ(out_.ignored, std::vector<std::uint32_t>{1});
  EXPECT_TRUE(out_.outcomes.empty());
}

TEST_F(TablePut, an_item_that_is_missing_for_an_update_is_told_so) {
  table_.status = {{"conflict", SLUICE_CONFLICT}};
  const auto put = stage(R"(,"mode":"update")");
  messages_.add("conflict", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_EQ(out_.outcomes[0].reason, "item_missing");
}

TEST_F(TablePut, a_busy_table_is_tried_again_with_what_is_left_and_the_lease_extended) {
  table_.status = {{"invalid", SLUICE_INVALID}};
  table_.busy_calls = 3;
  const auto put = stage();
  messages_.add("good", {});
  messages_.add("invalid", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_EQ(table_.calls.size(), 4U);
  EXPECT_EQ(table_.calls.back(), (std::vector<std::string>{"good", "invalid"}));
  ASSERT_EQ(out_.outcomes.size(), 1U);
  EXPECT_EQ(out_.outcomes[1].reason, "invalid_item");
}

TEST_F(TablePut, only_what_was_not_put_is_put_again) {
  table_.status = {{"later", SLUICE_UNAVAILABLE}};
  const auto put = stage(R"(,"retry_for":"200ms")");
  messages_.add("good", {});
  messages_.add("later", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  ASSERT_GE(table_.calls.size(), 2U);
  for (std::size_t i = 1; i < table_.calls.size(); ++i)
    EXPECT_EQ(table_.calls[i], std::vector<std::string>{"later"});
  ASSERT_EQ(out_.outcomes.size(), 1U);
  EXPECT_EQ(out_.outcomes[1].status, SLUICE_RETRY);
}

TEST_F(TablePut, a_table_that_stays_busy_makes_a_retry_that_backs_off) {
  table_.busy_calls = 1;
  const auto put = stage(R"(,"retry_for":"0s")");
  messages_[messages_.add("good", {})].receive_count = 4;
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_EQ(table_.calls.size(), 1U);
  EXPECT_EQ(out_.outcomes[0].status, SLUICE_RETRY);
  EXPECT_EQ(out_.outcomes[0].reason, "table_unavailable");
  EXPECT_EQ(out_.outcomes[0].detail, "the table says so");
  EXPECT_GE(out_.outcomes[0].retry_after_ms, 0);
  EXPECT_LE(out_.outcomes[0].retry_after_ms, 50 << 4);
}

TEST_F(TablePut, without_its_lease_it_does_not_go_on) {
  table_.busy_calls = 1000;
  out_.progress_status = SLUICE_STALE;
  const auto put = stage(R"(,"retry_for":"1h")");
  messages_.add("good", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_EQ(out_.outcomes[0].status, SLUICE_RETRY);
  EXPECT_EQ(out_.progress_calls, 1);
}

TEST_F(TablePut, ends_its_waiting_when_it_is_cancelled) {
  table_.busy_calls = 1'000'000;
  const auto put = stage(R"(,"retry_for":"1h")");
  messages_.add("good", {});
  std::thread other([&] { put->cancel(); });
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_CANCELLED);
  other.join();
}

TEST_F(TablePut, a_table_that_cannot_go_on_stops_the_engine) {
  table_.status = {{"any", SLUICE_FATAL}};
  const auto put = stage();
  messages_.add("any", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_FATAL);
}

TEST_F(TablePut, a_message_that_makes_no_item_is_rejected_and_its_neighbours_are_put) {
  const auto put = stage(R"(,"item":{"id":"{body:/id}"})");
  messages_.add("no json", {});
  messages_.add(R"({"id":"x"})", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_EQ(table_.calls, std::vector<std::vector<std::string>>{{R"({"id":"x"})"}});
  ASSERT_EQ(out_.outcomes.size(), 1U);
  EXPECT_EQ(out_.outcomes[0].status, SLUICE_REJECT);
  EXPECT_EQ(out_.outcomes[0].reason, "template_value_missing");
}

TEST_F(TablePut, where_no_message_makes_an_item_the_table_is_left_alone) {
  const auto put = stage(R"(,"item":{"id":"{body:/id}"})");
  messages_.add("no json", {});
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_TRUE(table_.calls.empty());
}

TEST_F(TablePut, each_instance_is_a_worker_of_its_own) {
  const auto one = stage(R"(,"item":{"worker":"{worker}"})"), two = stage(R"(,"item":{"worker":"{worker}"})");
  messages_.add("", {});
  EXPECT_EQ(messages_.process(*one, out_), SLUICE_OK);
  EXPECT_EQ(messages_.process(*two, out_), SLUICE_OK);
  ASSERT_EQ(table_.calls.size(), 2U);
  EXPECT_NE(table_.calls[0], table_.calls[1]);
  EXPECT_EQ(table_.calls[0][0].find(R"({"worker":"drain-)"), 0U) << table_.calls[0][0];
}

TEST_F(TablePut, puts_into_sqlite) {
  plugins_.add_table("todos", "sqlite",
                     R"({"path":")" + folder_.at("t.db") +
                         R"(","key":{"todoId":"text"},"columns":{"name":"text","completed":"boolean","createdAt":"integer"}})");
  const auto put = plugins_.make("stage", "table_put", "import", R"({"table":"todos","item":{
      "todoId":"{id}","name":"{body:/name}","completed":false,"createdAt":{"number":"{now_ms}"}}})");
  ASSERT_NE(put, nullptr);
  messages_.add(R"({"name":"buy milk"})", {});
  messages_.add(R"({"name":7})", {});
  messages_[1].id[0] = 0xff;
  EXPECT_EQ(messages_.process(*put, out_), SLUICE_OK);
  EXPECT_TRUE(out_.outcomes.empty());
  const Table todos(plugins_.table("todos"));
  const std::string item = todos.get("\"00010203-0405-0607-0809-0a0b0c0d0e0f\"").value_or("none");
  EXPECT_EQ(item.find(R"({"todoId":"00010203-0405-0607-0809-0a0b0c0d0e0f","name":"buy milk","completed":false,"createdAt":1)"), 0U) << item;
  EXPECT_NE(todos.get("\"ff010203-0405-0607-0809-0a0b0c0d0e0f\"").value_or("none").find(R"("name":"7")"), std::string::npos);
}

TEST(TablePutOptions, a_wrong_item_is_found_before_the_run) {
  Plugins plugins;
  EXPECT_EQ(plugins.faults("stage", "table_put", R"({"table":"t","item":{"a":"{body}"}})"), "");
  EXPECT_NE(plugins.faults("stage", "table_put", R"({"table":"t","item":{"a":"{boddy}"}})").find("/item: \"a\": unknown name"),
            std::string::npos);
}

TEST(SqliteOptions, wrong_columns_are_found_before_the_run) {
  Plugins plugins;
  const auto faults = [&](const std::string& more) {
    return plugins.faults("table", "sqlite", R"({"path":"t.db")" + more + "}");
  };
  EXPECT_EQ(faults(""), "");
  EXPECT_EQ(faults(R"(,"key":{"a":"integer","b":"text"},"columns":{"c":"json"})"), "");
  EXPECT_NE(faults(R"(,"key":{"a":"int"})").find("/key: column \"a\" must be of type"), std::string::npos);
  EXPECT_NE(faults(R"(,"key":{})").find("/key: the key has no column"), std::string::npos);
  EXPECT_NE(faults(R"(,"columns":{"ID":"text"})").find("/columns: column \"ID\" is there twice"), std::string::npos);
}

}  // namespace
}  // namespace sluice::test
