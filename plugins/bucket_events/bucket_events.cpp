// Source type "bucket_events": translates the ABI. What is new is decided in progress.hpp, what an
// event looks like in record.hpp.
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "progress.hpp"
#include "record.hpp"
#include "support/text.hpp"

namespace sluice::bucket_events {
namespace {

using Steady = std::chrono::steady_clock;

/// How long acknowledgements wait for others before they are written to the ledger together.
constexpr auto kWriteInterval = std::chrono::milliseconds(100);
/// A wait for new objects while nothing is in hand. cancel() ends it.
constexpr std::int64_t kIdleWaitMs = 10'000;

struct CloseWatch {
  void operator()(sluice_watch* watch) const { host().watch_close(watch); }
};
using Watch = std::unique_ptr<sluice_watch, CloseWatch>;

/// Opened when the source is made, so that a prefix that no key can have is an error of the start.
Watch open_watch(const Bucket& bucket, std::string_view prefix, std::int64_t poll_interval_ms) {
  sluice_watch* watch = nullptr;
  const std::int32_t status =
      host().watch_open(bucket.get(), str(prefix), poll_interval_ms, &watch);
  if (status == SLUICE_OK)
    return Watch(watch);
  throw Failure(
      status == SLUICE_UNAVAILABLE || status == SLUICE_NOT_FOUND ? status : SLUICE_BAD_OPTION,
      std::string(view(host().last_error())));
}

class BucketEvents {
 public:
  static bool check(const Config& config);

  explicit BucketEvents(const Config& config)
      : config_(config),
        bucket_(config.bucket("bucket")),
        bucket_name_(bucket_.name()),
        prefix_(config.text("prefix")),
        suffix_(config.text("suffix")),
        writer_(config.name(), bucket_name_),
        progress_(config.state_folder()),
        watch_(open_watch(bucket_, prefix_, config.integer("poll_interval"))) {
    if (progress_.ledger().damaged() > 0) {
      config_.log(
          SLUICE_LOG_WARNING,
          fmt::format("{} damaged records of the ledger were passed over: their objects are "
                      "told once more",
                      progress_.ledger().damaged()));
    }
  }

  std::int32_t run(Out& out);
  void settled(std::uint64_t cookie, std::int32_t /*worst*/) { progress_.settled(cookie); }
  void finish() { progress_.write_settled(); }
  void cancel() {
    cancelled_.store(true, std::memory_order_release);
    host().watch_cancel(watch_.get());
  }

 private:
  /// What the callbacks of one host call need; exceptions must not cross the host.
  struct Call {
    BucketEvents* source;
    Out* out;
    std::exception_ptr fault;
    VersionSet present;
  };
  template <class Body>
  static std::int32_t guarded(Call* call, Body body);

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  std::int32_t step(Out& out);
  std::int32_t tell(Out& out, const Object& object);
  std::int32_t emit(Out& out, const Object& object, std::uint64_t cookie);
  void write_settled_if_due();
  void compact();
  bool wanted(std::string_view key) const { return key.ends_with(suffix_); }

  const Config config_;
  const Bucket bucket_;
  const std::string bucket_name_;
  const std::string prefix_;
  const std::string suffix_;
  const RecordWriter writer_;
  Progress progress_;                ///< [source], except settled()
  Steady::time_point last_write_{};  ///< [source]
  const Watch watch_;                ///< [source], except that cancel() wakes it
  std::atomic<bool> cancelled_{false};
};

bool BucketEvents::check(const Config& config) {
  const nlohmann::json events =
      nlohmann::json::parse(config.find_json("events").value_or("null"), nullptr, false);
  bool good = true;
  const auto error = [&](std::string_view text) {
    config.error("events", text);
    good = false;
  };
  if (!events.is_array() || events.empty()) {
    error("must be a list of event names such as [\"s3:ObjectCreated:*\"]");
    return false;
  }
  for (const nlohmann::json& event : events) {
    if (!event.is_string()) {
      error(fmt::format("holds {}, which is no text", event.dump()));
    } else if (!can_be_met(event.get<std::string>())) {
      error(fmt::format("{} never happens in a directory: its one event is \"s3:{}\"",
                        event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                        kEventName));
    }
  }
  return good;
}

std::int32_t BucketEvents::run(Out& out) {
  bool scanned = false;
  while (!cancelled()) {
    const std::int32_t status = step(out);
    switch (status) {
      case SLUICE_OK:
        out.flush();
        break;
      case SLUICE_END:
        out.flush();
        if (!scanned)
          progress_.scanned();
        scanned = true;
        if (progress_.is_compaction_due())
          compact();
        out.exhausted();
        break;
      case SLUICE_WOULD_BLOCK:
        if (scanned && progress_.is_compaction_due())
          compact();
        break;
      case SLUICE_CANCELLED:
        return status;
      default:
        throw Failure(status == SLUICE_FATAL ? SLUICE_FATAL : SLUICE_UNAVAILABLE,
                      std::string(view(host().last_error())));
    }
  }
  return SLUICE_CANCELLED;
}

/// One call of watch_next. The ledger is written before it waits.
std::int32_t BucketEvents::step(Out& out) {
  progress_.write_settled();
  last_write_ = Steady::now();
  // What is in hand is settled on other threads, which wake nobody: look again soon.
  const std::int64_t wait_ms = progress_.in_hand() > 0 ? kWriteInterval.count() : kIdleWaitMs;
  Call call{this, &out, nullptr, {}};
  const std::int32_t status = host().watch_next(
      watch_.get(), wait_ms, &call,
      [](void* user, sluice_str key, std::uint64_t size, sluice_str etag,
         std::int64_t modified_ms) {
        auto* const at = static_cast<Call*>(user);
        return guarded(at, [&] {
          return at->source->tell(*at->out, {view(key), size, view(etag), modified_ms});
        });
      });
  if (call.fault)
    std::rethrow_exception(call.fault);
  return status;
}

template <class Body>
std::int32_t BucketEvents::guarded(Call* call, Body body) {
  try {
    return body();
  } catch (...) {
    call->fault = std::current_exception();
    return SLUICE_FATAL;
  }
}

std::int32_t BucketEvents::tell(Out& out, const Object& object) {
  if (!wanted(object.key))
    return SLUICE_OK;
  write_settled_if_due();
  const std::optional<std::uint64_t> cookie =
      progress_.begin(version_hash(object.key, object.etag));
  if (!cookie)
    return SLUICE_OK;
  const std::int32_t status = emit(out, object, *cookie);
  if (status == SLUICE_OK)
    return status;
  if (status == SLUICE_INVALID || status == SLUICE_TOO_LARGE) {
    // One strange object stops nothing. It stays in hand: tried again after a restart.
    config_.log(SLUICE_LOG_ERROR,
                fmt::format("the event of object {} was refused with status {}: the "
                            "object is left out",
                            support::json_quote(object.key), status));
    return SLUICE_OK;
  }
  progress_.forget(*cookie);
  if (status == SLUICE_CANCELLED)
    return status;
  throw Failure(status, fmt::format("the event of object {} cannot be emitted",
                                    support::json_quote(object.key)));
}

/// A file name may be any bytes, a String attribute not.
sluice_attribute text_or_bytes(std::string_view name, std::string_view value) {
  return attribute(name, value, support::is_utf8(value) ? SLUICE_STRING : SLUICE_BINARY);
}

std::int32_t BucketEvents::emit(Out& out, const Object& object, std::uint64_t cookie) {
  const support::Uuid id = event_id(bucket_name_, object);
  const std::string sequencer = sequencer_of(object);
  const std::string body = writer_.body(object, sequencer, id);
  const std::string size = fmt::format("{}", object.size);
  const sluice_attribute attributes[] = {
      attribute("s3.bucket", bucket_name_),   text_or_bytes("s3.key", object.key),
      text_or_bytes("s3.etag", object.etag),  attribute("s3.size", size, SLUICE_NUMBER),
      attribute("s3.event_name", kEventName), attribute("s3.sequencer", sequencer),
      text_or_bytes("s3.prefix", prefix_),
  };
  std::array<const sluice_attribute*, std::size(attributes)> pointers;
  for (std::size_t i = 0; i < pointers.size(); ++i)
    pointers[i] = &attributes[i];
  sluice_emission emission = sluice::emission();
  emission.body = reinterpret_cast<const std::uint8_t*>(body.data());
  emission.body_size = body.size();
  emission.cookie = cookie;
  emission.id = id.data();
  emission.attribute_count = pointers.size();
  emission.attributes = pointers.data();
  return out.emit(emission);
}

void BucketEvents::write_settled_if_due() {
  const Steady::time_point now = Steady::now();
  if (now - last_write_ < kWriteInterval)
    return;
  last_write_ = now;
  progress_.write_settled();
}

/// Forgets versions that are there no longer. A listing that fails only puts it off.
void BucketEvents::compact() {
  Call call{this, nullptr, nullptr, {}};
  const std::int32_t status = host().object_list(
      bucket_.get(), str(prefix_), str(""), &call,
      [](void* user, sluice_str key, std::uint64_t, sluice_str etag, std::int64_t) {
        auto* const at = static_cast<Call*>(user);
        return guarded(at, [&]() -> std::int32_t {
          at->present.insert(version_hash(view(key), view(etag)));
          return at->source->cancelled() ? SLUICE_CANCELLED : SLUICE_OK;
        });
      });
  if (call.fault)
    std::rethrow_exception(call.fault);
  if (status == SLUICE_OK) {
    progress_.compact(call.present);
    return;
  }
  progress_.put_off_compaction();
  if (status == SLUICE_CANCELLED)
    return;
  config_.log(SLUICE_LOG_WARNING,
              fmt::format("the ledger cannot be compacted: {}", view(host().last_error())));
}

constexpr sluice_option kBucket = option({.name = "bucket",
                                          .type = "bucket",
                                          .required = true,
                                          .help = "The bucket, or \"bucket/access point\"."});
constexpr sluice_option kEvents = option(
    {.name = "events",
     .type = "json",
     .default_json = "[\"s3:ObjectCreated:*\"]",
     .help =
         "List of event names; one may end with *. A directory knows s3:ObjectCreated:Put only."});
constexpr sluice_option kPrefix = option({.name = "prefix",
                                          .type = "string",
                                          .default_json = "\"\"",
                                          .help = "Only keys that begin so."});
constexpr sluice_option kSuffix = option(
    {.name = "suffix", .type = "string", .default_json = "\"\"", .help = "Only keys that end so."});
constexpr sluice_option kPollInterval =
    option({.name = "poll_interval",
            .type = "duration",
            .default_json = "\"1s\"",
            .minimum = "\"10ms\"",
            .maximum = "\"1d\"",
            .help = "How often all folders are read where inotify does not work."});
constexpr const sluice_option* kOptions[] = {&kBucket, &kEvents,       &kPrefix,
                                             &kSuffix, &kPollInterval, nullptr};

const sluice_component kBucketEvents = source<BucketEvents>(
    "bucket_events",
    "Tells each object of a bucket, and then each new version, as an S3 event record. A ledger in "
    "the "
    "state folder keeps what was acknowledged: a restart neither repeats it nor misses what came "
    "meanwhile. One Record per message; attributes s3.bucket s3.key s3.etag s3.size s3.event_name "
    "s3.sequencer s3.prefix; the id is the same for the same version.",
    SLUICE_REPEATS, kOptions);

}  // namespace
}  // namespace sluice::bucket_events

SLUICE_PLUGIN("dev.sluice.bucket_events", "1.0.0", &sluice::bucket_events::kBucketEvents)
