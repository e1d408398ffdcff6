#include "written.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "keys.hpp"

namespace sluice::directory {

namespace {

constexpr std::int64_t kQuietNs = 1'000'000'000;
constexpr std::int64_t kNewbornNs = 100'000'000;

std::int64_t created_or_changed_ns(const struct stat& status) {
  return std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec;
}

enum class Lease { granted, writer, refused, failed };

/// Takes a lease, reads *status under it, gives it back.
Lease status_under_lease(int file, struct stat* status) {
  // The kernel tells the holder that somebody wants to write by SIGIO, which ends a process that
  // does not handle it. SIGURG is ignored unless somebody wants it.
  if (fcntl(file, F_SETSIG, SIGURG) != 0)
    return Lease::refused;
  if (fcntl(file, F_SETLEASE, F_RDLCK) != 0) {
    return errno == EAGAIN ? Lease::writer : Lease::refused;
  }
  const int outcome = fstat(file, status);
  const int error = errno;
  fcntl(file, F_SETLEASE, F_UNLCK);
  errno = error;
  return outcome == 0 ? Lease::granted : Lease::failed;
}

}  // namespace

Written look_by_age(const struct stat& status, std::int64_t now_ns, EarlierLook* earlier) {
  const std::int64_t changed_ns = std::max(modified_ns(status), created_or_changed_ns(status));
  if (now_ns - changed_ns >= kQuietNs)
    return Written::complete;
  const bool same =
      earlier->at_ns != 0 && earlier->size == status.st_size && earlier->changed_ns == changed_ns;
  if (same && now_ns - earlier->at_ns >= kQuietNs)
    return Written::complete;
  if (!same)
    *earlier = {now_ns, status.st_size, changed_ns};
  return Written::being_written;
}

Written look(int file, bool leases, std::int64_t now_ns, EarlierLook* earlier,
             struct stat* status) {
  const Lease lease = leases ? status_under_lease(file, status) : Lease::refused;
  switch (lease) {
    case Lease::writer:
      return Written::being_written;
    case Lease::failed:
      return Written::failed;
    case Lease::granted: {
      const std::int64_t age_ns = now_ns - created_or_changed_ns(*status);
      const bool newborn = status->st_size == 0 && age_ns >= 0 && age_ns < kNewbornNs;
      return newborn ? Written::being_written : Written::complete;
    }
    case Lease::refused:
      break;
  }
  if (fstat(file, status) != 0)
    return Written::failed;
  return look_by_age(*status, now_ns, earlier);
}

}  // namespace sluice::directory
