// Stages that the end-to-end tests put into pipelines.
//   probe        traces what it is given, holds it back, asks for it again or throws; then hands it
//   on count_bytes  a sink that reads bodies to their end and tells their sizes
//   unreliable   fails as its messages ask it to, and at random (unreliable.hpp)
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <sluice/plugin.hpp>

#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "unreliable.hpp"

namespace {

using sluice::Batch;
using sluice::Config;
using sluice::Failure;
using sluice::Message;
using sluice::Out;

void append_line(const std::string& path, const std::string& line) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || ::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw Failure(SLUICE_FATAL, "cannot write " + path);
  }
  ::close(file);
}

/// Waits for a file to be there, or to be told to stop.
class Gate {
 public:
  explicit Gate(std::string path) : path_(std::move(path)), stop_(::eventfd(0, EFD_CLOEXEC)) {}
  ~Gate() { ::close(stop_); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void stop() const { ::eventfd_write(stop_, 1); }
  /// False: told to stop.
  bool wait() const {
    const int changes = ::inotify_init1(IN_CLOEXEC);
    ::inotify_add_watch(changes, std::filesystem::path(path_).parent_path().c_str(),
                        IN_CREATE | IN_MOVED_TO);
    bool stopped = false;
    while (!stopped && !std::filesystem::exists(path_)) {
      pollfd events[] = {{changes, POLLIN, 0}, {stop_, POLLIN, 0}};
      ::poll(events, 2, -1);
      stopped = (events[1].revents & POLLIN) != 0;
      char taken[4096];
      if (events[0].revents != 0 && ::read(changes, taken, sizeof taken) < 0)
        break;
    }
    ::close(changes);
    return !stopped;
  }

 private:
  const std::string path_;
  const int stop_;
};

class Probe {
 public:
  explicit Probe(const Config& config)
      : trace_(config.text("trace")),
        gate_(std::string(config.text("gate"))),
        gated_(!config.text("gate").empty()),
        stubborn_(config.boolean("stubborn")),
        holds_(config.integer("holds")),
        failures_(config.integer("failures")),
        throws_on_(config.text("throws_on")),
        retry_after_ms_(config.integer("retry_after_ms")) {}

  void process(const Batch& batch, Out& out) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      trace(batch[i]);
      if (!throws_on_.empty() && batch[i].attribute("s3.key") == throws_on_)
        throw std::out_of_range("a bug that " + throws_on_ + " brings out");
      if (gated_ && batch[i]->receive_count <= holds_ && !gate_.wait())
        throw Failure(SLUICE_CANCELLED, "told to stop");
      if (batch[i]->receive_count <= failures_) {
        out.retry(i, "not_yet", "the probe was told to fail", retry_after_ms_);
      } else if (const std::int32_t status = out.emit(i, batch[i].body()); status != SLUICE_OK) {
        throw Failure(status, "cannot hand on");
      }
    }
  }
  void cancel() {
    if (!stubborn_)
      gate_.stop();
  }

 private:
  void trace(const Message& message) const {
    if (trace_.empty())
      return;
    append_line(trace_, std::to_string(sluice::host().now_ms()) + " " +
                            std::to_string(message->receive_count) + " " +
                            std::string(message.attribute("s3.key").value_or("-")) + "\n");
  }

  const std::string trace_;
  const Gate gate_;
  const bool gated_, stubborn_;
  const std::int64_t holds_, failures_;
  const std::string throws_on_;
  const std::int64_t retry_after_ms_;
};

class CountBytes {
 public:
  explicit CountBytes(const Config& config) : path_(config.text("path")), buffer_(64 * 1024) {}

  void process(const Batch& batch, Out&) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const std::uint64_t bytes =
          batch[i].streamed() ? read_all(batch[i]->reader) : batch[i]->body_size;
      if (!path_.empty())
        append_line(path_, std::to_string(bytes) + "\n");
    }
  }

 private:
  std::uint64_t read_all(sluice_reader* reader) {
    std::uint64_t bytes = 0;
    while (const std::size_t got = sluice::read(reader, buffer_)) bytes += got;
    return bytes;
  }

  const std::string path_;
  std::vector<std::uint8_t> buffer_;
};

constexpr sluice_option kTrace =
    sluice::option({.name = "trace",
                    .type = "string",
                    .default_json = "\"\"",
                    .help = "A line for each message: time in ms, receive count, key."});
constexpr sluice_option kGate = sluice::option({.name = "gate",
                                                .type = "string",
                                                .default_json = "\"\"",
                                                .help = "Hold messages until this file is there."});
constexpr sluice_option kStubborn =
    sluice::option({.name = "stubborn",
                    .type = "bool",
                    .default_json = "false",
                    .help = "Stay at the gate also when told to stop."});
constexpr sluice_option kHolds = sluice::option({.name = "holds",
                                                 .type = "int",
                                                 .default_json = "1000",
                                                 .help = "Receives of a message that are held."});
constexpr sluice_option kFailures = sluice::option({.name = "failures",
                                                    .type = "int",
                                                    .default_json = "0",
                                                    .help = "Receives of a message that fail."});
constexpr sluice_option kRetryAfter = sluice::option(
    {.name = "retry_after_ms", .type = "int", .default_json = "-1", .help = "As in settle()."});
constexpr sluice_option kThrowsOn =
    sluice::option({.name = "throws_on",
                    .type = "string",
                    .default_json = "\"\"",
                    .help = "Key of the message that ends in an exception."});
constexpr const sluice_option* kProbeOptions[] = {&kTrace,    &kGate,       &kStubborn, &kHolds,
                                                  &kFailures, &kRetryAfter, &kThrowsOn, nullptr};
constexpr sluice_option kPath =
    sluice::option({.name = "path",
                    .type = "string",
                    .default_json = "\"\"",
                    .help = "File that gets a line with the size of each body; empty: none."});
constexpr const sluice_option* kCountOptions[] = {&kPath, nullptr};

const sluice_component kProbe = sluice::stage<Probe>(
    "probe", "Traces, holds and fails on demand.", SLUICE_BLOCKS | SLUICE_MAY_RETRY, kProbeOptions);
const sluice_component kCountBytes =
    sluice::stage<CountBytes>("count_bytes", "Counts the bytes of bodies.",
                              SLUICE_BLOCKS | SLUICE_STREAMS | SLUICE_SINK, kCountOptions);

}  // namespace

SLUICE_PLUGIN("org.sluice.tests.end_to_end", "1.0.0", &kProbe, &kCountBytes,
              &sluice::test::kUnreliable)
