#include "filter/element_check.hpp"

#include <algorithm>
#include <bit>

namespace sluice::core {
namespace {

bool may_lack(const FilterClause& clause) {
  return std::ranges::find(clause.matchers, MatcherKind::absent, &ValueMatcher::kind) !=
         clause.matchers.end();
}

}  // namespace

void ElementCheck::begin(std::span<const Field> fields, std::span<const Membership> memberships) {
  fields_ = fields;
  memberships_ = memberships;
  steps_ = 0;
}

std::pair<std::size_t, std::size_t> ElementCheck::fields_of(std::uint32_t path) const {
  const auto range = std::ranges::equal_range(fields_, path, {}, &Field::path);
  const auto first = static_cast<std::size_t>(range.begin() - fields_.begin());
  return {first, first + range.size()};
}

bool ElementCheck::is_taken(const FilterClause& clause, const Leaf& leaf) {
  return std::ranges::any_of(clause.matchers, [&](const ValueMatcher& matcher) {
    steps_ += (1 + leaf.text.size() / 16) * (1 + matcher.excluded.size());
    return matcher.kind != MatcherKind::absent && takes(matcher, leaf);
  });
}

ElementCheck::Answer ElementCheck::check(const FilterBranch& branch,
                                         std::span<const std::uint32_t> paths, bool briefly) {
  branch_ = &branch;
  paths_ = paths;
  const Answer tried = search(limits.trial);
  if (tried != Answer::unknown || briefly) {
    return tried;
  }
  if (paths.size() <= kNever && gather()) {
    return walk() ? Answer::yes : Answer::no;
  }
  return search(limits.search);
}

// --- By trial
// --------------------------------------------------------------------------------------

bool ElementCheck::agrees(std::uint32_t membership) const {
  for (; membership != 0; membership = memberships_[membership].outer) {
    const Membership& at = memberships_[membership];
    if (at.array < pinned_.size() && pinned_[at.array] != 0 &&
        pinned_[at.array] != at.element + 1) {
      return false;
    }
  }
  return true;
}

void ElementCheck::pin(std::uint32_t membership) {
  for (; membership != 0; membership = memberships_[membership].outer) {
    const Membership& at = memberships_[membership];
    if (pinned_.size() <= at.array) {
      pinned_.resize(std::size_t{at.array} * 2, 0);
    }
    if (pinned_[at.array] == 0) {
      pinned_[at.array] = at.element + 1;
      pins_.push_back(at.array);
    }
  }
}

void ElementCheck::unpin(std::size_t down_to) {
  for (; pins_.size() > down_to; pins_.pop_back()) {
    pinned_[pins_.back()] = 0;
  }
}

void ElementCheck::open(std::size_t clause) {
  const auto [first, last] = fields_of(paths_[clause]);
  trials_.push_back({first, last, pins_.size(), false, false});
}

/// The clause's next choice; false: there is none. Without regard to steps it looks at one field.
bool ElementCheck::choose_next(const FilterClause& clause, Trial& trial) {
  const Field& field = fields_[trial.next++];
  ++steps_;
  if (!agrees(field.membership)) {
    return false;
  }
  trial.is_there = true;
  if (!is_taken(clause, field.leaf)) {
    return false;
  }
  pin(field.membership);
  return true;
}

ElementCheck::Answer ElementCheck::search(std::uint64_t steps_max) {
  const std::uint64_t end = steps_ + steps_max;
  const std::vector<FilterClause>& clauses = branch_->clauses;
  trials_.clear();
  open(0);
  Answer answer = Answer::no;
  while (!trials_.empty()) {
    if (steps_ > end) {
      answer = Answer::unknown;
      break;
    }
    const FilterClause& clause = clauses[trials_.size() - 1];
    Trial& trial = trials_.back();
    unpin(trial.pins);
    bool is_chosen = false;
    if (trial.next != trial.last) {
      is_chosen = choose_next(clause, trial);
    } else if (!trial.is_there && !trial.is_lacked && may_lack(clause)) {
      is_chosen = trial.is_lacked = true;
    } else {
      trials_.pop_back();
    }
    if (is_chosen && trials_.size() == clauses.size()) {
      answer = Answer::yes;
      break;
    }
    if (is_chosen) {
      open(trials_.size());
    }
  }
  unpin(0);
  return answer;
}

// --- Array by array
// --------------------------------------------------------------------------------

/// Which clauses have fields where. False: a path leads from one element into two arrays.
bool ElementCheck::gather() {
  elements_.assign(memberships_.size(), {.earliest = kNever});
  may_lack_ = 0;
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const FilterClause& clause = branch_->clauses[i];
    const std::uint64_t bit = std::uint64_t{1} << i;
    may_lack_ |= may_lack(clause) ? bit : 0;
    const auto [first, last] = fields_of(paths_[i]);
    for (const Field& field : fields_.subspan(first, last - first)) {
      Element& element = elements_[field.membership];
      element.present |= bit;
      if ((element.taken & bit) == 0 && is_taken(clause, field.leaf)) {
        element.taken |= bit;
        element.earliest = std::min(element.earliest, static_cast<int>(i));
      }
    }
    steps_ += last - first;
  }
  return join_arrays();
}

bool ElementCheck::join_arrays() {
  arrays_.clear();
  steps_ += memberships_.size() * 4;
  for (std::size_t i = memberships_.size(); i-- > 1;) {
    const Membership& at = memberships_[i];
    if (arrays_.size() <= at.array) {
      arrays_.resize(std::size_t{at.array} * 2, {0, 0, kNever + 1});
    }
    const std::uint64_t inside = elements_[i].present | elements_[i].deeper;
    arrays_[at.array].present |= inside;
    arrays_[at.array].first = static_cast<std::uint32_t>(i);
    elements_[at.outer].deeper |= inside;
  }
  for (Element& element : elements_) {
    element.deeper = 0;
  }
  for (const Array& array : arrays_) {
    if (array.first == 0) {
      continue;
    }
    Element& around = elements_[memberships_[array.first].outer];
    if ((around.deeper & array.present) != 0) {
      return false;
    }
    around.deeper |= array.present;
  }
  return true;
}

/// Whether the clauses with fields in the element's array can all be satisfied, given this element.
bool ElementCheck::is_good(std::uint32_t member) const {
  const Element& element = elements_[member];
  const std::uint64_t all = member == 0 ? ~std::uint64_t{0} >> (kNever - paths_.size())
                                        : arrays_[memberships_[member].array].present;
  const std::uint64_t open = all & ~element.satisfied & ~element.deeper;
  const std::uint64_t lacked = open & ~element.present;
  if (element.is_bad || lacked != open || (lacked & ~may_lack_) != 0) {
    return false;
  }
  const bool is_chosen_before = lacked == 0 || element.earliest < std::countr_zero(lacked);
  return member == 0 || ((lacked & element.blocked) == 0 && is_chosen_before);
}

/// Tells the element around an array what the array comes to; `member` is its first element.
void ElementCheck::close_array(std::uint32_t member) {
  const Membership& at = memberships_[member];
  const Array& array = arrays_[at.array];
  Element& around = elements_[at.outer];
  const bool may_be_left_out = (array.present & ~around.satisfied) == 0;
  around.is_bad |= array.earliest > kNever && !may_be_left_out;
  around.earliest = std::min(around.earliest, array.earliest);
}

bool ElementCheck::walk() {
  elements_[0].satisfied = elements_[0].taken;
  elements_[0].blocked = elements_[0].present;
  for (std::size_t i = 1; i < elements_.size(); ++i) {
    const Element& around = elements_[memberships_[i].outer];
    elements_[i].satisfied = elements_[i].taken | around.satisfied;
    elements_[i].blocked = elements_[i].present | around.blocked;
  }
  for (auto i = static_cast<std::uint32_t>(elements_.size()); i-- > 1;) {
    Array& array = arrays_[memberships_[i].array];
    if (is_good(i)) {
      array.earliest = std::min(array.earliest, elements_[i].earliest);
    }
    if (array.first == i) {
      close_array(i);
    }
  }
  return is_good(0);
}

}  // namespace sluice::core
