#include "config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "base/units.hpp"
#include "config/keys.hpp"
#include "plugin/options.hpp"

namespace sluice::core {
namespace {

using Schema = nlohmann::ordered_json;

constexpr const char* kNamePattern = "^[A-Za-z0-9_-]{1,80}$";
// Values may come from the environment, so a string with "${" in it always passes.
constexpr const char* kDurationPattern = "^([0-9]+(ms|s|m|h|d)|.*\\$\\{.*)$";
constexpr const char* kSizePattern = "^([0-9]+(B|KiB|MiB|GiB|TiB)|.*\\$\\{.*)$";

Schema parse(std::string_view json) {
  return Schema::parse(json);
}

Schema object_schema(const Shape& shape, const std::vector<const Component*>& components);

std::string range_text(const Key& key) {
  const auto text = [&](std::int64_t value) {
    return key.type == Key::Type::duration ? format_duration(value) : format_size(value);
  };
  return fmt::format(" {} to {}.", text(key.minimum), text(key.maximum));
}

/// What the key's value must be, without its description.
Schema value_schema(const Key& key, const std::vector<const Component*>& components) {
  switch (key.type) {
    case Key::Type::name:
      return {{"type", "string"}, {"pattern", "^([A-Za-z0-9_-]{1,80}|.*\\$\\{.*)$"}};
    case Key::Type::string:
    case Key::Type::path:
      return {{"type", "string"}};
    case Key::Type::integer:
      return {{"type", "integer"}, {"minimum", key.minimum}, {"maximum", key.maximum}};
    case Key::Type::number:
      return {{"type", "number"},
              {key.above_minimum ? "exclusiveMinimum" : "minimum", key.minimum},
              {"maximum", key.maximum}};
    case Key::Type::boolean:
      return {{"type", "boolean"}};
    case Key::Type::duration:
      return {{"type", "string"}, {"pattern", kDurationPattern}};
    case Key::Type::size:
      return {{"type", "string"}, {"pattern", kSizePattern}};
    case Key::Type::object:
      return object_schema(*key.shape, components);
    case Key::Type::objects:
      return {{"type", "object"},
              {"propertyNames", {{"pattern", kNamePattern}}},
              {"additionalProperties", object_schema(*key.shape, components)}};
    case Key::Type::array: {
      Schema result = {{"type", "array"}, {"items", object_schema(*key.shape, components)}};
      if (key.required)
        result["minItems"] = 1;
      return result;
    }
    case Key::Type::actions: {
      Schema names = Schema::array();
      for (const ActionName& action : kActions)
        names.push_back(action.name);
      return {{"type", "array"}, {"minItems", 1}, {"items", {{"enum", names}}}};
    }
    case Key::Type::choice: {
      Schema words = Schema::array();
      for (const std::string_view word : key.choices)
        words.push_back(word);
      return {{"enum", words}};
    }
    case Key::Type::policy:
      return {{"type", "object"}};
    case Key::Type::maybe_object: {
      Schema result = object_schema(*key.shape, components);
      result["type"] = {"object", "null"};
      return result;
    }
  }
  return Schema::object();
}

/// What an option's value must be. REQUIRES: a sound option table.
Schema option_value_schema(const sluice_option& option) {
  const std::string_view type = option.type;
  const auto bounded = [&](const char* name) {
    Schema result = {{"type", name}};
    if (option.minimum != nullptr)
      result["minimum"] = parse(option.minimum);
    if (option.maximum != nullptr)
      result["maximum"] = parse(option.maximum);
    return result;
  };
  if (type == "int")
    return bounded("integer");
  if (type == "float")
    return bounded("number");
  if (type == "bool")
    return {{"type", "boolean"}};
  if (type == "duration")
    return {{"type", "string"}, {"pattern", kDurationPattern}};
  if (type == "size")
    return {{"type", "string"}, {"pattern", kSizePattern}};
  if (type == "json")
    return Schema::object();
  if (type != "enum")
    return {{"type", "string"}};
  Schema words = Schema::array();
  std::string_view rest = option.choices;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0)
      words.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {{"enum", words}};
}

/// A bound as people read it: 10ms, also where it stands as "10ms" in quotes.
std::string_view bound_text(std::string_view bound) {
  return bound.size() >= 2 && bound.front() == '"' ? bound.substr(1, bound.size() - 2) : bound;
}

Schema option_schema(const sluice_option& option) {
  Schema result = option_value_schema(option);
  std::string help = option.help;
  const std::string_view type = option.type;
  if (type == "duration" || type == "size") {
    if (option.minimum != nullptr)
      help += fmt::format(" At least {}.", bound_text(option.minimum));
    if (option.maximum != nullptr)
      help += fmt::format(" At most {}.", bound_text(option.maximum));
  }
  result["description"] = help;
  if (option.default_json != nullptr)
    result["default"] = parse(option.default_json);
  return result;
}

/// One component's own options beside the host's keys, chosen by `type`.
Schema component_schema(const Shape& shape, const Component& component) {
  Schema properties = Schema::object(), required = Schema::array();
  for (const Key& key : shape.keys)
    properties[std::string(key.name)] = true;  // described above
  for (auto option = component.descriptor->options; option != nullptr && *option != nullptr;
       ++option) {
    properties[(*option)->name] = option_schema(**option);
    if ((*option)->required != 0)
      required.push_back((*option)->name);
  }
  Schema then = {{"description", component.descriptor->help}, {"properties", properties}};
  if (!required.empty())
    then["required"] = required;
  then["additionalProperties"] = false;
  return {{"if",
           {{"properties", {{"type", {{"const", component.descriptor->type}}}}},
            {"required", {"type"}}}},
          {"then", then}};
}

Schema object_schema(const Shape& shape, const std::vector<const Component*>& components) {
  Schema properties = Schema::object(), required = Schema::array();
  for (const Key& key : shape.keys) {
    Schema value = value_schema(key, components);
    value["description"] =
        std::string(key.help) +
        (key.type == Key::Type::duration || key.type == Key::Type::size ? range_text(key) : "");
    if (!key.default_json.empty())
      value["default"] = parse(key.default_json);
    properties[std::string(key.name)] = std::move(value);
    if (key.required)
      required.push_back(key.name);
  }
  Schema result = {{"type", "object"}, {"properties", properties}};
  if (!required.empty())
    result["required"] = required;
  if (shape.plugin_kind.empty()) {
    result["additionalProperties"] = false;
    return result;
  }
  Schema types = Schema::array(), choices = Schema::array();
  for (const Component* component : components) {
    if (shape.plugin_kind != component->descriptor->kind)
      continue;
    types.push_back(component->descriptor->type);
    choices.push_back(component_schema(shape, *component));
  }
  if (types.empty())
    return result;
  result["properties"]["type"]["examples"] = types;  // not an enum: other plugins bring other types
  result["allOf"] = choices;
  return result;
}

}  // namespace

std::string schema_text(std::vector<const Component*> components) {
  const auto key = [](const Component* component) {
    return std::tuple<std::string_view, std::string_view>(component->descriptor->kind,
                                                          component->descriptor->type);
  };
  std::sort(components.begin(), components.end(),
            [&](auto* a, auto* b) { return key(a) < key(b); });
  Schema schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                   {"title", "sluice pipeline"},
                   {"description", "A pipeline of sluice. Made by `sluice schema`."}};
  schema.update(object_schema(kPipelineShape, components));
  return schema.dump(2) + "\n";
}

}  // namespace sluice::core
