#include "watch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <xxhash.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "object.hpp"
#include "support/text.hpp"

namespace sluice::directory {

namespace {

/// Objects told, and entries read, before a call returns or looks at events and cancellation again.
constexpr std::size_t kStep = 256;
/// How often files that are being written and folders that could not be read are looked at.
constexpr auto kRecheck = std::chrono::milliseconds(100);
/// Files and folders that are named in warnings, once each.
constexpr std::size_t kWarningsMax = 100;
constexpr auto kLongWait = std::chrono::seconds(30);

/// Errors that pass by themselves.
bool passes(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == EAGAIN ||
         error == EBUSY || error == ESTALE;
}

std::string error_text(int error) {
  return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is per thread
}

}  // namespace

Watch::Watch(const Root& root, WatchOptions options)
    : root_(root),
      options_(std::move(options)),
      cancel_event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (const std::string fault = prefix_fault(options_.prefix); !fault.empty()) {
    throw Failure(SLUICE_INVALID, fmt::format("no key of a directory can begin with {}: it {}",
                                              support::json_quote(options_.prefix), fault));
  }
  if (!cancel_event_)
    fail(errno, "watch", options_.prefix);
  start_over();
  if (options_.poll)
    return;
  if (is_remote(root_.descriptor())) {
    poll_instead("its file system may be changed by other machines");
  } else if (const int error = notifier_.start(); error != 0) {
    poll_instead(fmt::format("inotify is not available ({}); see fs.inotify.max_user_instances",
                             error_text(error)));
  }
}

void Watch::start_over() {
  folders_.assign(1, "");
  retry_folders_.clear();
  open_folder_.reset();
  ++scan_number_;
}

void Watch::poll_instead(std::string_view why) {
  options_.log(SLUICE_LOG_WARNING,
               fmt::format("folder \"{}\" is read every {} ms instead of being watched: {}",
                           root_.path(), options_.poll_interval_ms, why));
  notifier_.stop();
  start_over();
}

bool Watch::is_relevant(std::string_view folder) const {
  return folder.starts_with(options_.prefix) ||
         std::string_view(options_.prefix).starts_with(folder);
}

Watch::Hash Watch::hash_of(std::string_view key, std::string_view etag) {
  std::string text(key);
  text += '\0';
  text += etag;
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.low64, hash.high64};
}

void Watch::add_candidate(std::string key) {
  const auto [at, added] = queued_.insert(std::move(key));
  if (added)
    candidates_.push_back(&*at);
}

std::int32_t Watch::next(std::int64_t wait_ms, const EachObject& each) {
  const Steady::time_point deadline =
      wait_ms < 0 ? Steady::time_point::max() : Steady::now() + std::chrono::milliseconds(wait_ms);
  while (true) {
    // Pairs with the release in cancel().
    if (cancelled_.load(std::memory_order_acquire))
      return SLUICE_CANCELLED;
    drain_events();
    start_what_is_due();
    if (candidates_.empty())
      scan();
    std::size_t told = 0;
    const std::int32_t status = tell(each, &told);
    if (told > 0)
      end_told_ = false;
    if (status != SLUICE_OK)
      return status;
    if (told > 0)
      return SLUICE_OK;
    if (!idle())
      continue;
    if (!end_told_ && waiting_.empty() && retry_folders_.empty()) {
      end_told_ = true;
      return SLUICE_END;
    }
    if (!wait_until(deadline))
      return SLUICE_WOULD_BLOCK;
  }
}

void Watch::cancel() {
  cancelled_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // Fails only if the counter is full, and then it is readable already.
  [[maybe_unused]] const ssize_t ignored = ::write(cancel_event_.get(), &one, sizeof one);
}

// ---- events ----

void Watch::drain_events() {
  std::vector<FolderEvent> events;
  while (candidates_.size() < kStep * 16 && notifier_.read(&events)) {
    for (const FolderEvent& event : events)
      handle(event);
    events.clear();
  }
}

void Watch::handle(const FolderEvent& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    options_.log(SLUICE_LOG_INFO,
                 fmt::format("changes of folder \"{}\" came faster than they could "
                             "be read: reading all of it again",
                             root_.path()));
    start_over();
    return;
  }
  if (event.name.empty() || is_temporary(event.name))
    return;
  if ((event.mask & IN_ISDIR) != 0) {
    const std::string folder = event.folder + event.name + '/';
    if (!is_relevant(folder) || !prefix_fault(folder).empty())
      return;
    if ((event.mask & IN_MOVED_FROM) != 0)
      notifier_.forget(folder);
    if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0)
      folders_.push_back(folder);
    return;
  }
  // IN_CREATE as well: a hard link is complete when it is made, and nothing else tells of it.
  if ((event.mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE)) == 0)
    return;
  std::string key = event.folder + event.name;
  if (key.starts_with(options_.prefix) && key_fault(key).empty())
    add_candidate(std::move(key));
}

void Watch::start_what_is_due() {
  const Steady::time_point now = Steady::now();
  if ((!waiting_.empty() || !retry_folders_.empty()) && now >= next_recheck_)
    recheck_waiting();
  if (polls() && idle() && now >= next_poll_)
    start_over();
}

void Watch::recheck_waiting() {
  const Steady::time_point now = Steady::now();
  for (auto& [key, waiting] : waiting_) {
    add_candidate(key);
    if (waiting.logged || now - waiting.since < kLongWait)
      continue;
    waiting.logged = true;
    options_.log(SLUICE_LOG_INFO,
                 fmt::format("{} is being written for {} s: waiting until it is complete",
                             support::json_quote(key),
                             std::chrono::duration_cast<std::chrono::seconds>(kLongWait).count()));
  }
  folders_.insert(folders_.end(), retry_folders_.begin(), retry_folders_.end());
  retry_folders_.clear();
  next_recheck_ = now + kRecheck + std::chrono::milliseconds(waiting_.size());
}

// ---- the scan ----

/// Reads up to kStep entries, or up to kStep candidates.
bool Watch::scan() {
  for (std::size_t entries = 0; entries < kStep; ++entries) {
    if (!open_folder_ && !open_next_folder())
      return false;
    if (!open_folder_)
      continue;
    if (open_folder_->next()) {
      scan_entry();
      continue;
    }
    const int error = open_folder_->error();
    open_folder_.reset();
    if (error != 0)
      folder_failed(open_path_, error);
    if (folders_.empty())
      end_of_scan();
  }
  return true;
}

/// Opens and watches the next folder. False: there is none.
bool Watch::open_next_folder() {
  if (folders_.empty())
    return false;
  open_path_ = std::move(folders_.back());
  folders_.pop_back();
  Opened opened = root_.open(open_path_, O_RDONLY | O_DIRECTORY);
  int error = opened.error;
  if (error == 0 && notifier_.running()) {
    error = notifier_.add(opened.descriptor.get(), open_path_);
    if (error != 0 && error != EACCES) {
      poll_instead(fmt::format("inotify cannot watch \"{}\" ({}); see fs.inotify.max_user_watches",
                               open_path_, error_text(error)));
      return true;
    }
  }
  if (error != 0) {
    folder_failed(open_path_, error);
  } else if (const std::size_t slash = options_.prefix.find('/', open_path_.size());
             slash != std::string::npos && options_.prefix.starts_with(open_path_)) {
    // Above the prefix's folder only one entry matters.
    folders_.push_back(options_.prefix.substr(0, slash + 1));
  } else {
    open_folder_.emplace(std::move(opened.descriptor));
  }
  if (!open_folder_ && folders_.empty())
    end_of_scan();
  return true;
}

void Watch::folder_failed(const std::string& path, int error) {
  if (error == ENOENT || error == ENOTDIR || error == ELOOP)
    return;  // gone, or a link by now
  if (passes(error)) {
    if (retry_folders_.empty())
      next_recheck_ = Steady::now() + kRecheck;
    retry_folders_.push_back(path);
  }
  warn_once(path, fmt::format("folder {} of \"{}\" cannot be read: {}{}", support::json_quote(path),
                              root_.path(), error_text(error),
                              passes(error) ? "; trying again" : "; its objects are left out"));
}

void Watch::warn_once(const std::string& path, std::string_view text) {
  if (warned_.size() == kWarningsMax || !warned_.insert(path).second)
    return;
  options_.log(SLUICE_LOG_WARNING, text);
}

void Watch::scan_entry() {
  const FolderEntry& entry = open_folder_->entry();
  if (is_temporary(entry.name)) {
    remove_if_stale(open_folder_->descriptor(), entry.name.c_str(), options_.now_ns());
    return;
  }
  std::string key = open_path_ + entry.name;
  if (entry.is_folder) {
    key += '/';
    if (!is_relevant(key))
      return;
  } else if (!key.starts_with(options_.prefix)) {
    return;
  }
  const std::string fault = entry.is_folder ? prefix_fault(key) : key_fault(key);
  if (!fault.empty()) {
    warn_once(key, fmt::format("{} of \"{}\" is left out: its key {}", support::json_quote(key),
                               root_.path(), fault));
    return;
  }
  if (entry.is_folder) {
    folders_.push_back(std::move(key));
    return;
  }
  if (polls() && was_told(open_folder_->descriptor(), entry.name, key))
    return;
  add_candidate(std::move(key));
}

bool Watch::was_told(int folder, const std::string& name, const std::string& key) {
  struct stat status {};
  if (fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return true;  // gone
  const auto found = told_.find(hash_of(key, etag_of(status)));
  if (found == told_.end())
    return false;
  found->second = scan_number_;
  return true;
}

void Watch::end_of_scan() {
  if (!polls())
    return;
  if (retry_folders_.empty()) {
    boost::unordered::erase_if(told_,
                               [&](const auto& entry) { return entry.second != scan_number_; });
  }
  next_poll_ = Steady::now() + std::chrono::milliseconds(options_.poll_interval_ms);
}

// ---- looking and telling ----

std::int32_t Watch::tell(const EachObject& each, std::size_t* told) {
  for (std::size_t looked = 0; looked < kStep && !candidates_.empty(); ++looked) {
    const std::string* key = candidates_.front();
    std::int32_t status = SLUICE_OK;
    const Look look = look_at(*key, each, &status);
    if (look == Look::refused)
      return status;
    if (look != Look::waits)
      waiting_.erase(*key);
    if (look == Look::told)
      ++*told;
    candidates_.pop_front();
    queued_.erase(queued_.find(*key));
  }
  return SLUICE_OK;
}

Watch::Look Watch::look_at(const std::string& key, const EachObject& each, std::int32_t* status) {
  const auto waiting = waiting_.find(key);
  EarlierLook earlier = waiting == waiting_.end() ? EarlierLook() : waiting->second.look;
  struct stat found {};
  Written written = Written::failed;
  Opened opened = root_.open(key, O_RDONLY | O_NONBLOCK);
  if (opened.error == 0) {
    if (fstat(opened.descriptor.get(), &found) == 0 && !S_ISREG(found.st_mode))
      return Look::dropped;
    written = look(opened.descriptor.get(), options_.leases, options_.now_ns(), &earlier, &found);
    if (written == Written::failed)
      opened.error = errno;
  } else if (opened.error == EACCES || opened.error == EPERM) {
    // Not ours to read: told all the same, so that whoever opens it says so.
    opened = root_.open(key, O_PATH);
    if (opened.error == 0 && fstat(opened.descriptor.get(), &found) == 0) {
      if (!S_ISREG(found.st_mode))
        return Look::dropped;
      written = look_by_age(found, options_.now_ns(), &earlier);
    }
  }
  if (written == Written::failed && !passes(opened.error))
    return Look::dropped;  // gone, or a link
  if (written != Written::complete) {
    wait_for(key, earlier);
    return Look::waits;
  }
  const std::string etag = etag_of(found);
  *status =
      each(key, static_cast<std::uint64_t>(found.st_size), etag, modified_ns(found) / 1'000'000);
  if (*status != SLUICE_OK)
    return Look::refused;
  if (polls())
    told_[hash_of(key, etag)] = scan_number_;
  return Look::told;
}

void Watch::wait_for(const std::string& key, const EarlierLook& look) {
  if (waiting_.empty())
    next_recheck_ = Steady::now() + kRecheck;
  const auto [at, added] = waiting_.try_emplace(key);
  if (added)
    at->second.since = Steady::now();
  at->second.look = look;
}

/// Waits for an event, the next recheck or the next poll. False: the deadline has passed.
bool Watch::wait_until(Steady::time_point deadline) {
  Steady::time_point until = deadline;
  if (!waiting_.empty() || !retry_folders_.empty())
    until = std::min(until, next_recheck_);
  if (polls())
    until = std::min(until, next_poll_);
  const Steady::time_point now = Steady::now();
  if (now >= deadline)
    return false;
  int timeout = -1;
  if (until != Steady::time_point::max()) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
  }
  std::array<pollfd, 2> sources = {{{cancel_event_.get(), POLLIN, 0},
                                    {notifier_.descriptor(), POLLIN, 0}}};  // -1 is passed over
  ::poll(sources.data(), sources.size(), timeout);
  return true;
}

}  // namespace sluice::directory
