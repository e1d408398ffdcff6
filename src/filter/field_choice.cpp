#include "filter/field_choice.hpp"

#include <algorithm>
#include <utility>

namespace sluice::core {
namespace {

bool is_taken_by(const FilterClause& clause, const Leaf& leaf) {
  return std::ranges::any_of(clause.matchers, [&](const ValueMatcher& matcher) {
    return matcher.kind != MatcherKind::absent && takes(matcher, leaf);
  });
}

}  // namespace

FieldChoice::FieldChoice(const FilterBranch& branch,
                         const std::vector<std::span<const Field>>& fields,
                         const std::vector<Membership>& memberships)
    : memberships_(memberships) {
  number_elements();
  for (std::size_t i = 0; i < branch.clauses.size(); ++i) {
    add_clause(branch.clauses[i], fields[i]);
  }
  find_spanned();
}

/// Which memberships are inside which: what is inside is numbered after it.
void FieldChoice::number_elements() {
  ends_.resize(memberships_.size());
  for (auto at = static_cast<std::uint32_t>(memberships_.size()); at-- > 1;) {
    const Membership& membership = memberships_[at];
    ends_[at] = std::max(ends_[at], at + 1);
    ends_[membership.outer] = std::max(ends_[membership.outer], ends_[at]);
    if (membership.array >= arrays_.size()) {
      arrays_.resize(membership.array + 1);
    }
    Run& all = arrays_[membership.array].memberships;
    all.begin = std::min(all.begin, at);
    all.end = std::max(all.end, ends_[at]);
  }
}

void FieldChoice::add_clause(const FilterClause& asked, std::span<const Field> fields) {
  const auto number = static_cast<std::uint32_t>(clauses_.size());
  Clause& clause = clauses_.emplace_back();
  clause.may_lack = std::ranges::find(asked.matchers, MatcherKind::absent, &ValueMatcher::kind) !=
                    asked.matchers.end();
  for (const Field& field : fields) {
    clause.fields.push_back({&field, is_taken_by(asked, field.leaf)});
    for (std::uint32_t at = field.membership; at != 0; at = memberships_[at].outer) {
      Array& array = arrays_[memberships_[at].array];
      array.first = array.is_used ? array.first : number;
      array.last = number;
      array.is_used = true;
    }
  }
  std::ranges::sort(clause.fields, {},
                    [](const Candidate& each) { return each.field->membership; });
}

void FieldChoice::find_spanned() {
  std::vector<int> change(clauses_.size() + 1, 0);
  for (const Array& array : arrays_) {
    if (array.is_used) {
      ++change[array.first + std::size_t{1}];
      --change[array.last + std::size_t{1}];
    }
  }
  int spanning = 0;
  for (std::size_t number = 0; number < clauses_.size(); ++number) {
    spanning += change[number];
    clauses_[number].is_spanned = spanning > 0;
  }
}

/// Memberships in other elements than the pinned ones, sorted.
std::vector<FieldChoice::Run> FieldChoice::disagreeing(std::size_t clause) const {
  std::vector<Run> runs;
  for (const std::uint32_t number : trail_) {
    const Array& array = arrays_[number];
    if (array.last >= clause) {
      runs.push_back({array.memberships.begin, array.pinned});
      runs.push_back({ends_[array.pinned], array.memberships.end});
    }
  }
  std::ranges::sort(runs, {}, &Run::begin);
  return runs;
}

/// The clause's fields that agree with the pins and are taken. Whether others agree.
bool FieldChoice::collect(std::size_t clause, std::vector<const Field*>& into) const {
  const std::vector<Candidate>& fields = clauses_[clause].fields;
  bool has_others = false;
  auto next = fields.begin();
  const auto from = [&](std::uint32_t membership) {
    return std::lower_bound(
        next, fields.end(), membership,
        [](const Candidate& each, std::uint32_t m) { return each.field->membership < m; });
  };
  const auto take_to = [&](auto end) {
    for (; next < end; ++next) {
      has_others |= !next->is_taken;
      if (next->is_taken) {
        into.push_back(next->field);
      }
    }
  };
  if (clauses_[clause].is_spanned) {
    for (const Run& run : disagreeing(clause)) {
      take_to(from(run.begin));
      next = from(run.end);
    }
  }
  take_to(fields.end());
  return has_others;
}

/// What decides whether the clauses from `clause` on can hold.
FieldChoice::State FieldChoice::state(std::size_t clause) const {
  State pinned;
  for (const std::uint32_t array : trail_) {
    if (arrays_[array].last >= clause) {
      pinned.push_back(arrays_[array].pinned);
    }
  }
  std::ranges::sort(pinned);
  pinned.push_back(static_cast<std::uint32_t>(clause));
  return pinned;
}

void FieldChoice::pin(const Field* field) {
  for (std::uint32_t at = field == nullptr ? 0 : field->membership; at != 0;
       at = memberships_[at].outer) {
    Array& array = arrays_[memberships_[at].array];
    if (array.pinned == 0) {
      array.pinned = at;
      trail_.push_back(memberships_[at].array);
    }
  }
}

void FieldChoice::unpin_to(std::size_t trail) {
  for (; trail_.size() > trail; trail_.pop_back()) {
    arrays_[trail_.back()].pinned = 0;
  }
}

/// Begins with a clause beside what is chosen. False: it is known that this leads nowhere.
bool FieldChoice::enter(std::size_t clause) {
  if (clauses_[clause].has_dead && dead_.contains(state(clause))) {
    return false;
  }
  Frame& frame = frames_.emplace_back();
  frame.trail = trail_.size();
  const bool has_others = collect(clause, frame.candidates);
  if (frame.candidates.empty() && !has_others && clauses_[clause].may_lack) {
    frame.candidates.push_back(nullptr);
  }
  return true;
}

/// The clause cannot hold beside what is chosen. False: nor beside anything else.
bool FieldChoice::fail(std::size_t clause) {
  const std::size_t states_max = kStatesMax + clauses_.size() * memberships_.size();
  if (!clauses_[clause].is_spanned || dead_.size() >= states_max) {
    return false;
  }
  clauses_[clause].has_dead = true;
  dead_.insert(state(clause));
  return true;
}

bool FieldChoice::search() {
  if (clauses_.empty()) {
    return true;
  }
  enter(0);
  for (;;) {
    Frame& frame = frames_.back();
    const std::size_t clause = frames_.size() - 1;
    const bool is_exhausted = frame.next == frame.candidates.size();
    const bool came_back = chosen_.size() > clause;
    if ((is_exhausted || came_back) && chosen_.size() > best_.size()) {
      best_ = chosen_;
    }
    unpin_to(frame.trail);
    chosen_.resize(clause);
    if (is_exhausted) {
      if (!fail(clause)) {
        return false;
      }
      frames_.pop_back();  // not the first: nothing spans that one
      continue;
    }
    const Field* field = frame.candidates[frame.next++];
    chosen_.push_back(field);
    pin(field);
    if (chosen_.size() == clauses_.size()) {
      best_ = std::move(chosen_);
      return true;
    }
    enter(clause + 1);
  }
}

}  // namespace sluice::core
