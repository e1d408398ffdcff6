// Table type "sqlite": what the host is told of it.
#include <sluice/plugin.hpp>

#include <optional>
#include <string>

#include "table.hpp"

namespace sluice::sqlite {
namespace {

/// Adds the columns of an option; a fault is reported.
bool add_columns(const Config& config, const char* option, Layout& layout) {
  auto columns = read_columns(*config.find_json(option));
  if (columns) {
    layout.columns.insert(layout.columns.end(), columns->begin(), columns->end());
    return true;
  }
  config.error(option, columns.error());
  return false;
}

/// Nothing where there are faults; they are reported.
std::optional<Layout> read_layout(const Config& config) {
  Layout layout;
  layout.table = config.find_text("table").value_or(config.name());
  const bool has_key = add_columns(config, "key", layout);
  layout.key_columns = layout.columns.size();
  if (!add_columns(config, "columns", layout) || !has_key)
    return std::nullopt;
  if (const std::string fault = layout_fault(layout); !fault.empty()) {
    config.error(layout.key_columns == 0 ? "key" : "columns", fault);
    return std::nullopt;
  }
  return layout;
}

TableOptions read_options(const Config& config) {
  std::optional<Layout> layout = read_layout(config);
  if (!layout)
    throw Failure(SLUICE_BAD_OPTION, "its columns cannot be used");
  return {.path = std::string(config.text("path")),
          .layout = *std::move(layout),
          .create = config.boolean("create"),
          .read_only = config.boolean("read_only"),
          .full_sync = config.text("synchronous") == "full",
          .busy_timeout_ms = config.integer("busy_timeout"),
          .item_bytes_max = static_cast<std::uint64_t>(config.integer("max_item_bytes"))};
}

class Sqlite : public SqliteTable {
 public:
  explicit Sqlite(const Config& config) : SqliteTable(read_options(config)) {}
  static bool check(const Config& config) { return read_layout(config).has_value(); }
};

constexpr sluice_option kPath =
    option({.name = "path",
            .type = "path",
            .required = true,
            .help = "The database file. Its write-ahead log stands beside it."});
constexpr sluice_option kTable =
    option({.name = "table",
            .type = "string",
            .help = "The table's name in the database. Default: its name in the pipeline."});
constexpr sluice_option kKey = option({.name = "key",
                                       .type = "json",
                                       .default_json = R"({"id": "text"})",
                                       .help = "The columns that tell items apart, and their "
                                               "types: text, integer, real, boolean or json."});
constexpr sluice_option kColumns = option({.name = "columns",
                                           .type = "json",
                                           .default_json = "{}",
                                           .help = "The other columns and their types, such as "
                                                   "{\"name\": \"text\", \"done\": \"boolean\"}."});
constexpr sluice_option kCreate =
    option({.name = "create",
            .type = "bool",
            .default_json = "true",
            .help = "Whether the file and the table are made where they are missing."});
constexpr sluice_option kReadOnly =
    option({.name = "read_only",
            .type = "bool",
            .default_json = "false",
            .help = "Whether items are only looked at, as `sluice table` does: nothing is made, "
                    "and the file need not be writable."});
constexpr sluice_option kSynchronous = option(
    {.name = "synchronous",
     .type = "enum",
     .default_json = "\"full\"",
     .choices = "full normal",
     .help = "full: a put is on the disk before its messages are acknowledged; normal: a loss of "
             "power may take the last ones away, and nothing is broken."});
constexpr sluice_option kBusyTimeout =
    option({.name = "busy_timeout",
            .type = "duration",
            .default_json = "\"5s\"",
            .minimum = "\"0s\"",
            .maximum = "\"10m\"",
            .help = "How long a put waits while another process writes."});
constexpr sluice_option kMaxItemBytes =
    option({.name = "max_item_bytes",
            .type = "size",
            .default_json = "\"400KiB\"",
            .minimum = "\"1KiB\"",
            .maximum = "\"64MiB\"",
            .help = "The largest item that is taken, as JSON."});
constexpr const sluice_option* kOptions[] = {&kPath,        &kTable,        &kKey,
                                             &kColumns,     &kCreate,       &kReadOnly,
                                             &kSynchronous, &kBusyTimeout,  &kMaxItemBytes, nullptr};

const sluice_component kSqlite =
    table<Sqlite>("sqlite",
                  "Keeps items in a table of an SQLite file. A put is one transaction; an item "
                  "that does not fit fails "
                  "alone. A file that is locked or on a full disk: the items can be put again.",
                  0, kOptions);

}  // namespace
}  // namespace sluice::sqlite

SLUICE_PLUGIN("dev.sluice.sqlite", "1.0.0", &sluice::sqlite::kSqlite)
