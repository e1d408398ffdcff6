#include "ledger.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sluice::bucket_events {

namespace {

constexpr std::string_view kHead = "sluice-ledger-1\n";
constexpr std::size_t kRecordBytes = 20;
constexpr std::size_t kBufferRecords = 8192;
static_assert(kHead.size() == 16);

using Record = std::array<char, kRecordBytes>;

void put_little_endian(char* to, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    to[i] = static_cast<char>(value >> (8 * i));
}

std::uint64_t get_little_endian(const char* from, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
  }
  return value;
}

std::uint32_t check_of(const char* record) {
  return static_cast<std::uint32_t>(XXH3_64bits(record, 16));
}

void append_record(std::string& to, const VersionHash& version) {
  Record record;
  put_little_endian(record.data(), version.low, 8);
  put_little_endian(record.data() + 8, version.high, 8);
  put_little_endian(record.data() + 16, check_of(record.data()), 4);
  to.append(record.data(), record.size());
}

[[noreturn]] void fail_io(std::string_view doing, const std::string& path) {
  const int error = errno;
  throw Failure(SLUICE_IO,
                fmt::format("cannot {} \"{}\": {}", doing, path,
                            std::strerror(error)));  // NOLINT(concurrency-mt-unsafe)
}

/// A file that closes itself.
class File {
 public:
  explicit File(int number) : number_(number) {}
  ~File() {
    if (number_ >= 0)
      ::close(number_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

}  // namespace

VersionHash version_hash(std::string_view key, std::string_view etag) {
  std::string text(key);
  text += '\0';
  text += etag;
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.low64, hash.high64};
}

Ledger::Ledger(std::string_view folder) : folder_(folder), path_(folder_ + "/ledger") {
  File file(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0)
    fail_io("open", path_);
  file_ = file.get();
  read();
  file.release();
}

Ledger::~Ledger() {
  ::close(file_);
}

void Ledger::read() {
  std::string buffer(kBufferRecords * kRecordBytes, '\0');
  const ssize_t head = ::pread(file_, buffer.data(), kHead.size(), 0);
  if (head < 0)
    fail_io("read", path_);
  if (kHead != std::string_view(buffer.data(), static_cast<std::size_t>(head))) {
    // The process may have died while it wrote the head; anything else is not ours to overwrite.
    if (!kHead.starts_with(std::string_view(buffer.data(), static_cast<std::size_t>(head)))) {
      throw Failure(
          SLUICE_IO,
          fmt::format("\"{}\" is no ledger of this version: move it away, and every object "
                      "is told once more",
                      path_));
    }
    if (ftruncate(file_, 0) != 0)
      fail_io("cut", path_);
    write_all(file_, kHead, path_);
    file_bytes_ = kHead.size();
    return;
  }
  file_bytes_ = kHead.size();
  while (true) {
    const ssize_t got =
        ::pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(file_bytes_));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      fail_io("read", path_);
    const std::size_t records = static_cast<std::size_t>(got) / kRecordBytes;
    for (std::size_t i = 0; i < records; ++i) {
      const char* record = buffer.data() + i * kRecordBytes;
      if (get_little_endian(record + 16, 4) != check_of(record)) {
        ++damaged_;
        continue;
      }
      versions_.insert({get_little_endian(record, 8), get_little_endian(record + 8, 8)});
    }
    file_bytes_ += records * kRecordBytes;
    if (records == 0)
      break;
  }
  if (ftruncate(file_, static_cast<off_t>(file_bytes_)) != 0)
    fail_io("cut", path_);
  if (lseek(file_, static_cast<off_t>(file_bytes_), SEEK_SET) < 0)
    fail_io("seek in", path_);
}

void Ledger::write_all(int file, std::string_view bytes, const std::string& path) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail_io("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Ledger::append(std::span<const VersionHash> versions) {
  std::string text;
  text.reserve(versions.size() * kRecordBytes);
  for (const VersionHash& version : versions)
    append_record(text, version);
  try {
    write_all(file_, text, path_);
  } catch (...) {
    // Half a record would shift all that are written later. If even this fails, their checks will
    // be wrong and their objects come again.
    if (ftruncate(file_, static_cast<off_t>(file_bytes_)) == 0) {
      lseek(file_, static_cast<off_t>(file_bytes_), SEEK_SET);
    }
    throw;
  }
  file_bytes_ += text.size();
  versions_.insert(versions.begin(), versions.end());
}

void Ledger::compact(const std::function<bool(const VersionHash&)>& keep) {
  const std::string path = path_ + ".new";
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0)
    fail_io("open", path);
  std::uint64_t bytes = 0;
  std::string text(kHead);
  const auto flush = [&] {
    write_all(file.get(), text, path);
    bytes += text.size();
    text.clear();
  };
  for (const VersionHash& version : versions_) {
    if (!keep(version))
      continue;
    append_record(text, version);
    if (text.size() >= kBufferRecords * kRecordBytes)
      flush();
  }
  flush();
  if (fsync(file.get()) != 0)
    fail_io("sync", path);
  if (::rename(path.c_str(), path_.c_str()) != 0)
    fail_io("rename", path);
  const File parent(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() >= 0)
    fsync(parent.get());  // without it a loss of power brings the old file back
  ::close(std::exchange(file_, file.release()));
  file_bytes_ = bytes;
  boost::unordered::erase_if(versions_, [&](const VersionHash& version) { return !keep(version); });
}

}  // namespace sluice::bucket_events
