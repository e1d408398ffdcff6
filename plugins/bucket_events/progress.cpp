#include "progress.hpp"

#include <algorithm>

namespace sluice::bucket_events {

std::optional<std::uint64_t> Progress::begin(const VersionHash& version) {
  if (ledger_.holds(version)) {
    ++met_;
    return std::nullopt;
  }
  if (!versions_in_hand_.insert(version).second)
    return std::nullopt;
  const std::uint64_t cookie = next_cookie_++;
  in_hand_.emplace(cookie, version);
  return cookie;
}

void Progress::forget(std::uint64_t cookie) {
  const auto found = in_hand_.find(cookie);
  if (found == in_hand_.end())
    return;
  versions_in_hand_.erase(found->second);
  in_hand_.erase(found);
}

void Progress::settled(std::uint64_t cookie) {
  const std::lock_guard lock(mutex_);
  settled_.push_back(cookie);
}

void Progress::write_settled() {
  {
    const std::lock_guard lock(mutex_);
    if (taken_.empty()) {
      taken_.swap(settled_);
    } else {  // the last write failed
      taken_.insert(taken_.end(), settled_.begin(), settled_.end());
      settled_.clear();
    }
  }
  if (taken_.empty())
    return;
  std::vector<VersionHash> versions;
  versions.reserve(taken_.size());
  for (const std::uint64_t cookie : taken_) {
    if (const auto found = in_hand_.find(cookie); found != in_hand_.end()) {
      versions.push_back(found->second);
    }
  }
  ledger_.append(versions);
  for (const std::uint64_t cookie : taken_)
    forget(cookie);
  taken_.clear();
}

void Progress::compact(const VersionSet& present) {
  ledger_.compact([&](const VersionHash& version) { return present.contains(version); });
  put_off_compaction();
}

void Progress::put_off_compaction() {
  compact_above_ = std::max(kCompactMin, 2 * ledger_.size());
}

void Progress::scanned() {
  compact_above_ = std::max(kCompactMin, 2 * met_);
}

}  // namespace sluice::bucket_events
