#include "filter/message_fields.hpp"

#include <simdjson.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>

namespace sluice::core {
namespace {

namespace od = simdjson::ondemand;
using simdjson::error_code;

constexpr int kDepthMax = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// What from_chars takes and JSON does not: a plus, a leading zero, a point without digits on both
/// sides.
bool is_json_number(std::string_view literal) {
  const std::size_t first = literal.starts_with('-') ? 1 : 0;
  const std::size_t point = literal.find('.');
  return literal.size() > first && is_digit(literal[first]) &&
         !(literal[first] == '0' && literal.size() > first + 1 && is_digit(literal[first + 1])) &&
         (point == std::string_view::npos ||
          (point + 1 < literal.size() && is_digit(literal[point + 1])));
}

/// The value of a literal of a few digits and perhaps a point, as most are; nullopt: it is no such.
/// Its digits and the power of ten are exact as doubles, so that one division rounds as it should
/// (Clinger 1990).
std::optional<double> short_number_of(std::string_view literal) {
  constexpr std::size_t kBytesMax = 15;
  static constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                       1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};
  const std::size_t size = literal.size(), first = size != 0 && literal[0] == '-' ? 1 : 0;
  if (size == first || size > kBytesMax ||
      (literal[first] == '0' && size > first + 1 && literal[first + 1] != '.')) {
    return std::nullopt;
  }
  std::int64_t digits = 0;
  std::size_t point = size - 1;  // where it stands; the last byte: there is none
  for (std::size_t i = first; i < size; ++i) {
    if (is_digit(literal[i])) {
      digits = digits * 10 + (literal[i] - '0');
    } else if (literal[i] == '.' && i > first && i + 1 < size && point == size - 1) {
      point = i;
    } else {
      return std::nullopt;
    }
  }
  const auto value = static_cast<double>(first == 0 ? digits : -digits);
  return point == size - 1 ? value : value / kPowers[size - 1 - point];
}

/// The literal's value, correctly rounded; infinite where it does not fit; nullopt: no JSON number.
std::optional<double> number_of(std::string_view literal) {
  if (const std::optional<double> value = short_number_of(literal)) {
    return value;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(literal.data(), literal.data() + literal.size(), value);
  if (end != literal.data() + literal.size() || !is_json_number(literal)) {
    return std::nullopt;
  }
  // Too large and too small are one error; strtod tells them apart.
  return error == std::errc() ? value : std::strtod(std::string(literal).c_str(), nullptr);
}

std::string_view trimmed(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' ||
                            token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

static_assert(kBodyPadding >= simdjson::SIMDJSON_PADDING);

/// One JSON text while fields point into it: what is unescaped lies in the parser.
class ParsedText {
 public:
  /// `readable`: bytes behind the text.
  bool parse(std::string_view text, std::size_t readable, od::document* document) {
    if (text.size() <= kKeptBytes && parser_.capacity() > kKeptBytes) {
      parser_ = od::parser();
      padded_ = {};
    }
    if (readable >= kBodyPadding) {
      return parser_.iterate(text.data(), text.size(), text.size() + readable).get(*document) ==
             simdjson::SUCCESS;
    }
    padded_.resize(text.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(padded_.data(), text.data(), text.size());
    std::memset(padded_.data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
    return parser_.iterate(padded_.data(), text.size(), padded_.size()).get(*document) ==
           simdjson::SUCCESS;
  }

 private:
  /// What a longer text needed, several times its length, is given back at the next one.
  static constexpr std::size_t kKeptBytes = 1 << 20;

  od::parser parser_;
  std::string padded_;
};

}  // namespace

struct FieldReader::State {
  ParsedText body;
  std::deque<ParsedText> arrays_of_attributes;  ///< one for each array attribute that policies name
  std::size_t arrays_used = 0;
  bool has_escapes = false;  ///< there is a backslash in the text
  const PathTree* paths = nullptr;
  FilterScratch* scratch = nullptr;
  std::uint32_t arrays = 0;
  std::uint32_t damaged = 0;

  bool read_object(od::object object, std::uint32_t node, std::uint32_t membership, int depth);
  bool read_value(od::value value, std::uint32_t node, std::uint32_t membership, int depth);
  bool read_array(od::array array, std::uint32_t node, std::uint32_t membership, int depth);
  bool read_string(od::value& value, std::string_view* text);
  bool read_text(od::value& value, Leaf& leaf);
  bool add(std::uint32_t path, std::uint32_t membership, const std::optional<Leaf>& leaf);
  bool read_leaf(od::value& value, std::uint32_t path, std::uint32_t membership);
  bool read_array_attribute(std::string_view text, std::uint32_t path);
};

FieldReader::FieldReader() : state_(std::make_unique<State>()) {}
FieldReader::~FieldReader() = default;

bool FieldReader::State::read_string(od::value& value, std::string_view* text) {
  od::raw_json_string raw;
  if (has_escapes || value.get_raw_json_string().get(raw) != simdjson::SUCCESS) {
    return value.get_string().get(*text) == simdjson::SUCCESS;
  }
  // As it stands: get_string() copies byte by byte where the compiler may not assume more than
  // x86-64 has.
  const char* const begin = raw.raw();
  *text = {begin,
           static_cast<std::size_t>(static_cast<const char*>(::rawmemchr(begin, '"')) - begin)};
  return true;
}

/// False: the value is no JSON, or text that no string of characters is.
bool FieldReader::State::read_text(od::value& value, Leaf& leaf) {
  od::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) {
    return false;
  }
  switch (type) {
    case od::json_type::string:
      return read_string(value, &leaf.text);
    case od::json_type::number: {
      leaf.kind = Leaf::Kind::number;
      leaf.text = trimmed(value.raw_json_token());
      // Large literals, and what cannot be one, are left to number_of.
      if (leaf.text.size() > 15 || value.get_double().get(leaf.number) != simdjson::SUCCESS) {
        const std::optional<double> number = number_of(leaf.text);
        leaf.number = number.value_or(0);
        return number.has_value();
      }
      return true;
    }
    case od::json_type::boolean: {
      bool is_true = false;
      const bool is_good = value.get_bool().get(is_true) == simdjson::SUCCESS;
      leaf.kind = is_true ? Leaf::Kind::literal_true : Leaf::Kind::literal_false;
      return is_good;
    }
    default: {
      bool is_null = false;
      leaf.kind = Leaf::Kind::literal_null;
      return value.is_null().get(is_null) == simdjson::SUCCESS && is_null;
    }
  }
}

/// Without a leaf: the value is damaged, a field that nothing takes; what another policy names is
/// none the worse for it. False: more fields than are looked at.
bool FieldReader::State::add(std::uint32_t path, std::uint32_t membership,
                             const std::optional<Leaf>& leaf) {
  if (path == PathTree::kNone) {
    return true;
  }
  if (scratch->fields.size() == kFieldsMax) {
    return false;
  }
  damaged += leaf ? 0 : 1;
  scratch->fields.push_back({path, membership, leaf.value_or(Leaf{Leaf::Kind::damaged, {}, 0})});
  return true;
}

bool FieldReader::State::read_leaf(od::value& value, std::uint32_t path, std::uint32_t membership) {
  Leaf leaf;
  return add(path, membership, read_text(value, leaf) ? std::optional(leaf) : std::nullopt);
}

bool FieldReader::State::read_value(od::value value, std::uint32_t node, std::uint32_t membership,
                                    int depth) {
  od::json_type type;
  if (depth > kDepthMax || value.type().get(type) != simdjson::SUCCESS) {
    return add(paths->path_at(node), membership, std::nullopt);
  }
  if (type == od::json_type::object) {
    od::object object;
    return !paths->leads_on(node) || (value.get_object().get(object) == simdjson::SUCCESS &&
                                      read_object(object, node, membership, depth + 1));
  }
  if (type == od::json_type::array) {
    od::array array;
    return value.get_array().get(array) == simdjson::SUCCESS &&
           read_array(array, node, membership, depth + 1);
  }
  return read_leaf(value, paths->path_at(node), membership);
}

bool FieldReader::State::read_array(od::array array, std::uint32_t node, std::uint32_t membership,
                                    int depth) {
  const std::uint32_t number = ++arrays;
  std::uint32_t element = 0;
  for (auto each : array) {
    od::value value;
    od::json_type type;
    if (each.get(value) != simdjson::SUCCESS) {
      return false;
    }
    std::uint32_t inner = membership;
    const bool is_known = value.type().get(type) == simdjson::SUCCESS;
    if (is_known && (type == od::json_type::object || type == od::json_type::array)) {
      if (scratch->memberships.size() > kFieldsMax) {
        return false;
      }
      inner = static_cast<std::uint32_t>(scratch->memberships.size());
      scratch->memberships.push_back({number, element, membership});
    }
    if (!read_value(value, node, inner, depth)) {
      return false;
    }
    ++element;
  }
  return true;
}

bool FieldReader::State::read_object(od::object object, std::uint32_t node,
                                     std::uint32_t membership, int depth) {
  for (auto each : object) {
    od::field field;
    od::raw_json_string raw;
    if (std::move(each).get(field) != simdjson::SUCCESS) {
      return false;
    }
    raw = field.key();
    std::uint32_t next = PathTree::kNone;
    if (!has_escapes) {
      next = paths->step_quoted(node, raw.raw());
    } else {
      std::string_view name;
      if (field.unescaped_key().get(name) != simdjson::SUCCESS) {
        return false;
      }
      next = paths->step(node, name);
    }
    if (next != PathTree::kNone && !read_value(field.value(), next, membership, depth)) {
      return false;
    }
  }
  return true;
}

bool FieldReader::read_body(std::span<const std::uint8_t> body, const PathTree& paths,
                            FilterScratch& scratch, std::size_t readable) {
  scratch.fields.clear();
  scratch.memberships.resize(1);
  state_->paths = &paths;
  state_->scratch = &scratch;
  state_->arrays = 0;
  state_->damaged = 0;
  const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
  state_->has_escapes = text.find('\\') != std::string_view::npos;
  od::document document;
  od::object object;
  return state_->body.parse(text, readable, &document) &&
         document.get_object().get(object) == simdjson::SUCCESS &&
         state_->read_object(object, PathTree::kRoot, 0, 0) &&
         document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

bool FieldReader::State::read_array_attribute(std::string_view text, std::uint32_t path) {
  od::document document;
  od::array array;
  has_escapes = text.find('\\') != std::string_view::npos;
  if (arrays_used == arrays_of_attributes.size()) {
    arrays_of_attributes.emplace_back();
  }
  if (!arrays_of_attributes[arrays_used++].parse(text, 0, &document) ||
      document.get_array().get(array) != simdjson::SUCCESS) {
    return false;
  }
  const std::size_t before = scratch->fields.size();
  damaged = 0;
  bool good = true;
  for (auto each : array) {
    od::value value;
    od::json_type type;
    good = good && each.get(value) == simdjson::SUCCESS &&
           value.type().get(type) == simdjson::SUCCESS && type != od::json_type::object &&
           type != od::json_type::array && read_leaf(value, path, 0) && damaged == 0;
    if (!good) {
      break;
    }
  }
  if (!good || document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    scratch->fields.resize(before);
    return false;
  }
  return true;
}

std::uint32_t FieldReader::damaged() const {
  return state_->damaged;
}

std::uint32_t FieldReader::read_attributes(std::span<const sluice_attribute* const> attributes,
                                           const PathTree& paths, FilterScratch& scratch) {
  scratch.fields.clear();
  scratch.memberships.resize(1);
  state_->paths = &paths;
  state_->scratch = &scratch;
  state_->arrays_used = 0;
  std::uint32_t invalid = 0;
  for (const sluice_attribute* attribute : attributes) {
    const std::uint32_t path = paths.find({attribute->name.data, attribute->name.size});
    if (path == PathTree::kNone || attribute->type == SLUICE_BINARY) {
      continue;
    }
    const std::string_view text(attribute->value.data, attribute->value.size);
    if (attribute->type == SLUICE_STRING) {
      scratch.fields.push_back({path, 0, {Leaf::Kind::string, text, 0}});
    } else if (attribute->type == SLUICE_NUMBER) {
      const std::optional<double> number = number_of(text);
      scratch.fields.push_back(
          {path, 0, {number ? Leaf::Kind::number : Leaf::Kind::damaged, text, number.value_or(0)}});
      invalid += number ? 0 : 1;
    } else if (!state_->read_array_attribute(text, path)) {
      scratch.fields.push_back({path, 0, {Leaf::Kind::damaged, text, 0}});
      ++invalid;
    }
  }
  return invalid;
}

}  // namespace sluice::core
