// The paths that policies name, as a tree over member names, so that a body is walked along it and
// what nobody names is skipped. A dot in a member's name is a step like nesting is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filter/text_table.hpp"

namespace sluice::core {

class PathTree {
 public:
  static constexpr std::uint32_t kRoot = 0;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  PathTree() : nodes_(1) {}

  /// The number of `path`; numbers count up from 0.
  std::uint32_t add(std::string_view path);
  std::uint32_t size() const { return paths_.size(); }
  /// What a new path takes, rather more than less.
  static std::size_t bytes_of(std::string_view path);
  std::string_view name(std::uint32_t path) const { return paths_.text(path); }

  /// The node of a member of `node`'s objects; kNone: nothing below is named.
  std::uint32_t step(std::uint32_t node, std::string_view name) const;
  /// The same of a name that a quote ends. REQUIRES: no backslash in it.
  std::uint32_t step_quoted(std::uint32_t node, const char* name) const;
  /// The path that ends at `node`, kNone: none.
  std::uint32_t path_at(std::uint32_t node) const { return nodes_[node].path; }
  bool leads_on(std::uint32_t node) const { return !nodes_[node].children.empty(); }
  /// The path that is just this name (an attribute's), kNone: none.
  std::uint32_t find(std::string_view name) const { return paths_.find(name); }

 private:
  struct Node {
    std::uint32_t path = kNone;
    std::vector<std::pair<std::string, std::uint32_t>> children;
    TextTable many;  ///< of all of them, once they are many
  };
  std::uint32_t child(std::uint32_t node, std::string_view name) const;
  std::uint32_t add_child(std::uint32_t parent, std::string_view name);

  std::vector<Node> nodes_;
  TextTable paths_;
};

}  // namespace sluice::core
