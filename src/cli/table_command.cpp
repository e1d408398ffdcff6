// `table`: looks at the items of a table, whether the pipeline runs or not: it asks the table
// itself.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/lent_components.hpp"
#include "cli/output.hpp"
#include "config/diagnostics.hpp"
#include "config/load.hpp"
#include "plugin/handles.hpp"
#include "plugin/options.hpp"

namespace sluice::core {
namespace {

/// Items asked for at once.
constexpr std::uint32_t kPageMax = 1000;

std::string_view view(sluice_str text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}
sluice_str str(std::string_view text) {
  return {text.data(), text.size()};
}

/// Who looks makes nothing, and need not have the right to write: where the table's type knows of that.
void open_read_only(PipelineDescription& pipeline, const std::string& table) {
  for (TableDescription& each : pipeline.tables) {
    const sluice_option* option = find_option(*each.options->component->descriptor, "read_only");
    if (each.name == table && option != nullptr && std::string_view(option->type) == "bool")
      each.options->values["read_only"] = {.text = "true", .json = "true", .integer = 1, .number = {}};
  }
}

Result<LentComponents> open_table(const TableArguments& arguments, Registry& registry) {
  Diagnostics diagnostics;
  Result<PipelineDescription> pipeline =
      load_pipeline(arguments.config, arguments.overrides, registry, diagnostics);
  if (!pipeline) {
    print_raw_error(render(diagnostics, colour_on_stderr()));
    return std::unexpected(pipeline.error());
  }
  open_read_only(*pipeline, arguments.table);
  return LentComponents::open(std::move(*pipeline),
                              {{OptionReference::Kind::table, "", arguments.table}});
}

/// What a call of the table answered, as an error.
Error error_of(int32_t status, std::string_view table) {
  const std::string text(last_error_text());
  const std::string message = fmt::format("table {}: {}", in_quotes(table), text);
  switch (status) {
    case SLUICE_INVALID:
      return {Errc::usage, message};
    case SLUICE_FATAL:
      return {Errc::io, message};
    default:
      return {Errc::unavailable, message};
  }
}

/// An object as it is; all else is the value of a key of one column.
std::string key_json(const std::string& key) {
  const auto parsed = parse_json(key);
  return parsed && parsed->type == Json::Type::object ? key : json_quote(key);
}

int get(sluice_table_ref* table, const TableArguments& arguments) {
  std::string item;
  const std::string key = key_json(arguments.key);
  const int32_t status = host().table_get(table, str(key), &item, [](void* user, sluice_str json) {
    *static_cast<std::string*>(user) = view(json);
  });
  if (status == SLUICE_NOT_FOUND) {
    return report({Errc::missing_input, fmt::format("table {} has no item with the key {}",
                                                    in_quotes(arguments.table), key)});
  }
  if (status != SLUICE_OK)
    return report(error_of(status, arguments.table));
  print(item + "\n");
  return 0;
}

/// Prints items as they come.
struct Printer {
  bool as_lines;
  std::uint32_t items = 0;
  std::string token = {};  ///< of the last item

  static void take(void* self, sluice_str json, sluice_str token) {
    auto& to = *static_cast<Printer*>(self);
    if (!to.as_lines)
      print(to.items == 0 ? "{\"items\":[\n" : ",\n");
    print(view(json));
    if (to.as_lines)
      print("\n");
    ++to.items;
    to.token = view(token);
  }
};

int list(sluice_table_ref* table, const TableArguments& arguments) {
  Printer printer{arguments.jsonl};
  std::string next_token = arguments.next_token;
  int32_t status = SLUICE_OK;
  while (status == SLUICE_OK && printer.items < arguments.limit) {
    const std::uint32_t before = printer.items;
    const std::uint32_t wanted = std::min(arguments.limit - before, kPageMax);
    status = host().table_list(table, wanted, str(next_token), &printer, Printer::take);
    if (status == SLUICE_OK && printer.items == before) {
      return report(
          {Errc::internal, fmt::format("table {} says that there is more, and tells nothing",
                                       in_quotes(arguments.table))});
    }
    next_token = printer.token;
  }
  if (status != SLUICE_OK && status != SLUICE_END)
    return report(error_of(status, arguments.table));
  const std::string more = status == SLUICE_OK ? printer.token : "";
  if (!arguments.jsonl) {
    print(fmt::format("{}]{}}}\n", printer.items == 0 ? "{\"items\":[" : "\n",
                      more.empty() ? "" : fmt::format(",\"nextToken\":{}", json_quote(more))));
  } else if (!more.empty()) {
    print_warning(fmt::format("there are more items: --next-token {}", more));
  }
  return 0;
}

}  // namespace

int look_at_table(const TableArguments& arguments) {
  configure_log(LogLevel::warning, LogFormat::text);
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  const Result<LentComponents> lent = open_table(arguments, registry);
  if (!lent)
    return report(lent.error());
  sluice_table_ref* table = lent->table(arguments.table);
  return arguments.action == TableArguments::Action::get ? get(table, arguments)
                                                         : list(table, arguments);
}

}  // namespace sluice::core
