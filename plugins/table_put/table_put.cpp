// Stage "table_put": puts an item for each message into a table, those of a batch together.
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "item_template.hpp"
#include "support/backoff.hpp"
#include "support/worker_name.hpp"

namespace sluice::table_put {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

/// Between two tries at a table that is busy or not there, as the AWS SDKs do it.
constexpr std::int64_t kBackoffBaseMs = 50, kBackoffMostMs = 20'000;
/// How often the host hears that there is progress, so that no lease expires while it is waited.
constexpr milliseconds kStep{250};

std::optional<ItemTemplate> find_item(const Config& config) {
  const std::optional<std::string_view> json = config.find_json("item");
  if (!json)
    return std::nullopt;
  auto parsed = ItemTemplate::parse(*json);
  if (!parsed)
    throw Failure(SLUICE_BAD_OPTION, parsed.error());
  return *std::move(parsed);
}

PutMode mode_of(std::string_view name) {
  return name == "insert" ? PutMode::insert : name == "update" ? PutMode::update : PutMode::upsert;
}

class TablePut {
 public:
  static bool check(const Config& config) {
    try {
      find_item(config);
      return true;
    } catch (const Failure& failure) {
      config.error("item", failure.what());
      return false;
    }
  }

  explicit TablePut(const Config& config)
      : table_(config.table("table")),
        item_(find_item(config)),
        mode_(mode_of(config.text("mode"))),
        ignores_conflicts_(config.text("on_conflict") == "ignore"),
        retry_for_(config.integer("retry_for")),
        worker_(support::worker_name(
            config.name(),
            fmt::format("{}\n{}", config.text("table"), config.find_json("item").value_or("")))),
        random_(std::random_device{}()) {}

  void process(const Batch& batch, Out& out) {
    std::vector<Item> left = items_of(batch, out);
    const Steady::time_point end = Steady::now() + retry_for_;
    for (std::uint32_t attempt = 0; !left.empty(); ++attempt) {
      left = put(std::move(left), out);
      const milliseconds delay(
          support::full_jitter_ms(kBackoffBaseMs, kBackoffMostMs, attempt, random_()));
      if (!left.empty() && (Steady::now() + delay >= end || !wait(delay, out))) {
        give_back(left, batch, out);
        return;
      }
    }
  }

  void cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }

 private:
  struct Item {
    std::uint32_t message;  ///< index in the batch
    std::string json;
    std::string trouble = {};  ///< why it could not be put yet
  };

  /// Those that cannot become items are rejected.
  std::vector<Item> items_of(const Batch& batch, Out& out) const {
    std::vector<Item> items;
    items.reserve(batch.size());
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (!item_) {
        items.push_back({i, std::string(batch[i].text())});
        continue;
      }
      auto made = item_->expand({batch[i], batch[i].text(), worker_, host().now_ms()});
      if (made) {
        items.push_back({i, *std::move(made)});
      } else {
        out.reject(i, made.error().reason, made.error().detail);
      }
    }
    return items;
  }

  /// Those that can be put later.
  std::vector<Item> put(std::vector<Item> items, Out& out) const {
    std::vector<std::string_view> texts;
    for (const Item& item : items)
      texts.push_back(item.json);
    std::vector<Item> left;
    table_.put(texts, mode_, [&](std::uint32_t at, std::int32_t status, std::string_view reason) {
      if (settle(items[at].message, status, reason, out))
        return;
      left.push_back(std::move(items[at]));
      left.back().trouble = reason;
    });
    return left;
  }

  /// False: it can be put later.
  bool settle(std::uint32_t message, std::int32_t status, std::string_view reason, Out& out) const {
    switch (status) {
      case SLUICE_CONFLICT:
        if (ignores_conflicts_) {
          out.ignore(message);
        } else {
          out.reject(message, mode_ == PutMode::update ? "item_missing" : "item_exists", reason);
        }
        return true;
      case SLUICE_INVALID:
        out.reject(message, "invalid_item", reason);
        return true;
      case SLUICE_TOO_LARGE:
        out.reject(message, "item_too_large", reason);
        return true;
      case SLUICE_DENIED:
        out.reject(message, "access_denied", reason);
        return true;
      case SLUICE_FATAL:
      case SLUICE_CANCELLED:
        throw Failure(status, std::string(reason));
      default:
        return false;
    }
  }

  /// False: the lease is gone, the results will not count.
  bool wait(milliseconds delay, Out& out) {
    const Steady::time_point end = Steady::now() + delay;
    std::unique_lock lock(mutex_);
    while (Steady::now() < end) {
      if (changed_.wait_until(lock, std::min(end, Steady::now() + kStep),
                              [this] { return cancelled_; }))
        throw Failure(SLUICE_CANCELLED, "cancelled");
      const std::int32_t status = out.progress(0, 0, 0);
      if (status == SLUICE_CANCELLED)
        throw Failure(status, "cancelled");
      if (status == SLUICE_STALE)
        return false;
    }
    return true;
  }

  void give_back(const std::vector<Item>& left, const Batch& batch, Out& out) {
    for (const Item& item : left) {
      const std::uint32_t failures = std::max(batch[item.message]->receive_count, 1U);
      out.retry(item.message, "table_unavailable", item.trouble,
                support::full_jitter_ms(kBackoffBaseMs, kBackoffMostMs, failures, random_()));
    }
  }

  const Table table_;
  const std::optional<ItemTemplate> item_;
  const PutMode mode_;
  const bool ignores_conflicts_;
  const milliseconds retry_for_;
  const std::string worker_;
  std::mt19937_64 random_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;  // guarded by mutex_
};

constexpr sluice_option kTable =
    option({.name = "table", .type = "table", .required = true, .help = "The table to put into."});
constexpr sluice_option kItem =
    option({.name = "item",
            .type = "json",
            .help = "The item of a message, its columns as templates: {\"todoId\": \"{id}\", "
                    "\"name\": \"{body:/name}\", "
                    "\"completed\": false, \"createdAt\": {\"number\": \"{now_ms}\"}}. A template "
                    "makes a string; "
                    "{\"number\": T}, {\"boolean\": T} and {\"json\": T} make those of its text. "
                    "Default: the body, "
                    "which is a JSON object."});
constexpr sluice_option kMode = option({.name = "mode",
                                        .type = "enum",
                                        .default_json = "\"upsert\"",
                                        .choices = "upsert insert update",
                                        .help = "upsert: an item takes the place of the one with "
                                                "its key; insert: only where there is none; "
                                                "update: only where there is one."});
constexpr sluice_option kOnConflict =
    option({.name = "on_conflict",
            .type = "enum",
            .default_json = "\"reject\"",
            .choices = "reject ignore",
            .help = "What becomes of a message whose item the mode does not allow: it is rejected, "
                    "or it is done with "
                    "and counted as ignored."});
constexpr sluice_option kRetryFor =
    option({.name = "retry_for",
            .type = "duration",
            .default_json = "\"1m\"",
            .minimum = "\"0s\"",
            .maximum = "\"1h\"",
            .help = "How long a table that is busy, full or not there is tried again, the lease "
                    "extended, before "
                    "the message is retried, which costs it a receive."});
constexpr const sluice_option* kOptions[] = {&kTable,      &kItem,     &kMode,
                                             &kOnConflict, &kRetryFor, nullptr};

const sluice_component kTablePut =
    stage<TablePut>("table_put",
                    "Puts an item for each message into a table, those of a batch together. Emits "
                    "nothing. An item that "
                    "the table refuses, or a value that the template misses: rejected alone; a "
                    "table that is busy, full or "
                    "not there: tried again, then retried.",
                    SLUICE_BLOCKS | SLUICE_SINK | SLUICE_MAY_RETRY, kOptions);

}  // namespace
}  // namespace sluice::table_put

SLUICE_PLUGIN("dev.sluice.table_put", "1.0.0", &sluice::table_put::kTablePut)
