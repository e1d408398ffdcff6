#include "filter/compiled_filter.hpp"

#include <algorithm>
#include <bit>

namespace sluice::core {

FilterScratch::FilterScratch(const CompiledFilter& filter)
    : memberships(1),
      found(filter.words_),
      values(filter.words_),
      planes(std::size_t{filter.words_} * filter.plane_count_, 0),
      is_counted(filter.words_, 0) {}

std::shared_ptr<const CompiledFilter> CompiledFilter::compile(std::vector<FilterPolicy> policies) {
  std::shared_ptr<CompiledFilter> filter(new CompiledFilter);
  filter->policies_ = std::move(policies);
  return filter->build() ? filter : nullptr;
}

bool CompiledFilter::build() {
  for (std::uint32_t i = 0; i < policies_.size(); ++i) {
    branches_.push_back({i, &policies_[i].branches.front(), {}});
  }
  for (std::uint32_t i = 0; i < policies_.size(); ++i) {
    for (std::size_t further = 1; further < policies_[i].branches.size(); ++further) {
      branches_.push_back({i, &policies_[i].branches[further], {}});
    }
  }
  const auto count = static_cast<std::uint32_t>(branches_.size());
  words_ = (count + 63) / 64;
  lists_ = TargetLists(count);
  std::size_t clauses_max = 0;
  for (std::uint32_t number = 0; number < count; ++number) {
    Branch& branch = branches_[number];
    clauses_max = std::max(clauses_max, branch.branch->clauses.size());
    if (branch.branch->clauses.empty()) {
      always_.push_back(branch.policy);
    }
    for (const FilterClause& clause : branch.branch->clauses) {
      branch.paths.push_back(paths_.add(clause.path));
      if (branch.paths.back() == indexes_.size()) {
        indexes_.emplace_back();
      }
      indexes_[branch.paths.back()].add(number, clause);
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
  bool numbered = true;
  for (std::uint32_t path = 0; path < indexes_.size(); ++path) {
    numbered &= indexes_[path].finish(lists_, count);
    if (indexes_[path].absent() != TargetLists::kNone) {
      absent_paths_.push_back(path);
    }
  }
  return numbered;
}

/// Adds one to the counters of all branches in `found`.
void CompiledFilter::count(const BranchSet& found, FilterScratch& scratch) const {
  for (const std::uint32_t index : found.touched()) {
    std::uint64_t carry = found.word(index);
    for (std::uint64_t* plane = &scratch.planes[index]; carry != 0; plane += words_) {
      const std::uint64_t sum = *plane ^ carry;
      carry &= *plane;
      *plane = sum;
    }
    if (scratch.is_counted[index] == 0) {
      scratch.is_counted[index] = 1;
      scratch.counted.push_back(index);
    }
  }
}

/// One path's fields: a clause holds once, however many of them it takes.
void CompiledFilter::match_path(std::span<const Field> fields, FilterScratch& scratch) const {
  const ValueIndex& index = indexes_[fields.front().path];
  bool in_element = false;
  for (const Field& field : fields) {
    index.take(field.leaf, lists_, scratch.values, &scratch.found);
    in_element |= field.membership != 0;
  }
  if (in_element) {
    lists_.add_to(scratch.found, index.absent());  // another element may lack it: holds() decides
  }
  count(scratch.found, scratch);
  scratch.found.clear();
}

void CompiledFilter::match(FilterScratch& scratch) const {
  std::vector<Field>& fields = scratch.fields;
  const auto by_path = [](const Field& a, const Field& b) { return a.path < b.path; };
  if (!std::ranges::is_sorted(fields, by_path)) {
    std::ranges::stable_sort(fields, by_path);
  }
  bool in_elements = false;
  auto absent = absent_paths_.begin();
  const auto count_absent_below = [&](std::uint32_t path) {
    for (; absent != absent_paths_.end() && *absent < path; ++absent) {
      lists_.add_to(scratch.found, indexes_[*absent].absent());
      count(scratch.found, scratch);
      scratch.found.clear();
    }
  };
  for (std::size_t from = 0; from < fields.size();) {
    std::size_t to = from;
    for (; to < fields.size() && fields[to].path == fields[from].path; ++to) {
      in_elements |= fields[to].membership != 0;
    }
    count_absent_below(fields[from].path);
    match_path({&fields[from], to - from}, scratch);
    if (absent != absent_paths_.end() && *absent == fields[from].path) {
      ++absent;
    }
    from = to;
  }
  count_absent_below(paths_.size());
  gather(scratch, in_elements);
}

void CompiledFilter::gather(FilterScratch& scratch, bool verify) const {
  std::vector<std::uint32_t>& matched = scratch.matched;
  matched.assign(always_.begin(), always_.end());
  for (const std::uint32_t index : scratch.counted) {
    std::uint64_t holding = exists_[index];
    for (std::uint32_t plane = 0; plane < plane_count_; ++plane) {
      std::uint64_t& counter = scratch.planes[std::size_t{plane} * words_ + index];
      holding &= ~(counter ^ needed_[std::size_t{plane} * words_ + index]);
      counter = 0;
    }
    scratch.is_counted[index] = 0;
    for (; holding != 0; holding &= holding - 1) {
      const Branch& branch = branches_[index * 64 + static_cast<std::uint32_t>(std::countr_zero(holding))];
      scratch.chosen.clear();
      if (!verify || holds(branch, 0, scratch)) {
        matched.push_back(branch.policy);
      }
    }
  }
  scratch.counted.clear();
  std::ranges::sort(matched);
  matched.erase(std::unique(matched.begin(), matched.end()), matched.end());
}

namespace {

/// No array has one of them in one element and the other in another.
bool agree(const std::vector<Membership>& memberships, std::uint32_t a, std::uint32_t b) {
  for (; a != 0; a = memberships[a].outer) {
    for (std::uint32_t other = b; other != 0; other = memberships[other].outer) {
      if (memberships[a].array == memberships[other].array && memberships[a].element != memberships[other].element) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

/// The definition (policy.hpp), from clause number `clause` on, beside the fields chosen so far.
bool CompiledFilter::holds(const Branch& branch, std::size_t clause, FilterScratch& scratch) const {
  if (clause == branch.paths.size()) {
    return true;
  }
  const std::vector<ValueMatcher>& matchers = branch.branch->clauses[clause].matchers;
  const auto [first, last] = std::ranges::equal_range(scratch.fields, branch.paths[clause], {}, &Field::path);
  bool is_there = false;
  for (auto field = first; field != last; ++field) {
    const bool fits = std::ranges::all_of(scratch.chosen, [&](const Field* chosen) {
      return agree(scratch.memberships, chosen->membership, field->membership);
    });
    is_there |= fits;
    if (!fits || std::ranges::none_of(matchers, [&](const ValueMatcher& matcher) {
          return matcher.kind != MatcherKind::absent && takes(matcher, field->leaf);
        })) {
      continue;
    }
    scratch.chosen.push_back(&*field);
    if (holds(branch, clause + 1, scratch)) {
      return true;
    }
    scratch.chosen.pop_back();
  }
  const bool may_lack = std::ranges::find(matchers, MatcherKind::absent, &ValueMatcher::kind) != matchers.end();
  return may_lack && !is_there && holds(branch, clause + 1, scratch);
}

}  // namespace sluice::core
