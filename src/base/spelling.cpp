#include "base/spelling.hpp"

#include <algorithm>
#include <vector>

#include "base/json.hpp"

namespace sluice::core {

namespace {

/// Longer names get no suggestion: nobody mistypes them, and the work grows with the square.
constexpr std::size_t kNameMax = 128;

std::string folded(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    } else if (c == '-') {
      c = '_';
    }
  }
  return result;
}

template <class Name>
std::string_view nearest(std::string_view wrong, std::span<const Name> candidates) {
  if (wrong.size() > kNameMax) {
    return {};
  }
  const std::string target = folded(wrong);
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, wrong.size() / 3) + 1;
  for (const Name& candidate : candidates) {
    const std::string_view name = candidate;
    const std::size_t gap =
        name.size() > wrong.size() ? name.size() - wrong.size() : wrong.size() - name.size();
    if (gap >= best_distance || name.empty() || name.size() > kNameMax) {
      continue;
    }
    const std::size_t distance = edit_distance(target, folded(name));
    // A name of which no letter is right is not near, however short.
    if (distance < best_distance && distance < std::max(name.size(), wrong.size())) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table: two back (for swaps), one back, and the one being filled.
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    above[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string_view nearest_name(std::string_view wrong,
                              std::span<const std::string_view> candidates) {
  return nearest(wrong, candidates);
}

std::string_view nearest_name(std::string_view wrong, std::span<const std::string> candidates) {
  return nearest(wrong, candidates);
}

std::string did_you_mean(std::string_view nearest) {
  return nearest.empty() ? std::string() : ": did you mean " + json_quote(nearest) + "?";
}

}  // namespace sluice::core
