#include "filter/path_tree.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::core {
namespace {

/// Up to so many children are compared one by one.
constexpr std::size_t kFew = 8;

}  // namespace

std::uint32_t PathTree::child(std::uint32_t node, std::string_view name) const {
  const Node& at = nodes_[node];
  if (at.children.size() > kFew) {
    const std::uint32_t found = at.many.find(name);
    return found == TextTable::kNone ? kNone : at.children[found].second;
  }
  for (const auto& [key, next] : at.children) {
    if (key == name) {
      return next;
    }
  }
  return kNone;
}

std::uint32_t PathTree::step(std::uint32_t node, std::string_view name) const {
  for (std::size_t dot; (dot = name.find('.')) != std::string_view::npos;) {
    node = child(node, name.substr(0, dot));
    if (node == kNone) {
      return kNone;
    }
    name.remove_prefix(dot + 1);
  }
  return child(node, name);
}

std::uint32_t PathTree::step_quoted(std::uint32_t node, const char* name) const {
  const Node& at = nodes_[node];
  if (at.children.size() <= kFew) {
    // Nearly every name is of no child, and differs early.
    const bool may_be = std::ranges::any_of(at.children, [&](const auto& child) {
      return child.first.empty() || child.first[0] == name[0];
    });
    if (!may_be) {
      return kNone;
    }
  }
  return step(
      node,
      {name, static_cast<std::size_t>(static_cast<const char*>(::rawmemchr(name, '"')) - name)});
}

std::uint32_t PathTree::add_child(std::uint32_t parent, std::string_view name) {
  const auto made = static_cast<std::uint32_t>(nodes_.size());
  nodes_.emplace_back();
  Node& at = nodes_[parent];
  at.children.emplace_back(name, made);
  for (std::size_t i = at.many.size(); at.children.size() > kFew && i < at.children.size(); ++i) {
    at.many.add(at.children[i].first);
  }
  return made;
}

std::uint32_t PathTree::add(std::string_view path) {
  if (const std::uint32_t known = find(path); known != kNone) {
    return known;
  }
  std::uint32_t node = kRoot;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t dot = std::min(path.find('.', from), path.size());
    const std::string_view name = path.substr(from, dot - from);
    std::uint32_t next = child(node, name);
    if (next == kNone) {
      next = add_child(node, name);
    }
    node = next;
    from = dot + 1;
  }
  nodes_[node].path = paths_.add(path);
  return nodes_[node].path;
}

std::size_t PathTree::bytes_of(std::string_view path) {
  constexpr std::size_t kStepBytes = 2 * sizeof(Node) + 240, kPathBytes = 240;
  const auto steps = static_cast<std::size_t>(std::ranges::count(path, '.')) + 1;
  return kPathBytes + steps * kStepBytes + path.size() * 4;
}

}  // namespace sluice::core
