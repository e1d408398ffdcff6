// The filter policies of a topic's subscriptions, compiled together: which of them take a message.
// And a publisher's use of them on a chunk.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "filter/compiled_filter.hpp"
#include "filter/message_fields.hpp"
#include "message/chunk.hpp"

namespace sluice::core {

/// Immutable; shared by all publishers of its topic.
class TopicFilter {
 public:
  /// `policies` by subscription; nullopt: it takes every message. Error: they are too large
  /// together, from the subscription `policy` on.
  static std::expected<std::shared_ptr<const TopicFilter>, CompileError> compile(
      std::vector<std::optional<FilterPolicy>> policies);

  std::uint32_t subscriptions() const { return static_cast<std::uint32_t>(has_policy_.size()); }
  /// False: the subscription takes every message, and is never among a ChunkMatcher's answers.
  bool has_policy(std::uint32_t subscription) const { return has_policy_[subscription]; }
  std::size_t bytes() const;  ///< of memory, rather more than less

 private:
  friend class ChunkMatcher;
  /// The policies of one scope. The compiled filter knows them by number.
  struct Scope {
    std::shared_ptr<const CompiledFilter> compiled;  ///< nullptr: none
    std::vector<std::uint32_t> subscriptions;        ///< by number
    std::vector<std::uint32_t> readers;  ///< subscriptions that do not take every message
    std::vector<std::vector<std::uint32_t>>
        named_by;  ///< by path, numbers of the policies that name it
  };
  static std::expected<Scope, CompileError> compile_scope(
      FilterScope scope, std::vector<std::optional<FilterPolicy>>& policies);

  std::vector<bool> has_policy_;
  Scope attributes_, body_;
};

/// Applies a TopicFilter to chunks. One publisher's; keeps its buffers.
class ChunkMatcher {
 public:
  explicit ChunkMatcher(std::shared_ptr<const TopicFilter> filter);

  /// Looks at messages `from` to `to` (not included) of `chunk`; the answers stand until the next
  /// call.
  void match(const Chunk& chunk, std::uint32_t from, std::uint32_t to);

  /// Subscriptions with a policy that take at least one of them, each once.
  std::span<const std::uint32_t> takers() const { return takers_; }
  /// Which messages a subscription among takers() takes.
  std::uint64_t mask(std::uint32_t subscription) const { return masks_[subscription]; }

  /// Subscriptions that did not take a message because an attribute that their policy names is
  /// damaged: a Number that is none, a String.Array that is no JSON array; or because the
  /// attributes are more than a filter looks at. Each once for each such message.
  std::span<const std::uint32_t> invalid_attributes() const { return invalid_attributes_; }
  /// The same where a value of the body that their policy names is no JSON, or the body too much
  /// work for it.
  std::span<const std::uint32_t> invalid_body() const { return invalid_body_; }
  /// How many bodies are no JSON object, or more than a filter looks at, and the subscriptions that
  /// did not take them for that.
  std::uint32_t invalid_bodies() const { return invalid_bodies_; }
  std::span<const std::uint32_t> body_readers() const { return filter_->body_.readers; }

 private:
  void match_attributes(const Chunk& chunk, std::uint32_t index);
  void match_body(const Chunk& chunk, std::uint32_t index);
  void take(const TopicFilter::Scope& scope, std::span<const std::uint32_t> numbers,
            std::uint32_t index);
  void note_damaged(const TopicFilter::Scope& scope, const FilterScratch& scratch,
                    std::uint32_t index, std::vector<std::uint32_t>& invalid) const;

  const std::shared_ptr<const TopicFilter> filter_;
  FieldReader reader_;
  std::unique_ptr<FilterScratch> attributes_scratch_, body_scratch_;
  std::vector<sluice_attribute> attributes_;
  std::vector<const sluice_attribute*> attribute_pointers_;
  // Answers.
  std::vector<std::uint64_t> masks_;  ///< by subscription
  std::vector<std::uint32_t> takers_;
  std::vector<std::uint32_t> invalid_attributes_, invalid_body_;
  std::uint32_t invalid_bodies_ = 0;
};

}  // namespace sluice::core
