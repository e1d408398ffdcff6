// A table in C++ on one side of the host, a C++ user on the other.
#include <gtest/gtest.h>
#include <sluice/plugin.hpp>

#include <map>
#include <stdexcept>

#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

/// Keys are bare numbers as texts, items anything.
struct MapTable {
  explicit MapTable(const Config&) {}
  void put(const PutItems& items, PutMode mode, PutResult& result) {
    modes.push_back(mode);
    for (uint32_t i = 0; i < items.size(); ++i) {
      if (items[i] == "throw")
        throw Failure(SLUICE_UNAVAILABLE, "the table is busy");
      if (items[i] == "throw another")
        throw std::runtime_error("out of luck");
      if (items[i] == "bad")
        result.fail(i, SLUICE_INVALID, "a bad item");
      else
        held[std::to_string(held.size())] = items[i];
    }
  }
  std::optional<std::string> get(std::string_view key) {
    if (key == "throw")
      throw Failure(SLUICE_INVALID, "no such key can be");
    const auto found = held.find(std::string(key));
    return found == held.end() ? std::nullopt : std::optional(found->second);
  }
  bool list(uint32_t limit, std::string_view token, const EachItem& each) {
    auto at = token.empty() ? held.begin() : held.upper_bound(std::string(token));
    for (uint32_t i = 0; i < limit && at != held.end(); ++i, ++at)
      each(at->second, at->first);
    return at != held.end();
  }
  std::map<std::string, std::string> held;
  std::vector<PutMode> modes;
};

class Tables : public testing::Test {
 protected:
  Tables() {
    void* made = nullptr;
    EXPECT_EQ(component_.create(&host(), nullptr, &made, nullptr), SLUICE_OK);
    self_ = static_cast<MapTable*>(made);
    ref_ = {static_cast<const sluice_table*>(component_.functions), made, "users"};
  }
  ~Tables() override { component_.destroy(self_); }

  /// "ITEM STATUS REASON" of each that was not put.
  std::vector<std::string> put(const std::vector<std::string_view>& items) {
    std::vector<std::string> failures;
    table_.put(items, PutMode::insert, [&](uint32_t item, int32_t status, std::string_view reason) {
      failures.push_back(std::to_string(item) + " " + std::to_string(status) + " " + std::string(reason));
    });
    return failures;
  }

  const sluice_component component_ = sluice::table<MapTable>("map", "Holds items.", 0, nullptr);
  MapTable* self_ = nullptr;
  sluice_table_ref ref_;
  const Table table_{&ref_};
};

using Texts = std::vector<std::string>;

TEST_F(Tables, a_put_tells_which_items_failed_and_why) {
  EXPECT_EQ(put({"a", "bad", "b"}), Texts{"1 21 a bad item"});
  EXPECT_EQ(self_->held.size(), 2U);
  EXPECT_EQ(self_->modes, std::vector<PutMode>{PutMode::insert});
}

TEST_F(Tables, a_put_that_throws_fails_each_item_with_its_text) {
  EXPECT_EQ(put({"bad", "throw"}), (Texts{"0 17 the table is busy", "1 17 the table is busy"}));
  EXPECT_EQ(put({"throw another"}), Texts{"0 20 out of luck"});
}

TEST_F(Tables, a_get_gives_the_item_or_nothing_or_throws) {
  put({"a"});
  EXPECT_EQ(table_.get("0"), "a");
  EXPECT_EQ(table_.get("7"), std::nullopt);
  try {
    table_.get("throw");
    ADD_FAILURE();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.status(), SLUICE_INVALID);
    EXPECT_STREQ(failure.what(), "no such key can be");
  }
}

TEST_F(Tables, a_list_goes_on_behind_its_token_until_there_is_no_more) {
  put({"a", "b", "c"});
  std::string items, token;
  const auto each = [&](std::string_view item, std::string_view next) {
    items += item;
    token = next;
  };
  EXPECT_TRUE(table_.list(2, "", each));
  EXPECT_EQ(items, "ab");
  EXPECT_FALSE(table_.list(2, token, each));
  EXPECT_EQ(items, "abc");
  EXPECT_THROW(table_.list(0, "", each), Failure) << "no list of nothing";
}

TEST_F(Tables, what_the_user_throws_in_a_list_comes_out_of_it) {
  put({"a", "b"});
  int told = 0;
  const auto each = [&](std::string_view, std::string_view) {
    ++told;
    throw std::runtime_error("enough");
  };
  EXPECT_THROW(table_.list(2, "", each), std::runtime_error);
  EXPECT_EQ(told, 1);
}

/// A table in C that does not keep its promises.
constexpr sluice_table kCareless = {
    sizeof(sluice_table),
    [](void* self, uint32_t, const sluice_str* const*, int32_t, int32_t* status, void* user,
       void (*reason)(void*, uint32_t, sluice_str)) -> int32_t {
      status[0] = SLUICE_OK;
      reason(user, 1, str("the disk is gone"));
      return self == nullptr ? SLUICE_OK : SLUICE_UNAVAILABLE;
    },
    nullptr, nullptr};

TEST(CarelessTable, items_that_it_says_nothing_of_are_not_taken_for_put) {
  sluice_table_ref ref{&kCareless, nullptr, "users"};
  const sluice_str item = str("{}");
  const sluice_str* const items[] = {&item, &item};
  int32_t status[2] = {-1, -1};
  EXPECT_EQ(host().table_put(&ref, 2, items, 0, status, nullptr, nullptr), SLUICE_OK);
  EXPECT_EQ(status[0], SLUICE_OK);
  EXPECT_EQ(status[1], SLUICE_FATAL);
}

TEST(CarelessTable, no_item_of_a_put_that_fails_as_a_whole_is_taken_for_put) {
  int self = 0;
  sluice_table_ref ref{&kCareless, &self, "users"};
  const sluice_str item = str("{}");
  const sluice_str* const items[] = {&item, &item};
  int32_t status[2] = {-1, -1};
  EXPECT_EQ(host().table_put(&ref, 2, items, 0, status, nullptr, nullptr), SLUICE_UNAVAILABLE);
  EXPECT_EQ(status[0], SLUICE_UNAVAILABLE);
  EXPECT_EQ(status[1], SLUICE_UNAVAILABLE);
  EXPECT_EQ(view(host().last_error()), "the disk is gone");
}

TEST(CarelessTable, is_not_called_for_items_that_are_none) {
  sluice_table_ref ref{&kCareless, nullptr, "users"};
  const sluice_str nothing{nullptr, 5};
  const sluice_str* const null_text[] = {&nothing};
  const sluice_str* const null_item[] = {nullptr};
  int32_t status[1] = {-1};
  EXPECT_EQ(host().table_put(&ref, 1, null_text, 0, status, nullptr, nullptr), SLUICE_INVALID);
  EXPECT_EQ(host().table_put(&ref, 1, null_item, 0, status, nullptr, nullptr), SLUICE_INVALID);
  EXPECT_EQ(host().table_put(&ref, 0, nullptr, 0, nullptr, nullptr, nullptr), SLUICE_OK);
}

}  // namespace
}  // namespace sluice::core
