// Whether a file is still being written (DESIGN §4).
#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace sluice::directory {

/// What was seen of a file at an earlier look.
struct EarlierLook {
  std::int64_t at_ns = 0;  ///< wall clock; 0: there was none
  std::int64_t size = 0;
  std::int64_t changed_ns = 0;
};

enum class Written : std::uint8_t { complete, being_written, failed };

/// Looks at the open file `file` (not O_PATH). complete: *status is that of its completed content.
///
/// 1. A read lease is taken and given back at once. EAGAIN: somebody has the file open for writing.
///    *status is read under the lease, when nobody can have it open for writing. One that opens it
///    for writing in that moment waits for some microseconds (O_NONBLOCK: gets EWOULDBLOCK).
///    A file of 0 bytes made less than 100 ms ago counts as being written: open(O_CREAT) shows the
///    name a moment before it counts as a writer.
/// 2. Where leases are refused (another user's file, some file systems) or `leases` is false:
///    being written = size or time changed within the last second. Of mtime and ctime the later
///    counts, since writers set mtime back. A time in the future (the clock of a server): a second
///    without a change since *earlier is enough.
/// *earlier is what the caller keeps for the next look; it is updated. failed: errno is set.
Written look(int file, bool leases, std::int64_t now_ns, EarlierLook* earlier, struct stat* status);

/// Rule 2 alone, for files that may not be opened: `status` is a fresh one.
Written look_by_age(const struct stat& status, std::int64_t now_ns, EarlierLook* earlier);

}  // namespace sluice::directory
