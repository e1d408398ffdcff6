// `plugins`, `inspect` and `schema`: what can be loaded and how it is used.
#include <fmt/format.h>

#include <algorithm>

#include "base/spelling.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/output.hpp"
#include "config/schema.hpp"

namespace sluice::core {
namespace {

std::string_view first_sentence(std::string_view help) {
  const std::size_t end = std::min(help.find(". "), help.find('\n'));
  return end >= help.size() ? help : help.substr(0, end + (help[end] == '.' ? 1 : 0));
}

}  // namespace

int list_plugins(const PluginsArguments& arguments) {
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  std::vector<Error> failures;
  std::vector<std::vector<std::string>> rows{
      {"KIND", "TYPE", "VERSION", "LIBRARY", "WHAT IT DOES"}};
  for (const Component* component : registry.all(&failures)) {
    const sluice_component& c = *component->descriptor;
    rows.push_back({c.kind, c.type, component->plugin->version, component->library,
                    std::string(first_sentence(c.help))});
  }
  print(columns_text(rows));
  if (!failures.empty())
    print("\nnot usable:\n");
  for (const Error& failure : failures)
    print(fmt::format("  {}\n", failure.message));
  return 0;
}

int inspect_plugin(const InspectArguments& arguments) {
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  std::string text;
  std::optional<Error> broken;
  for (const char* kind : {"source", "stage", "bucket", "table"}) {
    const Result<const Component*> found = registry.find(kind, arguments.type);
    if (found) {
      text += (text.empty() ? "" : "\n") + describe_component(**found);
    } else if (found.error().code == Errc::unavailable && !broken) {
      broken = found.error();
    }
  }
  if (!text.empty()) {
    print(text);
    return 0;
  }
  if (broken)
    return report(*broken);
  std::vector<std::string_view> types;
  for (const Component* component : registry.all(nullptr))
    types.push_back(component->descriptor->type);
  const std::string near =
      arguments.type.size() > 100 ? "" : did_you_mean(nearest_name(arguments.type, types));
  return report({Errc::config,
                 fmt::format("there is no plugin of type {}{}", in_quotes(arguments.type), near)});
}

int print_schema(const SchemaArguments& arguments) {
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  std::vector<Error> failures;
  const std::vector<const Component*> components = registry.all(&failures);
  for (const Error& failure : failures)
    print_error(failure.message);
  print(schema_text(components));
  return failures.empty() ? 0 : exit_code(Errc::unavailable);
}

}  // namespace sluice::core
