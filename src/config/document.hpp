// A configuration as text: the file and the `--set` overrides, parsed into one tree in which every
// value knows its place. Overrides lie behind the file in one space of offsets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "config/diagnostics.hpp"

namespace sluice::core {

/// `--set POINTER=VALUE`: a value at a JSON pointer (RFC 6901; an array's "-" appends).
struct Override {
  std::string pointer;
  std::string value;  ///< JSON, if it parses as such; else the text itself as a string
};

/// Splits "PTR=VALUE". Error: usage.
Result<Override> parse_override(std::string_view argument);

/// Looks up a variable of the environment.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The process's environment.
std::optional<std::string> process_environment(const std::string& name);

/// One thread; constant once read() returned.
class Document {
 public:
  /// `path` is what places are labelled with. Errors go to `diagnostics`; false: there is no tree
  /// (the text is no JSON). Then applies overrides and expands ${NAME} inside string values.
  bool read(std::string path, std::string text, const std::vector<Override>& overrides,
            const Environment& environment, Diagnostics& diagnostics);

  const Json& root() const { return root_; }
  const std::string& path() const { return path_; }
  /// Every ${NAME} has its value.
  bool is_expanded() const { return broken_.empty(); }
  Place place(std::uint32_t offset) const;

  /// Nothing is added for a value that was reported while it was expanded: its text is not what was
  /// meant.
  void error(Diagnostics& diagnostics, std::uint32_t offset, std::string text,
             Errc code = Errc::config) const;
  void warning(Diagnostics& diagnostics, std::uint32_t offset, std::string text) const;

 private:
  struct OverrideText {
    std::uint32_t begin;  ///< first offset
    std::string pointer;
    std::string text;  ///< "--set PTR=VALUE", the line that is shown
  };

  void apply(const Override& change, Diagnostics& diagnostics);
  void expand(Json& value, const Environment& environment, Diagnostics& diagnostics);
  std::uint32_t offset_in(const Json& value, std::size_t index) const;
  void add(Diagnostics& diagnostics, Diagnostic diagnostic) const;

  std::string path_;
  std::string text_;
  std::vector<OverrideText> overrides_;
  std::uint32_t end_ = 0;  ///< first offset that is not used yet
  std::vector<std::uint32_t> line_begins_;
  Json root_;
  std::set<std::uint32_t> broken_;  ///< offsets of values with a ${NAME} that has no value
};

}  // namespace sluice::core
