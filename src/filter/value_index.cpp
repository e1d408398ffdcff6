#include "filter/value_index.hpp"

#define XXH_INLINE_ALL  // short keys: the call would cost more than the hash
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/random.hpp"
#include "filter/case_folding.hpp"

namespace sluice::core {
namespace {

std::uint64_t bits_of(double number) {
  return std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number);
}

/// What a range may take more so that a number needs one look instead of one for each level of the
/// tree.
constexpr std::size_t kFlatBytes = 512;

/// Marks a bit that is no branch's until finish() places it.
constexpr std::uint32_t kVirtual = 1u << 31;

std::string reversed(std::string_view text) {
  return {text.rbegin(), text.rend()};
}

}  // namespace

std::size_t ValueIndex::BlockHash::operator()(const std::array<std::uint8_t, 16>& bytes) const {
  return XXH3_64bits(bytes.data(), bytes.size());
}

bool ValueIndex::Texts::empty() const {
  return exact.entries.empty() && prefix_entries.empty() && suffix_entries.empty();
}

/// How many points are below: the begin of the value's share of a table over their span, then a
/// search.
std::size_t ValueIndex::Ranges::count_below(double value) const {
  if (points.empty() || value <= points.front()) {
    return 0;
  }
  if (value > points.back()) {
    return points.size();
  }
  const auto share = share_of(value);
  const auto from = points.begin() + shares[share], to = points.begin() + shares[share + 1];
  return static_cast<std::size_t>(std::lower_bound(from, to, value) - points.begin());
}

/// Rises with the value. REQUIRES: between the first and the last point.
std::size_t ValueIndex::Ranges::share_of(double value) const {
  return scale == 0 ? 0
                    : std::min(points.size() - 1,
                               static_cast<std::size_t>((value - points.front()) * scale));
}

void ValueIndex::Ranges::make_shares() {
  const double span = points.back() - points.front();
  scale = span > 0 && std::isfinite(span) ? static_cast<double>(points.size()) / span : 0;
  scale = std::isfinite(scale) ? scale : 0;
  shares.assign(points.size() + 1, static_cast<std::uint32_t>(points.size()));
  for (std::size_t i = points.size(); i-- > 0;) {
    shares[share_of(points[i])] = static_cast<std::uint32_t>(i);
  }
  for (std::size_t i = points.size(); i-- > 0;) {
    shares[i] = std::min(shares[i], shares[i + 1]);
  }
}

// --- Building
// --------------------------------------------------------------------------------------

ValueIndex::EntryId ValueIndex::new_entry() {
  entries_.emplace_back();
  building_->includes.emplace_back();
  building_->excludes.emplace_back();
  return static_cast<EntryId>(entries_.size() - 1);
}

ValueIndex::EntryId ValueIndex::text_entry(TextEntries& exact, std::string_view text) {
  const std::uint32_t number = exact.texts.add(text);
  if (number == exact.entries.size()) {
    exact.entries.push_back(new_entry());
  }
  return exact.entries[number];
}

ValueIndex::EntryId ValueIndex::node_entry(ByteTrie& trie, std::vector<EntryId>& entries,
                                           std::string_view text) {
  const std::uint32_t node = trie.add(text);
  entries.resize(std::max<std::size_t>(entries.size(), trie.nodes().size()), kNoEntry);
  if (entries[node] == kNoEntry) {
    entries[node] = new_entry();
  }
  return entries[node];
}

ValueIndex::EntryId ValueIndex::block_entry(const IpAddress& network, int bits) {
  auto blocks = std::ranges::find_if(blocks_, [&](const Blocks& each) {
    return each.family == network.family && each.bits == bits;
  });
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
      auto [place, fresh] = building_->wildcards.try_emplace(matcher.pieces, 0);
      if (fresh) {
        place->second = new_entry();
        wildcards_.push_back({&matcher, place->second});
        for (const std::string& piece : matcher.pieces) {  // one of them goes into the finder
          building_->pattern_bytes +=
              2 * sizeof piece + piece.size() * (2 + PieceFinder::kByteBytes);
        }
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
      EntryId& entry = literals_[static_cast<std::size_t>(matcher.kind) -
                                 static_cast<std::size_t>(MatcherKind::literal_true)];
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
    (excludes ? building_->excludes : building_->includes)[entry].push_back(branch);
    ++building_->targets;
  }
}

/// A bit behind those of the branches, whose number is known to finish() only.
std::uint32_t ValueIndex::new_virtual(std::uint32_t branch) {
  virtual_.push_back(branch);
  return kVirtual | static_cast<std::uint32_t>(virtual_.size() - 1);
}

void ValueIndex::add(std::uint32_t branch, const FilterClause& clause) {
  const bool has_several =
      std::ranges::count(clause.matchers, MatcherKind::anything_but, &ValueMatcher::kind) > 1;
  for (const ValueMatcher& matcher : clause.matchers) {
    if (matcher.kind == MatcherKind::exists) {
      building_->existing.push_back(branch);
    } else if (matcher.kind == MatcherKind::absent) {
      building_->missing.push_back(branch);
    } else if (matcher.kind == MatcherKind::numeric_range) {
      building_->ranges.push_back({matcher.range, branch});
    } else if (matcher.kind != MatcherKind::anything_but) {
      add_matcher(branch, matcher, false);
    } else {
      const std::uint32_t bit = has_several ? new_virtual(branch) : branch;
      building_->open.push_back(bit);
      for (const ValueMatcher& excluded : matcher.excluded) {
        add_matcher(bit, excluded, true);
      }
    }
  }
}

std::size_t ValueIndex::node_count() const {
  return plain_.prefixes.nodes().size() + plain_.suffixes.nodes().size() +
         folded_.prefixes.nodes().size() + folded_.suffixes.nodes().size();
}

std::size_t ValueIndex::bytes() const {
  // A list of one branch; its entry while building; what refers to it, with what an allocation
  // adds.
  constexpr std::size_t kEntryBytes = 200, kRangeBytes = 400 + kFlatBytes, kOpenBytes = 32;
  return sizeof *this + sizeof(Building) + entries_.size() * kEntryBytes +
         building_->targets * 2 * sizeof(std::uint32_t) + building_->pattern_bytes +
         plain_.exact.texts.bytes() + folded_.exact.texts.bytes() + number_texts_.texts.bytes() +
         node_count() * (ByteTrie::kNodeBytes + 2 * sizeof(EntryId)) +
         building_->ranges.size() * kRangeBytes +
         (building_->existing.size() + building_->missing.size() + building_->open.size()) *
             kOpenBytes;
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
    const std::uint32_t piece = pieces_.add(*rarest);
    wildcards_of_.resize(pieces_.size());
    wildcards_of_[piece].push_back(number);
  }
  pieces_.finish();
}

/// False: it takes more than kFlatBytes for each range.
bool ValueIndex::flatten_ranges(const std::vector<std::vector<std::uint32_t>>& nodes,
                                TargetLists& lists) {
  const std::size_t leaves = 2 * ranges_.points.size() + 1;
  const std::size_t words = building_->ranges.back().second / 64 + 1;  // the last is the largest
  std::size_t bytes = 0;
  const std::size_t bytes_max = building_->ranges.size() * kFlatBytes;
  for (std::size_t leaf = 0; leaf < leaves && bytes <= bytes_max; ++leaf) {
    std::size_t targets = 0;
    for (std::size_t node = ranges_.leaves + leaf; node != 0; node /= 2) {
      targets += nodes[node].size();
    }
    bytes += std::min(targets * sizeof(std::uint32_t), words * sizeof(std::uint64_t)) +
             sizeof(TargetLists::Id);
  }
  if (bytes > bytes_max) {
    return false;
  }
  std::vector<std::uint32_t> all;
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    all.clear();
    for (std::size_t node = ranges_.leaves + leaf; node != 0; node /= 2) {
      all.insert(all.end(), nodes[node].begin(), nodes[node].end());
    }
    ranges_.flat.push_back(lists.add(all));
  }
  return true;
}

/// Points and the gaps between them are the leaves of a segment tree: gap 0, point 0, gap 1, point
/// 1, ...
void ValueIndex::finish_ranges(TargetLists& lists) {
  const std::vector<std::pair<NumericRange, std::uint32_t>>& ranges = building_->ranges;
  if (ranges.empty()) {
    return;
  }
  std::vector<double>& points = ranges_.points;
  for (const auto& [range, branch] : ranges) {
    for (const double point : {range.low, range.high}) {
      if (std::isfinite(point)) {
        points.push_back(point);
      }
    }
  }
  std::ranges::sort(points);
  points.erase(std::unique(points.begin(), points.end()), points.end());
  ranges_.make_shares();
  ranges_.leaves = std::bit_ceil(2 * points.size() + 1);
  std::vector<std::vector<std::uint32_t>> nodes(2 * ranges_.leaves);
  const auto point_leaf = [&](double point) {
    return 2 * static_cast<std::size_t>(std::ranges::lower_bound(points, point) - points.begin()) +
           1;
  };
  for (const auto& [range, branch] : ranges) {
    std::size_t from =
        std::isfinite(range.low) ? point_leaf(range.low) + (range.low_inclusive ? 0 : 1) : 0;
    std::size_t to = std::isfinite(range.high)
                         ? point_leaf(range.high) + (range.high_inclusive ? 1 : 0)
                         : 2 * points.size() + 1;
    for (from += ranges_.leaves, to += ranges_.leaves; from < to; from /= 2, to /= 2) {
      if (from % 2 == 1) {
        nodes[from++].push_back(branch);
      }
      if (to % 2 == 1) {
        nodes[--to].push_back(branch);
      }
    }
  }
  if (flatten_ranges(nodes, lists)) {
    return;
  }
  for (const std::vector<std::uint32_t>& node : nodes) {
    ranges_.nodes.push_back(lists.add(node));
  }
}

void ValueIndex::finish_open(std::uint32_t branches) {
  virtual_word_ = branches / 64;
  const auto place = [&](std::uint32_t& bit) {
    bit = (bit & kVirtual) != 0 ? branches + (bit & ~kVirtual) : bit;
  };
  std::ranges::for_each(building_->open, place);
  for (std::vector<std::uint32_t>& list : building_->excludes) {
    std::ranges::for_each(list, place);
  }
  std::ranges::sort(building_->open);
  for (const std::uint32_t bit : building_->open) {
    if (open_.empty() || open_.back().word != bit / 64) {
      open_.push_back({bit / 64, 0});
    }
    open_.back().bits |= std::uint64_t{1} << bit % 64;
  }
  const auto end =
      std::ranges::find_if(open_, [&](const Word& each) { return each.word >= virtual_word_; });
  constexpr std::ptrdiff_t kSparse =
      8;  // words, of which a set may as well be looked at as a whole
  if (end - open_.begin() > std::max<std::ptrdiff_t>(kSparse, virtual_word_ / 4)) {
    open_words_.resize(virtual_word_, 0);
    std::for_each(open_.begin(), end,
                  [&](const Word& each) { open_words_[each.word] = each.bits; });
    open_.erase(open_.begin(), end);
  }
}

void ValueIndex::finish(TargetLists& lists, std::uint32_t branches) {
  finish_wildcards();
  finish_ranges(lists);
  finish_open(branches);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    entries_[i] = {lists.add(building_->includes[i]), lists.add(building_->excludes[i])};
  }
  exists_ = lists.add(building_->existing);
  absent_ = lists.add(building_->missing);
  building_.reset();
}

// --- Matching
// --------------------------------------------------------------------------------------

void ValueIndex::begin(std::size_t leaves, ValueScratch& scratch) const {
  constexpr std::size_t kMany = 16;
  scratch.has_many = leaves > kMany;
  if (!scratch.has_many) {
    return;
  }
  if (++scratch.round == 0) {
    std::ranges::fill(scratch.added, 0);
    scratch.round = 1;
  }
  scratch.is_open = !open_words_.empty();
  scratch.open.resize(open_.size());
  std::iota(scratch.open.begin(), scratch.open.end(), 0u);
}

/// Whether a leaf before has added the list.
bool ValueIndex::is_added(TargetLists::Id list, const ValueScratch& scratch,
                          const BranchSet& found) const {
  return TargetLists::is_one(list) ? found.has(list & ~TargetLists::kOne)
                                   : scratch.added[list] == scratch.round;
}

void ValueIndex::include(TargetLists::Id list, const TargetLists& lists, ValueScratch& scratch,
                         BranchSet* found) const {
  if (scratch.has_many && !TargetLists::is_one(list)) {
    if (scratch.added[list] == scratch.round) {
      return;
    }
    scratch.added[list] = scratch.round;
  }
  lists.add_to(*found, list);
}

void ValueIndex::hit(EntryId id, const TargetLists& lists, ValueScratch& scratch,
                     BranchSet* found) const {
  include(entries_[id].include, lists, scratch, found);
  lists.add_to(scratch.excluded, entries_[id].exclude);
}

void ValueIndex::take_texts(const Texts& texts, std::string_view value, const TargetLists& lists,
                            ValueScratch& scratch, BranchSet* found) const {
  if (const std::uint32_t number = texts.exact.texts.find(value); number != TextTable::kNone) {
    hit(texts.exact.entries[number], lists, scratch, found);
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
    walk(texts.suffixes, texts.suffix_entries,
         [&](std::size_t depth) { return value[value.size() - 1 - depth]; });
  }
}

void ValueIndex::take_address(const IpAddress& address, const TargetLists& lists,
                              ValueScratch& scratch, BranchSet* found) const {
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

void ValueIndex::take_wildcards(std::string_view value, const TargetLists& lists,
                                ValueScratch& scratch, BranchSet* found) const {
  scratch.pieces.clear();
  pieces_.find(value, scratch.is_piece, scratch.pieces);
  for (const std::uint32_t piece : scratch.pieces) {
    scratch.is_piece[piece] = 0;
  }
  for (const std::uint32_t piece : scratch.pieces) {
    for (const std::uint32_t number : wildcards_of_[piece]) {
      const Entry& entry = entries_[wildcards_[number].entry];
      if (scratch.has_many && entry.exclude == TargetLists::kNone &&
          is_added(entry.include, scratch, *found)) {
        continue;
      }
      scratch.steps += 1 + value.size() / 4;
      if (scratch.steps > scratch.steps_max) {
        return;
      }
      if (takes(*wildcards_[number].matcher, Leaf{Leaf::Kind::string, value, 0})) {
        hit(wildcards_[number].entry, lists, scratch, found);
      }
    }
  }
}

void ValueIndex::take_string(std::string_view value, const TargetLists& lists,
                             ValueScratch& scratch, BranchSet* found) const {
  take_texts(plain_, value, lists, scratch, found);
  if (!folded_.empty()) {
    scratch.folded = fold_case(value);
    take_texts(folded_, scratch.folded, lists, scratch, found);
  }
  if (pieces_.size() != 0) {
    take_wildcards(value, lists, scratch, found);
  }
  if (!blocks_.empty()) {
    if (const std::optional<IpAddress> address = parse_address(value)) {
      take_address(*address, lists, scratch, found);
    }
  }
}

std::size_t ValueIndex::NumberHash::operator()(std::uint64_t bits) const {
  return XXH3_64bits_withSeed(&bits, sizeof bits, hash_seed());
}

void ValueIndex::take_number(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch,
                             BranchSet* found) const {
  if (!std::isfinite(leaf.number)) {
    if (const std::uint32_t number = number_texts_.texts.find(leaf.text);
        number != TextTable::kNone) {
      hit(number_texts_.entries[number], lists, scratch, found);
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
  const std::size_t above = ranges_.count_below(leaf.number);
  const bool is_point = above < points.size() && points[above] == leaf.number;
  const std::size_t place = 2 * above + (is_point ? 1 : 0);
  if (!ranges_.flat.empty()) {
    include(ranges_.flat[place], lists, scratch, found);
    return;
  }
  for (std::size_t node = ranges_.leaves + place; node != 0; node /= 2) {
    include(ranges_.nodes[node], lists, scratch, found);
  }
}

void ValueIndex::add_open(const Word& open, const ValueScratch& scratch, BranchSet* found) const {
  std::uint64_t bits = open.bits & ~scratch.excluded.word(open.word);
  if (open.word < virtual_word_) {
    found->add_word(open.word, bits);
    return;
  }
  for (; bits != 0; bits &= bits - 1) {
    found->add(virtual_[(open.word - virtual_word_) * 64 +
                        static_cast<std::uint32_t>(std::countr_zero(bits))]);
  }
}

/// Whether no leaf can add anything for these anything-but.
bool ValueIndex::is_done(const Word& open, const BranchSet& found) const {
  if (open.word < virtual_word_) {
    return (open.bits & ~found.word(open.word)) == 0;
  }
  for (std::uint64_t bits = open.bits; bits != 0; bits &= bits - 1) {
    if (!found.has(virtual_[(open.word - virtual_word_) * 64 +
                            static_cast<std::uint32_t>(std::countr_zero(bits))])) {
      return false;
    }
  }
  return true;
}

void ValueIndex::take(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch,
                      BranchSet* found) const {
  if (leaf.kind == Leaf::Kind::damaged) {
    return;
  }
  scratch.excluded.clear();
  include(exists_, lists, scratch, found);
  if (leaf.kind == Leaf::Kind::string) {
    take_string(leaf.text, lists, scratch, found);
  } else if (leaf.kind == Leaf::Kind::number) {
    take_number(leaf, lists, scratch, found);
  } else {
    const EntryId entry = literals_[static_cast<std::size_t>(leaf.kind) -
                                    static_cast<std::size_t>(Leaf::Kind::literal_true)];
    if (entry != kNoEntry) {
      hit(entry, lists, scratch, found);
    }
  }
  take_open(scratch, found);
}

void ValueIndex::take_open(ValueScratch& scratch, BranchSet* found) const {
  if (!scratch.has_many) {
    if (!open_words_.empty()) {
      found->add_words_but(open_words_, scratch.excluded);
    }
    for (const Word& open : open_) {
      add_open(open, scratch, found);
    }
    return;
  }
  scratch.steps += 1 + (scratch.excluded.extent() + scratch.open.size() +
                        (scratch.is_open ? open_words_.size() : 0)) /
                           8;
  scratch.is_open = scratch.is_open && !found->add_words_but(open_words_, scratch.excluded);
  std::erase_if(scratch.open, [&](std::uint32_t open) {
    add_open(open_[open], scratch, found);
    return is_done(open_[open], *found);
  });
}

}  // namespace sluice::core
