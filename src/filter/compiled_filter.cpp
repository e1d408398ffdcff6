#include "filter/compiled_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sluice::core {

FilterScratch::FilterScratch(const CompiledFilter& filter)
    : memberships(1),
      found(filter.words_),
      planes(std::size_t{filter.words_} * filter.plane_count_, 0),
      is_counted(filter.words_, 0),
      holding(filter.words_, 0) {
  values.excluded = BranchSet(filter.index_words_);
  values.is_piece.resize(filter.pieces_, 0);
  values.added.resize(filter.lists_.size(), 0);
}

// --- Building
// --------------------------------------------------------------------------------------

std::expected<std::shared_ptr<const CompiledFilter>, CompileError> CompiledFilter::compile(
    std::vector<FilterPolicy> policies, std::size_t memory_max) {
  std::shared_ptr<CompiledFilter> filter(new CompiledFilter);
  filter->policies_ = std::move(policies);
  if (auto added = filter->add_policies(memory_max); !added) {
    return std::unexpected(std::move(added.error()));
  }
  filter->finish();
  return filter;
}

/// The bytes that it takes.
std::size_t CompiledFilter::add_branch(std::uint32_t policy, const FilterBranch& branch) {
  constexpr std::size_t kBranchBytes = sizeof(Branch) + 64;  // with counters
  const auto number = static_cast<std::uint32_t>(branches_.size());
  std::size_t bytes = kBranchBytes;
  branches_.push_back({&branch, {}});
  policy_of_.push_back(policy);
  branches_.back().paths.reserve(branch.clauses.size());
  for (const FilterClause& clause : branch.clauses) {
    const std::uint32_t path = paths_.add(clause.path);
    branches_.back().paths.push_back(path);
    bytes += sizeof path;
    if (path == indexes_.size()) {
      indexes_.emplace_back();
      bytes += indexes_.back().bytes() + PathTree::bytes_of(clause.path);
    }
    const std::size_t before = indexes_[path].bytes();
    indexes_[path].add(number, clause);
    bytes += indexes_[path].bytes() - before;
  }
  return bytes;
}

std::expected<void, CompileError> CompiledFilter::add_policies(std::size_t memory_max) {
  std::size_t bytes = 0;
  for (std::uint32_t policy = 0; policy < policies_.size(); ++policy) {
    bytes += memory_of(policies_[policy]);
    for (const FilterBranch& branch : policies_[policy].branches) {
      bytes += bytes > memory_max ? 0 : add_branch(policy, branch);
    }
    if (bytes > memory_max) {
      return std::unexpected(
          CompileError{policy, fmt::format("the filter policies of one topic take more than {} MiB "
                                           "of memory together, of which the one "
                                           "numbered {} of {} alone takes {} KiB: give them fewer "
                                           "values, or split them over several topics",
                                           memory_max >> 20, policy + 1, policies_.size(),
                                           (memory_of(policies_[policy]) + 1023) >> 10)});
    }
  }
  bytes_ = bytes;
  return {};
}

void CompiledFilter::finish() {
  const auto count = static_cast<std::uint32_t>(branches_.size());
  words_ = (count + 63) / 64;
  std::size_t clauses_max = 0;
  for (std::uint32_t number = 0; number < count; ++number) {
    const std::size_t clauses = branches_[number].branch->clauses.size();
    clauses_max = std::max(clauses_max, clauses);
    if (clauses == 0) {
      always_.push_back(policy_of_[number]);
    }
  }
  plane_count_ = static_cast<std::uint32_t>(std::bit_width(clauses_max));
  needed_.assign(std::size_t{words_} * plane_count_, 0);
  exists_.assign(words_, 0);
  for (std::uint32_t number = 0; number < count; ++number) {
    const std::size_t clauses = branches_[number].branch->clauses.size();
    const std::uint64_t bit = std::uint64_t{1} << number % 64;
    exists_[number / 64] |= clauses != 0 ? bit : 0;
    for (std::uint32_t plane = 0; plane < plane_count_; ++plane) {
      needed_[std::size_t{plane} * words_ + number / 64] |= (clauses >> plane & 1) != 0 ? bit : 0;
    }
  }
  index_words_ = words_;
  for (std::uint32_t path = 0; path < indexes_.size(); ++path) {
    indexes_[path].finish(lists_, words_ * 64);
    index_words_ = std::max(index_words_, indexes_[path].words());
    pieces_ = std::max(pieces_, indexes_[path].pieces());
    if (indexes_[path].absent() != TargetLists::kNone) {
      absent_paths_.push_back(path);
    }
  }
  lists_.shrink_to_fit();
}

// --- Matching
// --------------------------------------------------------------------------------------

/// Adds one to the counters of the branches in one word of scratch.found.
void CompiledFilter::count_word(std::uint32_t index, FilterScratch& scratch) const {
  std::uint64_t carry = scratch.found.word(index);
  for (std::uint64_t* plane = &scratch.planes[index]; carry != 0; plane += words_) {
    const std::uint64_t sum = *plane ^ carry;
    carry &= *plane;
    *plane = sum;
  }
}

/// The same of all words, and empties scratch.found.
void CompiledFilter::count_found(FilterScratch& scratch) const {
  if (words_ <= BranchSet::kSmall) {
    scratch.all_counted = true;
    for (std::uint32_t index = 0; index < words_; ++index) {
      count_word(index, scratch);
    }
  } else if (scratch.found.is_dense()) {
    add_to_planes(scratch);
  } else {
    for (const std::uint32_t index : scratch.found.touched()) {
      count_word(index, scratch);
      if (scratch.is_counted[index] == 0) {
        scratch.is_counted[index] = 1;
        scratch.counted.push_back(index);
      }
    }
  }
  scratch.found.clear();
}

void CompiledFilter::add_to_planes(FilterScratch& scratch) const {
  scratch.all_counted = true;
  std::uint64_t* const carry = scratch.found.words().data();
  for (std::uint32_t number = 0; number < plane_count_; ++number) {
    std::uint64_t* const plane = &scratch.planes[std::size_t{number} * words_];
    for (std::uint32_t i = 0; i < words_; ++i) {
      const std::uint64_t both = plane[i] & carry[i];
      plane[i] ^= carry[i];
      carry[i] = both;
    }
  }
}

/// One path's fields: a clause holds once, however many of them it takes.
void CompiledFilter::match_path(std::span<const Field> fields, FilterScratch& scratch) const {
  const ValueIndex& index = indexes_[fields.front().path];
  index.begin(fields.size(), scratch.values);
  bool in_element = false;
  for (const Field& field : fields) {
    if (scratch.values.steps > steps_max()) {
      break;
    }
    index.take(field.leaf, lists_, scratch.values, &scratch.found);
    in_element |= field.membership != 0;
  }
  if (in_element) {
    lists_.add_to(scratch.found,
                  index.absent());  // another element may lack it: ElementCheck decides
  }
  count_found(scratch);
}

/// Counts the clauses that hold, path by path. False: too many steps.
bool CompiledFilter::count_all(FilterScratch& scratch, bool* in_elements) const {
  const std::vector<Field>& fields = scratch.fields;
  auto absent = absent_paths_.begin();
  const auto count_absent_below = [&](std::uint32_t path) {
    for (; absent != absent_paths_.end() && *absent < path; ++absent) {
      lists_.add_to(scratch.found, indexes_[*absent].absent());
      count_found(scratch);
    }
  };
  for (std::size_t from = 0; from < fields.size() && scratch.values.steps <= steps_max();) {
    std::size_t to = from;
    for (; to < fields.size() && fields[to].path == fields[from].path; ++to) {
      *in_elements |= fields[to].membership != 0;
    }
    count_absent_below(fields[from].path);
    match_path({&fields[from], to - from}, scratch);
    if (absent != absent_paths_.end() && *absent == fields[from].path) {
      ++absent;
    }
    from = to;
  }
  count_absent_below(paths_.size());
  return scratch.values.steps <= steps_max();
}

bool CompiledFilter::match(FilterScratch& scratch) const {
  std::vector<Field>& fields = scratch.fields;
  const auto by_path = [](const Field& a, const Field& b) { return a.path < b.path; };
  if (!std::ranges::is_sorted(fields, by_path)) {
    std::ranges::sort(fields, by_path);
  }
  scratch.values.steps = 0;
  scratch.values.steps_max = steps_max();
  bool in_elements = false;
  const bool counted = count_all(scratch, &in_elements);
  scratch.check.begin(fields, scratch.memberships);
  gather(scratch, in_elements);
  if (!counted) {
    scratch.matched = always_;
    scratch.untold.clear();
  }
  return counted;
}

/// Puts one word's branches whose count is full into scratch.holding, and the counters back to 0.
void CompiledFilter::find_holding(std::uint32_t index, FilterScratch& scratch) const {
  std::uint64_t holding = exists_[index];
  for (std::size_t at = index; at < needed_.size(); at += words_) {
    holding &= ~(scratch.planes[at] ^ needed_[at]);
    scratch.planes[at] = 0;
  }
  scratch.holding[index] = holding;
}

/// The same of all words in use.
void CompiledFilter::find_holding(FilterScratch& scratch) const {
  if (words_ <= BranchSet::kSmall) {
    for (std::uint32_t index = 0; index < words_; ++index) {
      find_holding(index, scratch);
    }
    return;
  }
  if (!scratch.all_counted) {
    for (const std::uint32_t index : scratch.counted) {
      find_holding(index, scratch);
    }
    return;
  }
  std::uint64_t* const holding = scratch.holding.data();
  std::ranges::copy(exists_, holding);
  for (std::uint32_t number = 0; number < plane_count_; ++number) {
    std::uint64_t* const plane = &scratch.planes[std::size_t{number} * words_];
    const std::uint64_t* const needed = &needed_[std::size_t{number} * words_];
    for (std::uint32_t i = 0; i < words_; ++i) {
      holding[i] &= ~(plane[i] ^ needed[i]);
      plane[i] = 0;
    }
  }
}

/// Adds the policies of one word's branches. What takes too many steps costs its own policy only.
void CompiledFilter::gather_word(std::uint32_t index, bool verify, FilterScratch& scratch) const {
  for (std::uint64_t holding = scratch.holding[index]; holding != 0; holding &= holding - 1) {
    const std::uint32_t number = index * 64 + static_cast<std::uint32_t>(std::countr_zero(holding));
    if (verify) {
      const bool is_spent = scratch.check.steps() + scratch.values.steps > steps_max();
      const ElementCheck::Answer answer =
          scratch.check.check(*branches_[number].branch, branches_[number].paths, is_spent);
      if (answer == ElementCheck::Answer::unknown) {
        scratch.untold.push_back(policy_of_[number]);
      }
      if (answer != ElementCheck::Answer::yes) {
        continue;
      }
    }
    scratch.matched.push_back(policy_of_[number]);
  }
}

void CompiledFilter::gather(FilterScratch& scratch, bool verify) const {
  std::vector<std::uint32_t>& matched = scratch.matched;
  matched.assign(always_.begin(), always_.end());
  scratch.untold.clear();
  find_holding(scratch);
  if (scratch.all_counted) {
    for (std::uint32_t index = 0; index < words_; ++index) {
      if (scratch.holding[index] != 0) {
        gather_word(index, verify, scratch);
      }
    }
  }
  for (const std::uint32_t index : scratch.counted) {
    if (!scratch.all_counted) {
      gather_word(index, verify, scratch);
    }
    scratch.is_counted[index] = 0;
  }
  scratch.counted.clear();
  scratch.all_counted = false;
  if (!std::ranges::is_sorted(matched)) {
    std::ranges::sort(matched);
  }
  matched.erase(std::unique(matched.begin(), matched.end()), matched.end());
}

}  // namespace sluice::core
