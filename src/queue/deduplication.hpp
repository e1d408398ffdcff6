// Deduplication ids of a FIFO queue that it accepted within the last five minutes (SQS API reference,
// SendMessage: MessageDeduplicationId).
//
// Entries stand in the order in which they were accepted; an index of their numbers, open addressing
// with linear probing, finds them by their key; an id that was accepted again after its window has several.
// An id is kept as 128 bits of a hash: two of ten million
// ids are taken for the same with a probability of 2^-82.
//
// Thread safety: one owner at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

namespace sluice::core {

/// A text as 128 well mixed bits: XXH3, with a seed of this process.
struct TextKey {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const TextKey&, const TextKey&) = default;
};
TextKey key_of(std::string_view text);

/// The deduplication id that content-based deduplication gives a body: its SHA-256 in hexadecimal digits.
TextKey content_key(std::string_view body);

class Deduplication {
 public:
  static constexpr std::int64_t kWindowMs = 5 * 60'000;
  enum class Verdict : std::uint8_t {
    fresh,      ///< accepted, and remembered from now on
    duplicate,  ///< sent within the window of one that was accepted, or so long before it, by another publisher
    full        ///< would have to be remembered, and there is no room
  };

  /// At most `capacity` ids are remembered.
  explicit Deduplication(std::int64_t capacity);

  Verdict judge(const TextKey& id, std::int64_t sent_ms);
  /// Forgets, oldest first, the ids whose window was over at `ms`.
  void forget_until(std::int64_t ms);
  void clear();

  std::size_t size() const { return entries_.size(); }
  /// When the window of the oldest ends. REQUIRES: size() > 0.
  std::int64_t ends_ms() const { return entries_.front().sent_ms + kWindowMs; }

  /// The most memory that a table of so many ids takes.
  static std::int64_t bytes_max(std::int64_t capacity);

 private:
  struct Entry {
    TextKey id;
    std::int64_t sent_ms;
  };

  Entry& entry(std::uint64_t number) { return entries_[number - first_]; }
  std::size_t home_of(const TextKey& id) const { return id.low & (index_.size() - 1); }
  std::size_t after(std::size_t place) const { return (place + 1) & (index_.size() - 1); }
  void put(std::uint64_t number);
  void grow();
  void erase(std::size_t place);

  const std::int64_t capacity_;
  std::deque<Entry> entries_;
  std::uint64_t first_ = 1;           ///< number of the oldest entry
  std::vector<std::uint64_t> index_;  ///< numbers by key; 0: free. Of a power of two, at most three quarters full
};

}  // namespace sluice::core
