// Stage "object_get": the object that a message names, as a streamed body.
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <string>

namespace sluice::object_get {
namespace {

/// What becomes of a message whose object cannot be opened.
struct Outcome {
  bool retry;
  const char* reason;
};

Outcome outcome_of(std::int32_t status) {
  switch (status) {
    case SLUICE_NOT_FOUND:
      return {false, "object_not_found"};
    case SLUICE_DENIED:
      return {false, "access_denied"};
    case SLUICE_INVALID:
      return {false, "invalid_key"};
    case SLUICE_TOO_LARGE:
      return {false, "too_large"};
    case SLUICE_UNAVAILABLE:
      return {true, "bucket_unavailable"};
    default:
      return {true, "open_failed"};
  }
}

class ObjectGet {
 public:
  explicit ObjectGet(const Config& config) : bucket_(config.bucket("bucket")) {}

  void process(const Batch& batch, Out& out) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const std::optional<std::string_view> key = batch[i].attribute("s3.key");
      if (key) {
        get(i, *key, out);
      } else {
        out.ignore(i);  // s3:TestEvent, or none of ours
      }
    }
  }

 private:
  void get(std::uint32_t index, std::string_view key, Out& out) {
    try {
      // No If-Match: a changed object has an event of its own (DESIGN §4).
      Reader reader = bucket_.open(key);
      emit(index, std::move(reader), out);
    } catch (const Failure& failure) {
      if (failure.status() == SLUICE_FATAL || failure.status() == SLUICE_CANCELLED)
        throw;
      const Outcome outcome = outcome_of(failure.status());
      if (outcome.retry) {
        out.retry(index, outcome.reason, failure.what());
      } else {
        out.reject(index, outcome.reason, failure.what());
      }
    }
  }

  static void emit(std::uint32_t index, Reader reader, Out& out) {
    sluice_emission emission = sluice::emission(index);
    emission.body_size = reader.size();
    emission.reader = reader.release();
    const std::int32_t status = out.emit(emission);
    if (status == SLUICE_OK)
      return;  // the host's now
    host().close(emission.reader);
    throw Failure(status, fmt::format("the object cannot be handed on: status {}", status));
  }

  const Bucket bucket_;
};

constexpr sluice_option kBucket =
    option({.name = "bucket",
            .type = "bucket",
            .required = true,
            .help = "The bucket that holds the object, or \"bucket/access point\"."});
constexpr const sluice_option* kOptions[] = {&kBucket, nullptr};

const sluice_component kObjectGet =
    stage<ObjectGet>("object_get",
                     "Reads the object that attribute s3.key names; the body is streamed, the "
                     "attributes stay. A message "
                     "without s3.key is ok, emits nothing and counts as ignored. Not found, denied "
                     "or an impossible key: "
                     "rejected; bucket unavailable: retried.",
                     SLUICE_BLOCKS | SLUICE_STREAMS | SLUICE_MAY_RETRY, kOptions);

}  // namespace
}  // namespace sluice::object_get

SLUICE_PLUGIN("dev.sluice.object_get", "1.0.0", &sluice::object_get::kObjectGet)
