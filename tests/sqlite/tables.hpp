// Tables in a folder of their own, and what is done to them in short.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "database.hpp"
#include "directory/temporary_folder.hpp"
#include "layout.hpp"
#include "table.hpp"

namespace sluice::sqlite {

using Texts = std::vector<std::string>;

/// REQUIRES: both are columns as the options name them.
inline Layout layout_of(std::string_view key, std::string_view columns, const std::string& table = "todos") {
  Layout layout{table, *read_columns(key), 0};
  layout.key_columns = layout.columns.size();
  const auto others = *read_columns(columns);
  layout.columns.insert(layout.columns.end(), others.begin(), others.end());
  return layout;
}

class Tables : public testing::Test {
 protected:
  /// In the folder's file "t.db".
  TableOptions options(std::string_view key = R"({"id":"text"})",
                       std::string_view columns = R"({"name":"text","done":"boolean"})") const {
    return {.path = path(), .layout = layout_of(key, columns), .busy_timeout_ms = 0};
  }
  std::string path() const { return folder_.at("t.db"); }

  /// What somebody else does to the file.
  void execute(const std::string& sql) const { Database(path(), true, 0).execute(sql); }
  std::string ask(const std::string& sql) const { return Database(path(), false, 0).ask(sql); }

  /// "STATUS TEXT" of each item, "ok" if it was put; a put that throws is "thrown STATUS TEXT".
  static Texts put(SqliteTable& table, const Texts& items, PutMode mode = PutMode::upsert) {
    std::vector<sluice_str> texts;
    for (const std::string& item : items)
      texts.push_back(str(item));
    std::vector<const sluice_str*> pointers;
    for (const sluice_str& text : texts)
      pointers.push_back(&text);
    std::vector<std::int32_t> status(items.size(), SLUICE_OK);
    Texts results(items.size(), "ok");
    PutResult result(status.data(), &results, [](void* user, std::uint32_t item, sluice_str text) {
      (*static_cast<Texts*>(user))[item] = view(text);
    });
    try {
      table.put(PutItems(static_cast<std::uint32_t>(items.size()), pointers.data()), mode, result);
    } catch (const Failure& failure) {
      return {"thrown " + std::to_string(failure.status()) + " " + failure.what()};
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (status[i] != SLUICE_OK)
        results[i] = std::to_string(status[i]) + " " + results[i];
    }
    return results;
  }

  struct Page {
    Texts items;
    std::string token;  ///< of the last one
    bool more = false;
  };
  static Page list(SqliteTable& table, std::uint32_t limit, const std::string& token = {}) {
    Page page;
    const EachItem each(&page, [](void* user, sluice_str json, sluice_str next) {
      static_cast<Page*>(user)->items.emplace_back(view(json));
      static_cast<Page*>(user)->token = view(next);
    });
    page.more = table.list(limit, token, each);
    return page;
  }

  /// The failure that opening throws, as "STATUS TEXT"; empty: none.
  static std::string opening(TableOptions options) {
    try {
      SqliteTable table(std::move(options));
    } catch (const Failure& failure) {
      return std::to_string(failure.status()) + " " + failure.what();
    }
    return {};
  }

  test::TemporaryFolder folder_;
};

}  // namespace sluice::sqlite
