// Which versions of objects are done, in hand, or new; and what must still be written down.
//
// Thread safety: settled() on any thread; the rest on one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "ledger.hpp"

namespace sluice::bucket_events {

class Progress {
 public:
  /// A ledger of so few versions (80 KiB) is never compacted.
  static constexpr std::size_t kCompactMin = 4096;

  /// Throws Failure, as Ledger.
  explicit Progress(std::string_view state_folder) : ledger_(state_folder) {}

  /// The cookie to emit this version with; nothing if it was acknowledged, or is in hand.
  std::optional<std::uint64_t> begin(const VersionHash& version);

  /// The emission failed: the version is new again.
  void forget(std::uint64_t cookie);

  /// [any] Never waits for a disk and wakes nobody: the cookie is written down by write_settled().
  void settled(std::uint64_t cookie);

  /// Writes what was settled to the ledger. Throws Failure UNAVAILABLE; nothing is forgotten then,
  /// and the next call tries again.
  void write_settled();

  /// The first scan is over: what begin() met in the ledger until now is what is still there.
  void scanned();

  /// Whether half of the ledger may be gone objects and old versions: time for compact().
  bool is_compaction_due() const { return ledger_.size() > compact_above_; }

  /// Forgets versions that are not in `present`. Throws Failure UNAVAILABLE.
  void compact(const VersionSet& present);

  /// Asks again when the ledger has doubled.
  void put_off_compaction();

  std::size_t in_hand() const { return in_hand_.size(); }
  const Ledger& ledger() const { return ledger_; }

 private:
  // Owned by the one thread.
  Ledger ledger_;
  boost::unordered_flat_map<std::uint64_t, VersionHash> in_hand_;  ///< by cookie
  VersionSet versions_in_hand_;
  std::vector<std::uint64_t> taken_;  ///< settled, to be written; kept for its memory
  std::uint64_t next_cookie_ = 1;
  std::size_t met_ = 0;  ///< versions that begin() found in the ledger
  std::size_t compact_above_ = kCompactMin;

  // Guarded by mutex_.
  std::mutex mutex_;
  std::vector<std::uint64_t> settled_;
};

}  // namespace sluice::bucket_events
