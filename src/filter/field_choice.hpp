// Which fields the clauses of a branch hold by, by the definition in policy.hpp: what a count of
// clauses cannot tell where fields lie in arrays of objects.
//
// It is a search: a field chosen for one clause pins the elements that it lies in, and a later
// clause may find nothing beside it. Plain backtracking takes as many steps as the product of the
// lengths of all arrays: days, for a body of a few kilobytes. So
//   - elements are numbered in the order of the body, each before what is in it, and the fields of
//   a
//     clause are sorted by that number: those that disagree with a pin are two runs, passed over;
//   - what follows depends on the pins of arrays that later clauses have fields in, and on nothing
//     else: where that failed once it is not tried again, and where no array has fields on both
//     sides, a failure is final. Clauses are sorted by path, so these arrays lie inside each other,
//     and the states are hardly more than the elements of the body.
// A body that repeats a member's name has several arrays at one path, and may be made to have more
// states than that; after kStatesMax of them on top the branch does not hold.
//
// One thread's; borrows what it is given.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "filter/compiled_filter.hpp"
#include "filter/policy.hpp"

namespace sluice::core {

class FieldChoice {
 public:
  /// Given on top of one state for each clause and element.
  static constexpr std::size_t kStatesMax = 10'000;

  /// `fields`: for each clause those with its path. `memberships` as a FieldReader makes them.
  FieldChoice(const FilterBranch& branch, const std::vector<std::span<const Field>>& fields,
              const std::vector<Membership>& memberships);

  /// Whether the branch holds. Once.
  bool search();
  /// After search(): what the clauses hold by, nullptr for the lack of a field; where the branch
  /// does not hold, of the first clauses, as many as hold together.
  const std::vector<const Field*>& chosen() const { return best_; }

 private:
  struct Candidate {
    const Field* field;
    bool is_taken;  ///< by a matcher of the clause
  };
  struct Clause {
    std::vector<Candidate> fields;  ///< sorted by membership
    bool may_lack = false;
    bool is_spanned =
        false;  ///< some array has fields for an earlier clause, and for it or a later one
    bool has_dead = false;  ///< states in dead_
  };
  /// A run of memberships.
  struct Run {
    std::uint32_t begin = ~std::uint32_t{0}, end = 0;
  };
  struct Array {
    Run memberships;                    ///< of its elements and all that is in them
    std::uint32_t first = 0, last = 0;  ///< clauses that have fields in it
    bool is_used = false;               ///< some clause has
    std::uint32_t pinned = 0;           ///< the element's membership; 0: none
  };
  /// A clause for which fields are tried.
  struct Frame {
    std::vector<const Field*> candidates;
    std::size_t next = 0;
    std::size_t trail = 0;
  };
  using State = std::vector<std::uint32_t>;

  void number_elements();
  void add_clause(const FilterClause& asked, std::span<const Field> fields);
  void find_spanned();
  std::vector<Run> disagreeing(std::size_t clause) const;
  bool collect(std::size_t clause, std::vector<const Field*>& into) const;
  State state(std::size_t clause) const;
  void pin(const Field* field);
  void unpin_to(std::size_t trail);
  bool enter(std::size_t clause);
  bool fail(std::size_t clause);

  const std::vector<Membership>& memberships_;
  std::vector<std::uint32_t> ends_;  ///< by membership: behind all that is in it
  std::vector<Array> arrays_;
  std::vector<Clause> clauses_;
  std::vector<std::uint32_t> trail_;  ///< arrays, in the order of their pins
  std::vector<Frame> frames_;         ///< of the clauses up to the one at hand
  std::vector<const Field*> chosen_, best_;
  std::set<State> dead_;
};

}  // namespace sluice::core
