#include "config/component_reader.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "plugin/option_table.hpp"

namespace sluice::core {
namespace {

/// Where a fault that the option table reports stands: at the option's value; at its name if the
/// plugin has no such option; at the object if it is not given.
std::uint32_t offset_at(const Json& object, const Component& component, std::string_view pointer) {
  const Json* at = &object;
  while (!pointer.empty() && pointer.front() == '/') {
    pointer.remove_prefix(1);
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    std::string name;
    for (std::size_t i = 0; i < part.size(); ++i) {
      const bool escaped = part[i] == '~' && i + 1 < part.size();
      name += !escaped ? part[i] : part[++i] == '1' ? '/' : '~';
    }
    const Json* next = nullptr;
    for (const JsonMember& member : at->members) {
      if (member.name != name)
        continue;
      if (at == &object && find_option(*component.descriptor, name) == nullptr)
        return member.offset;
      next = &member.value;
    }
    if (at->type == Json::Type::array && !name.empty() && name.size() < 7 &&
        name.find_first_not_of("0123456789") == std::string::npos &&
        std::stoul(name) < at->items.size()) {
      next = &at->items[std::stoul(name)];
    }
    if (next == nullptr)
      break;
    at = next;
  }
  return at->offset;
}

}  // namespace

std::string option_text(const sluice_config& options, std::string_view name) {
  const auto found = options.values.find(name);
  return found == options.values.end() ? std::string() : found->second.text;
}

std::string option_text_of_type(const sluice_config& options, std::string_view type) {
  for (auto option = options.component->descriptor->options;
       option != nullptr && *option != nullptr; ++option) {
    if (type == (*option)->type)
      return option_text(options, (*option)->name);
  }
  return {};
}

std::string absolute_path(const std::string& folder, const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path joined = fs::path(folder) / path;
  std::error_code fault;
  fs::path result = fs::weakly_canonical(joined, fault);
  if (fault)
    result = joined.lexically_normal();
  std::string text = result.string();
  while (text.size() > 1 && text.back() == '/')
    text.pop_back();
  return text;
}

std::unique_ptr<sluice_config> ComponentReader::read(const Json& object, const Shape& shape,
                                                     const ObjectReader& fields,
                                                     const std::string& name) {
  const Component* component = find_component(shape, fields);
  if (component == nullptr)
    return nullptr;
  check_references(*component, object, fields.who());
  std::vector<std::string_view> reserved;
  for (const Key& key : shape.keys)
    reserved.push_back(key.name);
  return complete_options(*component, {name, folder_, state_}, &object, reserved,
                          [&](std::string_view pointer, std::string text) {
                            reporter_.error(offset_at(object, *component, pointer),
                                            fmt::format("{}: {}", fields.who(), text));
                          });
}

const Component* ComponentReader::find_component(const Shape& shape, const ObjectReader& fields) {
  const Json* type = fields.find("type");
  if (type == nullptr)
    return nullptr;
  Result<const Component*> found = registry_.find(shape.plugin_kind, type->text);
  if (found)
    return *found;
  reporter_.error(type->offset, fmt::format("{}: {}", fields.who(), found.error().message),
                  found.error().code);
  return nullptr;
}

void ComponentReader::check_references(const Component& component, const Json& object,
                                       const std::string& who) {
  for (auto option = component.descriptor->options; option != nullptr && *option != nullptr;
       ++option) {
    const Json* value = object.find((*option)->name);
    const std::string_view type = (*option)->type;
    if (value == nullptr || (type != "bucket" && type != "table") || any_.contains(type))
      continue;
    sluice_config::Value ignored;
    if (read_option(**option, *value, folder_, &ignored))
      continue;  // no name at all: reported elsewhere
    if (type == "bucket") {
      check_bucket(*value, (*option)->name, who);
    } else {
      check_table(*value, (*option)->name, who);
    }
  }
}

void ComponentReader::check_bucket(const Json& value, std::string_view option,
                                   const std::string& who) {
  if (buckets_.contains(value.text))
    return;
  const std::vector<std::string_view> known(buckets_.begin(), buckets_.end());
  const std::string bucket = value.text.substr(0, value.text.find('/'));
  const bool point = bucket.size() < value.text.size() && buckets_.contains(bucket);
  reporter_.error(
      value.offset,
      point ? fmt::format("{}: bucket {} has no access point {}{}", who, in_quotes(bucket),
                          in_quotes(value.text.substr(bucket.size() + 1)), hint(value.text, known))
            : fmt::format("{}: \"{}\" names no bucket: {} is not declared{}", who, option,
                          in_quotes(value.text), hint(value.text, known)));
}

void ComponentReader::check_table(const Json& value, std::string_view option,
                                  const std::string& who) {
  if (tables_.contains(value.text))
    return;
  const std::vector<std::string_view> known(tables_.begin(), tables_.end());
  reporter_.error(value.offset,
                  fmt::format("{}: \"{}\" names no table: {} is not declared{}", who, option,
                              in_quotes(value.text), hint(value.text, known)));
}

}  // namespace sluice::core
