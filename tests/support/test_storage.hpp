// A storage in memory that fails when told to, fills up, and loses what was not synced.
//
// Thread safety: as Storage; the knobs from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/storage.hpp"

namespace sluice::test {

class TestStorage final : public core::Storage {
 public:
  TestStorage()
      : disk_(std::make_shared<Disk>()) {}

  // Knobs.
  /// The nth append (or sync, or truncate) from now fails, and all after it; 1 is the next, 0 none.
  void fail_append(std::uint64_t nth) { arm(&Disk::append_fails_in, nth); }
  void fail_sync(std::uint64_t nth) { arm(&Disk::sync_fails_in, nth); }
  void fail_truncate(std::uint64_t nth) { arm(&Disk::truncate_fails_in, nth); }
  /// What the disk holds at most; an append beyond it writes what fits and fails.
  void set_capacity(std::uint64_t bytes) { arm(&Disk::capacity, bytes); }
  /// Power cut: of every file what was not synced is lost, but for the first `torn_bytes` of it; what was cut off and not
  /// synced is back. After it no call fails.
  void cut_power(std::uint64_t torn_bytes = 0);

  // What happened.
  std::string content(const std::string& path) const;
  std::string durable_content(const std::string& path) const;
  void put(const std::string& path, std::string content);
  /// "append PATH", "sync PATH", "replace PATH", in order.
  std::vector<std::string> calls() const;

  core::Result<void> make_folders(const std::string& path) override;
  bool exists(const std::string& path) override;
  core::Result<std::unique_ptr<core::AppendFile>> open_append(const std::string& path) override;
  core::Result<void> replace(const std::string& from, const std::string& to) override;
  core::Result<void> remove(const std::string& path) override;
  std::uint64_t room(const std::string& path) override;
  core::Result<std::unique_ptr<core::FolderLock>> lock_folder(const std::string& path) override;
  bool folder_is_locked(const std::string& path) override;

 private:
  struct Node {
    std::string bytes;            ///< as the page cache shows it
    std::string durable;          ///< as of the last sync
    std::uint64_t in_common = 0;  ///< bytes from the beginning that are the same in both: a sync costs what is new
  };
  struct Disk {
    mutable std::mutex mutex;
    std::map<std::string, std::shared_ptr<Node>> files;
    std::set<std::string> locks;
    std::vector<std::string> calls;
    std::uint64_t append_fails_in = 0, sync_fails_in = 0, truncate_fails_in = 0, capacity = ~std::uint64_t{0};
    bool append_fails = false, sync_fails = false, truncate_fails = false;
    std::uint64_t used() const;
    std::uint64_t room() const { return capacity > used() ? capacity - used() : 0; }
  };
  class File;
  class Lock;
  void arm(std::uint64_t Disk::*knob, std::uint64_t value);

  std::shared_ptr<Disk> disk_;
};

}  // namespace sluice::test
