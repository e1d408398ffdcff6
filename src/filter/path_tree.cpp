#include "filter/path_tree.hpp"

#define XXH_INLINE_ALL  // short keys: the call would cost more than the hash
#include <xxhash.h>

#include <algorithm>

namespace sluice::core {
namespace {

/// Up to so many children are compared one by one.
constexpr std::size_t kFew = 8;

}  // namespace

std::size_t PathTree::Hash::operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }

std::uint32_t PathTree::child(std::uint32_t node, std::string_view name) const {
  const Node& at = nodes_[node];
  if (at.children.size() > kFew) {
    auto found = at.many.find(name);
    return found == at.many.end() ? kNone : found->second;
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

std::uint32_t PathTree::find(std::string_view name) const {
  auto found = numbers_.find(name);
  return found == numbers_.end() ? kNone : found->second;
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
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[node].children.emplace_back(name, next);
      nodes_[node].many.emplace(name, next);
    }
    node = next;
    from = dot + 1;
  }
  nodes_[node].path = size();
  paths_.emplace_back(path);
  numbers_.emplace(path, nodes_[node].path);
  return nodes_[node].path;
}

std::size_t PathTree::bytes_of(std::string_view path) {
  constexpr std::size_t kStepBytes = 2 * sizeof(Node) + 240, kPathBytes = 240;
  const auto steps = static_cast<std::size_t>(std::ranges::count(path, '.')) + 1;
  return kPathBytes + steps * kStepBytes + path.size() * 4;
}

}  // namespace sluice::core
