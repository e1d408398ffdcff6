#include "topic/topic_filter.hpp"

#include <algorithm>
#include <iterator>

namespace sluice::core {

std::expected<TopicFilter::Scope, CompileError> TopicFilter::compile_scope(
    FilterScope scope, std::vector<std::optional<FilterPolicy>>& policies) {
  Scope result;
  std::vector<FilterPolicy> chosen;
  std::vector<std::vector<std::string>> names;
  for (std::uint32_t subscription = 0; subscription < policies.size(); ++subscription) {
    std::optional<FilterPolicy>& policy = policies[subscription];
    if (!policy || policy->scope != scope) {
      continue;
    }
    result.subscriptions.push_back(subscription);
    std::vector<std::string>& named = names.emplace_back();
    for (const FilterBranch& branch : policy->branches) {
      std::ranges::transform(branch.clauses, std::back_inserter(named), &FilterClause::path);
    }
    chosen.push_back(std::move(*policy));
  }
  if (chosen.empty()) {
    return result;
  }
  auto compiled = CompiledFilter::compile(std::move(chosen));
  if (!compiled) {
    return std::unexpected(CompileError{result.subscriptions[compiled.error().policy],
                                        std::move(compiled.error().text)});
  }
  result.compiled = std::move(*compiled);
  result.named_by.resize(result.compiled->paths().size());
  for (std::uint32_t number = 0; number < names.size(); ++number) {
    for (const std::string& name : names[number]) {
      std::vector<std::uint32_t>& namers = result.named_by[result.compiled->paths().find(name)];
      if (namers.empty() || namers.back() != number) {
        namers.push_back(number);
      }
    }
    if (!std::ranges::binary_search(result.compiled->take_all(), number)) {
      result.readers.push_back(result.subscriptions[number]);
    }
  }
  return result;
}

std::expected<std::shared_ptr<const TopicFilter>, CompileError> TopicFilter::compile(
    std::vector<std::optional<FilterPolicy>> policies) {
  auto filter = std::make_shared<TopicFilter>();
  for (const std::optional<FilterPolicy>& policy : policies) {
    filter->has_policy_.push_back(policy.has_value());
  }
  for (auto [scope, place] : {std::pair{FilterScope::message_attributes, &filter->attributes_},
                              std::pair{FilterScope::message_body, &filter->body_}}) {
    std::expected<Scope, CompileError> compiled = compile_scope(scope, policies);
    if (!compiled) {
      return std::unexpected(compiled.error());
    }
    *place = std::move(*compiled);
  }
  return filter;
}

std::size_t TopicFilter::bytes() const {
  return (attributes_.compiled != nullptr ? attributes_.compiled->bytes() : 0) +
         (body_.compiled != nullptr ? body_.compiled->bytes() : 0);
}

ChunkMatcher::ChunkMatcher(std::shared_ptr<const TopicFilter> filter)
    : filter_(std::move(filter)), masks_(filter_->subscriptions(), 0) {
  if (filter_->attributes_.compiled != nullptr) {
    attributes_scratch_ = std::make_unique<FilterScratch>(*filter_->attributes_.compiled);
  }
  if (filter_->body_.compiled != nullptr) {
    body_scratch_ = std::make_unique<FilterScratch>(*filter_->body_.compiled);
  }
}

void ChunkMatcher::match(const Chunk& chunk, std::uint32_t from, std::uint32_t to) {
  for (const std::uint32_t subscription : takers_) {
    masks_[subscription] = 0;
  }
  takers_.clear();
  invalid_attributes_.clear();
  invalid_body_.clear();
  invalid_bodies_ = 0;
  for (std::uint32_t index = from; index < to; ++index) {
    if (attributes_scratch_ != nullptr) {
      match_attributes(chunk, index);
    }
    if (body_scratch_ != nullptr) {
      match_body(chunk, index);
    }
  }
}

void ChunkMatcher::take(const TopicFilter::Scope& scope, std::span<const std::uint32_t> numbers,
                        std::uint32_t index) {
  for (const std::uint32_t number : numbers) {
    std::uint64_t& mask = masks_[scope.subscriptions[number]];
    if (mask == 0) {
      takers_.push_back(scope.subscriptions[number]);
    }
    mask |= std::uint64_t{1} << index;
  }
}

void ChunkMatcher::match_attributes(const Chunk& chunk, std::uint32_t index) {
  MetaReader meta(chunk, index);
  attributes_.resize(meta.attribute_count());
  attribute_pointers_.resize(attributes_.size());
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    attributes_[i] = meta.next_attribute();
    attribute_pointers_[i] = &attributes_[i];
  }
  const TopicFilter::Scope& scope = filter_->attributes_;
  const std::uint32_t invalid =
      reader_.read_attributes(attribute_pointers_, scope.compiled->paths(), *attributes_scratch_);
  const bool is_told = scope.compiled->match(*attributes_scratch_);
  take(scope, attributes_scratch_->matched, index);
  if (!is_told) {
    std::ranges::copy(scope.readers, std::back_inserter(invalid_attributes_));
  } else if (invalid != 0) {
    note_damaged(scope, *attributes_scratch_, index, invalid_attributes_);
  }
}

/// For the message at hand: the subscriptions whose policy names a damaged field, or was too much
/// work, and did not take it.
void ChunkMatcher::note_damaged(const TopicFilter::Scope& scope, const FilterScratch& scratch,
                                std::uint32_t index, std::vector<std::uint32_t>& invalid) const {
  const auto before = static_cast<std::ptrdiff_t>(invalid.size());
  const auto note = [&](std::uint32_t number) {
    const std::uint32_t subscription = scope.subscriptions[number];
    if ((masks_[subscription] >> index & 1) == 0) {
      invalid.push_back(subscription);
    }
  };
  std::uint32_t last = PathTree::kNone;
  for (const Field& field : scratch.fields) {
    if (field.leaf.kind == Leaf::Kind::damaged && field.path != last) {
      std::ranges::for_each(scope.named_by[field.path], note);
      last = field.path;  // they are sorted by it
    }
  }
  std::ranges::for_each(scratch.untold, note);
  const auto noted = std::ranges::subrange(invalid.begin() + before, invalid.end());
  std::ranges::sort(noted);
  const auto repeated = std::ranges::unique(noted);
  invalid.erase(repeated.begin(), repeated.end());
}

void ChunkMatcher::match_body(const Chunk& chunk, std::uint32_t index) {
  const TopicFilter::Scope& scope = filter_->body_;
  const std::span<const std::uint8_t> body = chunk.body(index);
  if (!reader_.read_body(body, scope.compiled->paths(), *body_scratch_,
                         chunk.readable_behind(index)) ||
      !scope.compiled->match(*body_scratch_)) {
    ++invalid_bodies_;
    take(scope, scope.compiled->take_all(), index);
    return;
  }
  take(scope, body_scratch_->matched, index);
  if (reader_.damaged() != 0 || !body_scratch_->untold.empty()) {
    note_damaged(scope, *body_scratch_, index, invalid_body_);
  }
}

}  // namespace sluice::core
