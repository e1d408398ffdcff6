// The oracle: knows what was issued and judges what arrived (reliability catalogue §2.4, I1-I5).
//
// A stamp travels at the front of each test message's body:
//   producer u32 | attempt u32 | sequence u64 | crc32 of the rest u32 | the rest
//
// Thread safety: all from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

struct Stamp {
  std::uint32_t producer = 0;
  std::uint32_t attempt = 0;
  std::uint64_t sequence = 0;
  std::uint32_t crc = 0;
  static constexpr std::size_t kBytes = 20;
};

std::uint32_t crc32(std::span<const std::uint8_t> bytes);
/// The body of message `sequence`: its stamp and `payload_bytes` bytes that depend on producer and sequence.
std::string stamped_body(std::uint32_t producer, std::uint64_t sequence, std::size_t payload_bytes,
                         std::uint32_t attempt = 0);
/// nullopt: too short, or the crc does not match.
std::optional<Stamp> read_stamp(std::span<const std::uint8_t> body);

/// Records what happened to messages on their way to `branches` queues and says what was wrong.
class Ledger {
 public:
  explicit Ledger(std::uint32_t branches)
      : branches_(branches) {}

  void issued(std::uint32_t producer, std::uint64_t sequence);
  void acknowledged(std::uint32_t producer, std::uint64_t sequence);
  /// A batch's message was handed out in `branch`; ended() closes what leased() opened.
  void leased(std::uint32_t branch, std::span<const std::uint8_t> body, std::uint32_t receive_count);
  enum class End { deleted, retried, dead_lettered, stale };
  void ended(std::uint32_t branch, std::span<const std::uint8_t> body, End end);

  std::uint64_t issued_count() const;
  std::uint64_t ends(End end) const;
  /// Everything that broke a rule so far; at the end of a drained run also what is missing:
  ///   I1 each issued message came to its end in each branch, and was acknowledged once, not before
  ///   I2 what was handed out was issued, whole
  ///   I3 `duplicates_max` deliveries that ended as deleted or dead-lettered more than once
  ///   I4 no two leases of a message at a time (unless the first went stale)
  ///   I5 receive counts rise by one
  std::vector<std::string> judge(bool drained, std::uint64_t duplicates_max = 0) const;

 private:
  struct Branch {
    std::uint32_t receive_count = 0, open = 0, done = 0;
  };
  struct Entry {
    std::vector<Branch> branches;
    std::uint32_t acknowledged = 0;
  };
  using Key = std::pair<std::uint32_t, std::uint64_t>;
  void complain(std::string text);

  const std::uint32_t branches_;
  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::map<End, std::uint64_t> ends_;
  std::vector<std::string> faults_;
};

}  // namespace sluice::test
