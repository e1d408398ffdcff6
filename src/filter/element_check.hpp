// Whether a branch holds of a message whose fields lie in arrays of objects, by the definition
// (policy.hpp): a field for each clause, in the order of the paths, no array in two elements.
//
// Trying field after field takes time that grows with a power of the elements, so it is done for a
// few steps only: they decide nearly every message. What is left is decided array by array, in one
// walk over the elements. Where all fields of a path below one element lie in one array of it, and
// so for every message but those that give a member twice, what happens in one array does not touch
// another: an array is good when one of its elements is, and an element is good when
//   - each clause with fields in the array has one in the element that it takes, or one further
//   out;
//   - or it may lack one, none lies in the element or further out, and an earlier clause chose the
//   element.
// For the last, earlier is better: of an array's good elements the one that is chosen first counts.
// A message that gives a member twice, or a branch of more than 64 clauses, goes on by trial, up to
// a bound.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "filter/leaf.hpp"
#include "filter/policy.hpp"

namespace sluice::core {

/// A field of a message that some policy names.
struct Field {
  std::uint32_t path;        ///< PathTree's number
  std::uint32_t membership;  ///< in the message's list; 0: in no array's element
  Leaf leaf;
};

/// Where in an array of objects something lies. Chains lead outward, to smaller numbers.
struct Membership {
  std::uint32_t array;  ///< from 1
  std::uint32_t element;
  std::uint32_t outer;  ///< 0: none
};

/// One thread's. A step is some nanoseconds: a field looked at, 16 bytes compared.
class ElementCheck {
 public:
  enum class Answer : std::uint8_t { no, yes, unknown };
  struct Limits {
    std::uint64_t trial = 256;       ///< steps, before the elements are walked
    std::uint64_t search = 1 << 20;  ///< steps for one branch, where they cannot be
  };

  /// The next message. `fields` are sorted by path; `memberships` [0] is none. Both are borrowed.
  void begin(std::span<const Field> fields, std::span<const Membership> memberships);
  /// `paths`: of the branch's clauses. unknown: beyond the limits. `briefly`: nothing follows the
  /// trial.
  Answer check(const FilterBranch& branch, std::span<const std::uint32_t> paths,
               bool briefly = false);
  /// Taken since begin().
  std::uint64_t steps() const { return steps_; }

  Limits limits;

 private:
  /// One clause's fields while they are tried.
  struct Trial {
    std::size_t next, last;  ///< of its fields
    std::size_t pins;        ///< arrays that were pinned before
    bool is_there, is_lacked;
  };
  /// What an element, or the message itself, has of the branch's clauses: a bit each.
  struct Element {
    std::uint64_t present, taken;  ///< by fields of its own
    std::uint64_t deeper;          ///< present in arrays inside
    std::uint64_t satisfied;       ///< by fields of its own or further out
    std::uint64_t blocked;         ///< present here or further out: cannot be absent
    int earliest;                  ///< clause that chooses it
    bool is_bad;                   ///< an array inside has no good element
  };
  struct Array {
    std::uint64_t present;
    std::uint32_t first;  ///< the first of its elements that is in the list
    int earliest;         ///< of its good elements; kNever + 1: none is good
  };
  static constexpr int kNever = 64;

  std::pair<std::size_t, std::size_t> fields_of(std::uint32_t path) const;
  bool is_taken(const FilterClause& clause, const Leaf& leaf);
  bool agrees(std::uint32_t membership) const;
  void pin(std::uint32_t membership);
  void unpin(std::size_t down_to);
  void open(std::size_t clause);
  bool choose_next(const FilterClause& clause, Trial& trial);
  Answer search(std::uint64_t steps_max);

  bool gather();
  bool join_arrays();
  bool is_good(std::uint32_t member) const;
  void close_array(std::uint32_t member);
  bool walk();

  std::span<const Field> fields_;
  std::span<const Membership> memberships_;
  std::uint64_t steps_ = 0;
  const FilterBranch* branch_ = nullptr;
  std::span<const std::uint32_t> paths_;
  std::vector<Trial> trials_;
  std::vector<std::uint32_t> pinned_;  ///< by array: element + 1, 0: none
  std::vector<std::uint32_t> pins_;    ///< arrays in the order in which they were pinned
  std::vector<Element> elements_;      ///< by membership; [0] is the message
  std::vector<Array> arrays_;
  std::uint64_t may_lack_ = 0;
};

}  // namespace sluice::core
