#include "filter/value_index.hpp"

#define XXH_INLINE_ALL  // short keys: the call would cost more than the hash
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "filter/case_folding.hpp"

namespace sluice::core {
namespace {

std::uint64_t bits_of(double number) { return std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number); }

std::string reversed(std::string_view text) { return {text.rbegin(), text.rend()}; }

}  // namespace

std::size_t ValueIndex::TextHash::operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }

std::size_t ValueIndex::BlockHash::operator()(const std::array<std::uint8_t, 16>& bytes) const {
  return XXH3_64bits(bytes.data(), bytes.size());
}

bool ValueIndex::Texts::empty() const { return exact.empty() && prefix_entries.empty() && suffix_entries.empty(); }

// --- Building --------------------------------------------------------------------------------------

ValueIndex::EntryId ValueIndex::new_entry() {
  entries_.emplace_back();
  return static_cast<EntryId>(entries_.size() - 1);
}

ValueIndex::EntryId ValueIndex::text_entry(TextMap& map, std::string_view text) {
  auto found = map.find(text);
  return found != map.end() ? found->second : map.emplace(text, new_entry()).first->second;
}

ValueIndex::EntryId ValueIndex::node_entry(ByteTrie& trie, std::vector<EntryId>& entries, std::string_view text) {
  const std::uint32_t node = trie.add(text);
  if (node == ByteTrie::kNone) {
    return kNoEntry;
  }
  entries.resize(std::max<std::size_t>(entries.size(), trie.nodes().size()), kNoEntry);
  if (entries[node] == kNoEntry) {
    entries[node] = new_entry();
  }
  return entries[node];
}

ValueIndex::EntryId ValueIndex::block_entry(const IpAddress& network, int bits) {
  auto blocks = std::ranges::find_if(blocks_, [&](const Blocks& each) { return each.family == network.family && each.bits == bits; });
  if (blocks == blocks_.end()) {
    blocks_.push_back({network.family, bits, {}});
    blocks = blocks_.end() - 1;
  }
  auto [place, fresh] = blocks->entries.try_emplace(network.bytes, 0);
  if (fresh) {
    place->second = new_entry();
  }
  return place->second;
}

/// Where the matcher's branches are kept; the same for equal matchers.
ValueIndex::EntryId ValueIndex::entry_of(const ValueMatcher& matcher) {
  switch (matcher.kind) {
    case MatcherKind::exact_string:
      return text_entry(plain_.exact, matcher.text);
    case MatcherKind::prefix:
      return node_entry(plain_.prefixes, plain_.prefix_entries, matcher.text);
    case MatcherKind::suffix:
      return node_entry(plain_.suffixes, plain_.suffix_entries, reversed(matcher.text));
    case MatcherKind::equals_ignore_case:
      return text_entry(folded_.exact, matcher.text);
    case MatcherKind::prefix_ignore_case:
      return node_entry(folded_.prefixes, folded_.prefix_entries, matcher.text);
    case MatcherKind::suffix_ignore_case:
      return node_entry(folded_.suffixes, folded_.suffix_entries, reversed(matcher.text));
    case MatcherKind::wildcard: {
      auto [place, fresh] = wildcard_entries_.try_emplace(matcher.pieces, 0);
      if (fresh) {
        place->second = new_entry();
        wildcards_.push_back({&matcher, place->second});
      }
      return place->second;
    }
    case MatcherKind::cidr:
      return block_entry(matcher.block.network, matcher.block.bits);
    case MatcherKind::exact_number: {
      if (std::isinf(matcher.number)) {
        return text_entry(number_texts_, matcher.text);
      }
      auto [place, fresh] = numbers_.try_emplace(bits_of(matcher.number), 0);
      if (fresh) {
        place->second = new_entry();
      }
      return place->second;
    }
    case MatcherKind::literal_true:
    case MatcherKind::literal_false:
    case MatcherKind::literal_null: {
      EntryId& entry = literals_[static_cast<std::size_t>(matcher.kind) - static_cast<std::size_t>(MatcherKind::literal_true)];
      entry = entry == kNoEntry ? new_entry() : entry;
      return entry;
    }
    case MatcherKind::numeric_range:
    case MatcherKind::exists:
    case MatcherKind::anything_but:
    case MatcherKind::absent:
      break;
  }
  return kNoEntry;
}

void ValueIndex::add_matcher(std::uint32_t branch, const ValueMatcher& matcher, bool excludes) {
  const EntryId entry = entry_of(matcher);
  if (entry != kNoEntry) {
    (excludes ? entries_[entry].excludes : entries_[entry].includes).push_back(branch);
  }
}

void ValueIndex::add(std::uint32_t branch, const FilterClause& clause) {
  if (std::ranges::count(clause.matchers, MatcherKind::anything_but, &ValueMatcher::kind) > 1) {
    plain_clauses_.emplace_back(branch, &clause);
  }
  for (const ValueMatcher& matcher : clause.matchers) {
    if (matcher.kind == MatcherKind::exists) {
      existing_.push_back(branch);
    } else if (matcher.kind == MatcherKind::absent) {
      missing_.push_back(branch);
    } else if (matcher.kind == MatcherKind::numeric_range) {
      range_list_.push_back({matcher.range, branch});
    } else if (matcher.kind != MatcherKind::anything_but) {
      add_matcher(branch, matcher, false);
    } else if (plain_clauses_.empty() || plain_clauses_.back().second != &clause) {
      open_.push_back(branch);
      for (const ValueMatcher& excluded : matcher.excluded) {
        add_matcher(branch, excluded, true);
      }
    }
  }
}

/// Each pattern stands at the piece that the fewest patterns have; of those at the longest.
void ValueIndex::finish_wildcards() {
  std::unordered_map<std::string_view, std::uint32_t> patterns_with;
  for (const Wildcard& wildcard : wildcards_) {
    for (const std::string& piece : wildcard.matcher->pieces) {
      ++patterns_with[piece];
    }
  }
  for (std::uint32_t number = 0; number < wildcards_.size(); ++number) {
    const std::string* rarest = nullptr;
    for (const std::string& piece : wildcards_[number].matcher->pieces) {
      if (piece.empty()) {
        continue;
      }
      if (rarest == nullptr || patterns_with[piece] < patterns_with[*rarest] ||
          (patterns_with[piece] == patterns_with[*rarest] && piece.size() > rarest->size())) {
        rarest = &piece;
      }
    }
    wildcards_of_[pieces_.add(*rarest)].push_back(number);
  }
  pieces_.finish();
  wildcard_entries_.clear();
}

/// Points and the gaps between them are the leaves of a segment tree: gap 0, point 0, gap 1, point 1, ...
void ValueIndex::finish_ranges(TargetLists& lists) {
  if (range_list_.empty()) {
    return;
  }
  std::vector<double>& points = ranges_.points;
  for (const auto& [range, branch] : range_list_) {
    for (const double point : {range.low, range.high}) {
      if (std::isfinite(point)) {
        points.push_back(point);
      }
    }
  }
  std::ranges::sort(points);
  points.erase(std::unique(points.begin(), points.end()), points.end());
  ranges_.leaves = std::bit_ceil(2 * points.size() + 1);
  std::vector<std::vector<std::uint32_t>> nodes(2 * ranges_.leaves);
  const auto point_leaf = [&](double point) {
    return 2 * static_cast<std::size_t>(std::ranges::lower_bound(points, point) - points.begin()) + 1;
  };
  for (const auto& [range, branch] : range_list_) {
    std::size_t from = std::isfinite(range.low) ? point_leaf(range.low) + (range.low_inclusive ? 0 : 1) : 0;
    std::size_t to = std::isfinite(range.high) ? point_leaf(range.high) + (range.high_inclusive ? 1 : 0) : 2 * points.size() + 1;
    for (from += ranges_.leaves, to += ranges_.leaves; from < to; from /= 2, to /= 2) {
      if (from % 2 == 1) {
        nodes[from++].push_back(branch);
      }
      if (to % 2 == 1) {
        nodes[--to].push_back(branch);
      }
    }
  }
  for (const std::vector<std::uint32_t>& node : nodes) {
    ranges_.nodes.push_back(node.empty() ? TargetLists::kNone : lists.add(node));
  }
  range_list_ = {};
}

bool ValueIndex::finish(TargetLists& lists, std::uint32_t branches) {
  finish_wildcards();
  finish_ranges(lists);
  const auto list_of = [&](std::vector<std::uint32_t>& numbers) {
    const TargetLists::Id id = numbers.empty() ? TargetLists::kNone : lists.add(numbers);
    numbers = {};
    return id;
  };
  for (Entry& entry : entries_) {
    entry.include = list_of(entry.includes);
    entry.exclude = list_of(entry.excludes);
  }
  exists_ = list_of(existing_);
  absent_ = list_of(missing_);
  if (!open_.empty()) {
    anything_but_.assign((branches + 63) / 64, 0);
    for (const std::uint32_t branch : open_) {
      anything_but_[branch / 64] |= std::uint64_t{1} << branch % 64;
    }
    open_ = {};
  }
  return std::ranges::all_of(std::initializer_list<const ByteTrie*>{&plain_.prefixes, &plain_.suffixes, &folded_.prefixes, &folded_.suffixes},
                             [](const ByteTrie* trie) { return trie->nodes().size() < ByteTrie::kNodesMax; });
}

// --- Matching --------------------------------------------------------------------------------------

void ValueIndex::hit(EntryId id, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const {
  lists.add_to(*found, entries_[id].include);
  lists.add_to(scratch.excluded, entries_[id].exclude);
}

void ValueIndex::take_texts(const Texts& texts, std::string_view value, const TargetLists& lists, ValueScratch& scratch,
                            BranchSet* found) const {
  if (!texts.exact.empty()) {
    if (auto place = texts.exact.find(value); place != texts.exact.end()) {
      hit(place->second, lists, scratch, found);
    }
  }
  const auto walk = [&](const ByteTrie& trie, const std::vector<EntryId>& entries, auto byte_at) {
    std::uint32_t node = ByteTrie::kRoot;
    for (std::size_t depth = 0; node != ByteTrie::kNone; ++depth) {
      if (entries[node] != kNoEntry) {
        hit(entries[node], lists, scratch, found);
      }
      if (depth == value.size()) {
        break;
      }
      node = trie.child(node, static_cast<std::uint8_t>(byte_at(depth)));
    }
  };
  if (!texts.prefix_entries.empty()) {
    walk(texts.prefixes, texts.prefix_entries, [&](std::size_t depth) { return value[depth]; });
  }
  if (!texts.suffix_entries.empty()) {
    walk(texts.suffixes, texts.suffix_entries, [&](std::size_t depth) { return value[value.size() - 1 - depth]; });
  }
}

void ValueIndex::take_address(const IpAddress& address, const TargetLists& lists, ValueScratch& scratch,
                              BranchSet* found) const {
  for (const Blocks& blocks : blocks_) {
    if (blocks.family != address.family) {
      continue;
    }
    const CidrBlock block = block_of(address, blocks.bits);
    if (auto place = blocks.entries.find(block.network.bytes); place != blocks.entries.end()) {
      hit(place->second, lists, scratch, found);
    }
  }
}

void ValueIndex::take_string(std::string_view value, const TargetLists& lists, ValueScratch& scratch,
                             BranchSet* found) const {
  take_texts(plain_, value, lists, scratch, found);
  if (!folded_.empty()) {
    scratch.folded = fold_case(value);
    take_texts(folded_, scratch.folded, lists, scratch, found);
  }
  if (!pieces_.empty()) {
    scratch.pieces.clear();
    pieces_.find(value, [&](std::uint32_t piece) { scratch.pieces.push_back(piece); });
    std::ranges::sort(scratch.pieces);
    scratch.pieces.erase(std::unique(scratch.pieces.begin(), scratch.pieces.end()), scratch.pieces.end());
    for (const std::uint32_t piece : scratch.pieces) {
      for (const std::uint32_t number : wildcards_of_.at(piece)) {
        if (takes(*wildcards_[number].matcher, Leaf{Leaf::Kind::string, value, 0})) {
          hit(wildcards_[number].entry, lists, scratch, found);
        }
      }
    }
  }
  if (!blocks_.empty()) {
    if (const std::optional<IpAddress> address = parse_address(value)) {
      take_address(*address, lists, scratch, found);
    }
  }
}

void ValueIndex::take_number(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const {
  if (!std::isfinite(leaf.number)) {
    if (auto place = number_texts_.find(leaf.text); place != number_texts_.end()) {
      hit(place->second, lists, scratch, found);
    }
    return;
  }
  if (auto place = numbers_.find(bits_of(leaf.number)); place != numbers_.end()) {
    hit(place->second, lists, scratch, found);
  }
  if (ranges_.leaves == 0) {
    return;
  }
  const std::vector<double>& points = ranges_.points;
  const auto above = static_cast<std::size_t>(std::ranges::lower_bound(points, leaf.number) - points.begin());
  const bool is_point = above < points.size() && points[above] == leaf.number;
  for (std::size_t node = ranges_.leaves + 2 * above + (is_point ? 1 : 0); node != 0; node /= 2) {
    lists.add_to(*found, ranges_.nodes[node]);
  }
}

void ValueIndex::take(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const {
  if (leaf.kind == Leaf::Kind::damaged) {
    return;
  }
  scratch.excluded.clear();
  lists.add_to(*found, exists_);
  if (leaf.kind == Leaf::Kind::string) {
    take_string(leaf.text, lists, scratch, found);
  } else if (leaf.kind == Leaf::Kind::number) {
    take_number(leaf, lists, scratch, found);
  } else {
    const EntryId entry = literals_[static_cast<std::size_t>(leaf.kind) - static_cast<std::size_t>(Leaf::Kind::literal_true)];
    if (entry != kNoEntry) {
      hit(entry, lists, scratch, found);
    }
  }
  for (std::uint32_t i = 0; i < anything_but_.size(); ++i) {
    found->add_word(i, anything_but_[i] & ~scratch.excluded.word(i));
  }
  for (const auto& [branch, clause] : plain_clauses_) {
    if (std::ranges::any_of(clause->matchers, [&](const ValueMatcher& matcher) {
          return matcher.kind != MatcherKind::absent && takes(matcher, leaf);
        })) {
      found->add(branch);
    }
  }
}

}  // namespace sluice::core
