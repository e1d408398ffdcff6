// Texts as numbers, in the order of adding. One look into a flat table and one comparison: a lookup
// in std::unordered_map takes twice the time and the memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::core {

class TextTable {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  /// The text's number; what is missing is added. REQUIRES: less than 4 GiB in all.
  std::uint32_t add(std::string_view text);
  std::uint32_t find(std::string_view text) const;
  std::uint32_t size() const { return static_cast<std::uint32_t>(ends_.size()); }
  std::string_view text(std::uint32_t number) const {
    const std::uint32_t begin = number == 0 ? 0 : ends_[number - 1];
    return {bytes_.data() + begin, ends_[number] - begin};
  }
  /// What it takes, rather more than less.
  std::size_t bytes() const {
    return bytes_.size() * 2 + ends_.size() * (8 * sizeof(Slot) + 2 * sizeof(std::uint32_t));
  }

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t number;  ///< kNone: free
  };

  std::uint32_t find(std::string_view text, std::uint64_t hash) const;
  void put(Slot slot);
  void grow();

  std::vector<Slot> slots_;  ///< a power of two, at most half of it in use
  std::string bytes_;
  std::vector<std::uint32_t> ends_;
};

}  // namespace sluice::core
