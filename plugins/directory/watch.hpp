// Tells every object of a bucket, then each that is completed (plugin.h, watch_next).
//
// One list of folders to read and one of keys to look at; whatever happens adds to them:
//
//   start, overflow, poll ──▶ folders_ ──scan──▶ candidates_ ──look──▶ told
//   inotify: folder ────────────┘  inotify: file ───┘  ▲  └──▶ waiting_ (being written)
//                                                      └──────────┘ looked at again
//
// A folder is watched before it is read, so nothing made in between is missed; it may be told
// twice. A key stays in a list until it was told, so nothing is missed when the callback ends a
// call.
//
// Where inotify does not work (not available, its limits reached, a file system that others change
// behind the kernel's back) all folders are read every poll interval, and what was told is
// remembered by a 128-bit hash of key and etag. Two versions that collide are as likely as 2^-128
// per pair, far below the failure rate of the memory that holds them.
//
// Thread safety: next(), handle() and the destructor on one thread; cancel() on any.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "folder.hpp"
#include "keys.hpp"
#include "notifier.hpp"
#include "root.hpp"
#include "written.hpp"

namespace sluice::directory {

struct WatchOptions {
  std::string prefix;
  std::int64_t poll_interval_ms = 1000;
  bool poll = false;                     ///< never inotify
  bool leases = true;                    ///< false: as where leases are refused (tests)
  std::function<std::int64_t()> now_ns;  ///< wall clock
  std::function<void(std::int32_t level, std::string_view)> log;  ///< rare events, SLUICE_LOG_...
};

class Watch {
 public:
  /// `root` outlives the watch. Throws Failure INVALID if no key can begin with the prefix.
  Watch(const Root& root, WatchOptions options);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// SLUICE_OK: told some. SLUICE_END: all that is there was told and none is being written; given
  /// once after the start and once after each OK. SLUICE_WOULD_BLOCK: wait_ms passed (below 0:
  /// waits for ever). SLUICE_CANCELLED. Anything else: what `each` answered; that object comes
  /// again.
  std::int32_t next(std::int64_t wait_ms, const EachObject& each);

  /// [any] A waiting next() returns SLUICE_CANCELLED at once, and so does every later one.
  void cancel();

  /// Takes one event as inotify tells it. next() calls it; tests may.
  void handle(const FolderEvent& event);

  bool polls() const { return !notifier_.running(); }

 private:
  using Steady = std::chrono::steady_clock;
  struct Hash {
    std::uint64_t low, high;
    friend bool operator==(const Hash&, const Hash&) = default;
    friend std::size_t hash_value(const Hash& hash) { return hash.low; }
  };
  struct Waiting {
    EarlierLook look;
    Steady::time_point since;
    bool logged = false;
  };
  enum class Look { told, dropped, waits, refused };

  void start_over();
  void poll_instead(std::string_view why);
  bool is_relevant(std::string_view folder) const;
  void add_candidate(std::string key);
  void drain_events();
  void start_what_is_due();
  void recheck_waiting();

  bool scan();
  bool open_next_folder();
  void folder_failed(const std::string& path, int error);
  void warn_once(const std::string& path, std::string_view text);
  void scan_entry();
  void end_of_scan();
  bool was_told(int folder, const std::string& name, const std::string& key);

  std::int32_t tell(const EachObject& each, std::size_t* told);
  Look look_at(const std::string& key, const EachObject& each, std::int32_t* status);
  void wait_for(const std::string& key, const EarlierLook& look);
  bool wait_until(Steady::time_point deadline);
  bool idle() const { return candidates_.empty() && folders_.empty() && !open_folder_; }
  static Hash hash_of(std::string_view key, std::string_view etag);

  // Constant after construction.
  const Root& root_;
  const WatchOptions options_;
  Descriptor cancel_event_;

  // Owned by the thread that calls next().
  Notifier notifier_;
  std::vector<std::string> folders_;        ///< to read, the last first; "" or ends with '/'
  std::vector<std::string> retry_folders_;  ///< could not be read for now
  std::optional<Folder> open_folder_;       ///< being read
  std::string open_path_;
  std::unordered_set<std::string> queued_;  ///< what candidates_ points to
  std::deque<const std::string*> candidates_;
  std::unordered_map<std::string, Waiting> waiting_;
  boost::unordered_flat_map<Hash, std::uint32_t> told_;  ///< polling: last scan that saw it
  std::uint32_t scan_number_ = 0;
  std::unordered_set<std::string> warned_;  ///< what was named in a warning
  bool end_told_ = false;
  Steady::time_point next_recheck_{};
  Steady::time_point next_poll_{};

  // Any thread.
  std::atomic<bool> cancelled_{false};
};

}  // namespace sluice::directory
