// The acknowledged versions of objects, kept over restarts.
//
// File "ledger": 16 bytes "sluice-ledger-1\n", then records of 20 bytes:
//
//   | 0 .. 15  hash of key and etag, low word first, little-endian | 16 .. 19  check |
//
// hash = XXH3-128 of key NUL etag; check = low 32 bits of XXH3-64 of bytes 0 to 15. A tail shorter
// than a record (the process died while writing) is cut off; a record whose check is wrong is
// passed over. Either costs one redelivery, which is allowed.
//
// Two versions with the same hash would make the second one be taken for acknowledged. For 10^9
// versions that has a chance of 10^18 / 2^129, some 1.5 in 10^21: no reason to keep the keys.
// One who makes a collision on purpose must know the other object's time in nanoseconds beforehand.
//
// Written with write(2), not synced: kill -9 loses nothing that was written, a loss of power may
// lose the tail. Compaction writes a new file, syncs it and renames it.
//
// One thread at a time. In memory: 16 bytes for each version, and what the table keeps free.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bucket_events {

/// One version of one object.
struct VersionHash {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const VersionHash&, const VersionHash&) = default;
  friend std::size_t hash_value(const VersionHash& hash) { return hash.low; }
};

VersionHash version_hash(std::string_view key, std::string_view etag);

using VersionSet = boost::unordered_flat_set<VersionHash>;

class Ledger {
 public:
  /// Reads `folder`/ledger, or makes it. Throws Failure UNAVAILABLE naming the file: it cannot be
  /// read or written, or is no ledger of this version.
  explicit Ledger(std::string_view folder);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  bool holds(const VersionHash& version) const { return versions_.contains(version); }
  std::size_t size() const { return versions_.size(); }
  std::size_t damaged() const { return damaged_; }  ///< records passed over when it was read

  /// Remembers and writes `versions`. Throws Failure UNAVAILABLE; the file then holds whole records
  /// only, and what is missing comes again after a restart.
  void append(std::span<const VersionHash> versions);

  /// Forgets every version that `keep` denies, on disk too. Atomic: a crash leaves the old or the
  /// new file. Throws Failure UNAVAILABLE; the old file is then still in use.
  void compact(const std::function<bool(const VersionHash&)>& keep);

 private:
  void read();
  void write_all(int file, std::string_view bytes, const std::string& path) const;

  std::string folder_;
  std::string path_;
  int file_ = -1;
  std::uint64_t file_bytes_ = 0;  ///< whole records and the head
  std::size_t damaged_ = 0;
  VersionSet versions_;
};

}  // namespace sluice::bucket_events
