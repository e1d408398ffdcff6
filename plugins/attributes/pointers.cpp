#include "pointers.hpp"

#include <fmt/format.h>
#include <sluice/plugin.h>

#include <algorithm>
#include <optional>

namespace sluice::attributes {

namespace {

using support::JsonPiece;
using support::JsonReader;
using Value = JsonReader::Value;

constexpr std::size_t kNamesMax = 64;       // attributes of a message
constexpr std::size_t kNameBytesMax = 256;  // as in SQS

/// The names on the way that `pointer` tells (RFC 6901 §3 and §4); nothing if it is no pointer.
std::optional<std::vector<std::string>> steps_of(std::string_view pointer) {
  std::vector<std::string> steps;
  if (!pointer.empty() && pointer.front() != '/')
    return std::nullopt;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      steps.emplace_back();
      continue;
    }
    const bool escape = pointer[i] == '~';
    if (escape && (++i == pointer.size() || (pointer[i] != '0' && pointer[i] != '1')))
      return std::nullopt;
    steps.back() += !escape ? pointer[i] : pointer[i] == '0' ? '~' : '/';
  }
  return steps;
}

/// Of strings, numbers, booleans and null, as SNS has them.
bool is_flat(std::string_view array) {
  bool in_string = false;
  for (std::size_t i = 1; i < array.size(); ++i) {
    if (array[i] == '\\') {
      ++i;
    } else if (array[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && (array[i] == '[' || array[i] == '{')) {
      return false;
    }
  }
  return true;
}

Found as_attribute(JsonPiece::Type type, std::string_view text) {
  using Type = JsonPiece::Type;
  switch (type) {
    case Type::string:
    case Type::boolean:
      return {true, SLUICE_STRING, std::string(text)};
    case Type::number:
      return {true, SLUICE_NUMBER, std::string(text)};
    case Type::array:
      if (is_flat(text))
        return {true, SLUICE_STRING_ARRAY, support::compact_json(text)};
      return {};
    default:
      return {};
  }
}

}  // namespace

std::expected<Pointers, std::string> Pointers::parse(std::string_view json) {
  Pointers result;
  JsonReader reader;
  const auto add = [&](std::string_view name, const JsonPiece& piece) {
    if (name.empty() || name.size() > kNameBytesMax)
      throw support::JsonFault{
          fmt::format("holds a name that is not 1 to {} bytes long", kNameBytesMax)};
    const auto steps = piece.type == JsonPiece::Type::string ? steps_of(piece.text) : std::nullopt;
    if (!steps) {
      throw support::JsonFault{fmt::format(
          "\"{}\" needs a JSON pointer into the body, such as \"/event\" or \"/user/id\"", name)};
    }
    if (std::ranges::find(result.names_, name) != result.names_.end())
      throw support::JsonFault{fmt::format("names \"{}\" twice", name)};
    Node* node = &result.root_;
    for (const std::string& step : *steps)
      node = &node->children[step];
    node->targets.push_back(result.names_.size());
    result.names_.emplace_back(name);
    result.pointers_.emplace_back(piece.text);
  };
  const auto done = reader.read(json, [&](Value value, int depth) {
    if (JsonReader::first(value) != '{')
      throw support::JsonFault{"must be an object, {\"NAME\": \"/pointer\"}"};
    reader.members(value, depth, [&](std::string_view name, Value pointer, int inside) {
      add(name, reader.piece(pointer, inside));
    });
  });
  if (!done)
    return std::unexpected(done.error());
  if (result.names_.size() > kNamesMax)
    return std::unexpected(fmt::format("must name at most {} attributes", kNamesMax));
  return result;
}

/// One way through one body.
class Pointers::Walk {
 public:
  Walk(JsonReader& reader, std::vector<Found>& found) : reader_(reader), found_(found) {}

  void visit(Value value, int depth, const Node* node) {
    const char first = JsonReader::first(value);
    const bool inside = node != nullptr && !node->children.empty();
    if (!inside || (first != '{' && first != '[')) {
      const JsonPiece piece = reader_.piece(value, depth);
      if (node != nullptr)
        take(*node, piece.type, piece.text);
      return;
    }
    const char* begin = JsonReader::begin(value);
    if (first == '{') {
      members(value, depth, *node);
      take(*node, JsonPiece::Type::object, {});
    } else {
      items(value, depth, *node);
      take(*node, JsonPiece::Type::array, reader_.since(begin));
    }
  }

 private:
  void members(Value value, int depth, const Node& node) {
    reader_.members(value, depth, [&](std::string_view name, Value inner, int at) {
      const auto child = node.children.find(name);
      visit(inner, at, child == node.children.end() ? nullptr : &child->second);
    });
  }
  void items(Value value, int depth, const Node& node) {
    std::size_t index = 0;
    reader_.items(value, depth, [&](Value inner, int at) {
      const auto child = node.children.find(fmt::format("{}", index++));
      visit(inner, at, child == node.children.end() ? nullptr : &child->second);
    });
  }
  /// Of a member that is there twice the last one counts, as elsewhere.
  void take(const Node& node, JsonPiece::Type type, std::string_view text) {
    for (const std::size_t target : node.targets)
      found_[target] = as_attribute(type, text);
  }

  JsonReader& reader_;
  std::vector<Found>& found_;
};

std::expected<void, std::string> Pointers::read(JsonReader& reader, std::string_view body,
                                                std::vector<Found>& found) const {
  found.assign(names_.size(), {});
  Walk walk(reader, found);
  return reader.read(body, [&](Value value, int depth) { walk.visit(value, depth, &root_); });
}

}  // namespace sluice::attributes
