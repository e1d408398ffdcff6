// Bucket type "directory": translates the ABI.
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <ctime>
#include <memory>
#include <string>

#include "listing.hpp"
#include "object.hpp"
#include "watch.hpp"

namespace sluice::directory {
namespace {

/// Entries looked through for stale temporary files when a bucket is made: some milliseconds.
/// The rest is cleaned by listings and scans as they come by.
constexpr std::size_t kCleanedEntriesMax = 10'000;

/// The system's clock and not the host's: it is compared with times that the kernel gave to files.
std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class Directory {
 public:
  using Reader = ObjectReader;
  using Writer = ObjectWriter;
  using Watch = directory::Watch;

  explicit Directory(const Config& config)
      : config_(config),
        root_(std::string(config.text("path"))),
        poll_(config.text("watch") == "poll") {
    remove_stale(root_, now_ns(), kCleanedEntriesMax);
  }

  std::unique_ptr<Reader> open(std::string_view key, std::string_view if_match,
                               std::uint64_t offset, std::uint64_t* size) {
    return open_object(root_, key, if_match, offset, size);
  }

  std::unique_ptr<Writer> begin(std::string_view key, std::string_view /*content_type*/) {
    return std::make_unique<Writer>(root_, std::string(key));
  }

  void remove(std::string_view key) { remove_object(root_, key); }

  std::int32_t list(std::string_view prefix, std::string_view after, const EachObject& each) {
    return list_objects(root_, prefix, after, now_ns(), each);
  }

  std::unique_ptr<Watch> watch(std::string_view prefix, std::int64_t poll_interval_ms) {
    WatchOptions options;
    options.prefix = prefix;
    options.poll_interval_ms = std::max<std::int64_t>(poll_interval_ms, 1);
    options.poll = poll_;
    options.now_ns = now_ns;
    options.log = [this](std::int32_t level, std::string_view text) { config_.log(level, text); };
    return std::make_unique<Watch>(root_, std::move(options));
  }

 private:
  const Config config_;
  const Root root_;
  const bool poll_;
};

constexpr sluice_option kPath =
    option({.name = "path",
            .type = "path",
            .required = true,
            .help = "The folder that holds the objects. It must exist."});
constexpr sluice_option kWatch = option(
    {.name = "watch",
     .type = "enum",
     .default_json = "\"auto\"",
     .choices = "auto poll",
     .help = "How new objects are noticed. auto: inotify, and polling where that does not work; "
             "poll: always by reading all folders every poll interval of the source."});
constexpr const sluice_option* kOptions[] = {&kPath, &kWatch, nullptr};

const sluice_component kDirectory = bucket<Directory>(
    "directory",
    "Keeps objects as files of a folder. A key is a path below it: components of 1 to 255 bytes, "
    "1024 bytes in all; no \"..\", no symbolic link is followed, names that begin with "
    "\".sluice-tmp-\" are kept for files being written. A put appears whole or not at all and "
    "survives the end of the process, not a loss of power. An etag is hex(size)-hex(mtime in ns). "
    "Content types are not kept.",
    0, kOptions);

}  // namespace
}  // namespace sluice::directory

SLUICE_PLUGIN("dev.sluice.directory", "1.0.0", &sluice::directory::kDirectory)
