// The event record of an object, as S3 writes it (DESIGN §4, Event records).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/uuid.hpp"

namespace sluice::bucket_events {

/// One completed object. Borrowed texts.
struct Object {
  std::string_view key;
  std::uint64_t size = 0;
  std::string_view etag;  ///< hex(size)-hex(mtime_ns)
  std::int64_t modified_ms = 0;
};

/// What a directory's events are called: `s3.event_name`, and eventName of the record.
inline constexpr std::string_view kEventName = "ObjectCreated:Put";

/// Whether `pattern` of a source's option `events` ("s3:ObjectCreated:*") can ever be met.
bool can_be_met(std::string_view pattern);

/// UUIDv5 of bucket NUL key NUL etag: the same version of an object has the same id for ever.
support::Uuid event_id(std::string_view bucket, const Object& object);

/// The time of the version as 16 hex digits: of one key, the greater text is the later version.
/// Taken from the etag; where that has another form, from modified_ms.
std::string sequencer_of(const Object& object);

/// Writes records of one source. Immutable; any thread.
class RecordWriter {
 public:
  /// `configuration_id`: the source's name. `bucket`: the bucket's name in the pipeline.
  RecordWriter(std::string_view configuration_id, std::string_view bucket);

  /// {"Records":[...]} with one record. `sequencer` as sequencer_of(), `id` as event_id().
  std::string body(const Object& object, std::string_view sequencer, const support::Uuid& id) const;

 private:
  std::string configuration_id_;  ///< these three are JSON strings, quotes included
  std::string bucket_;
  std::string arn_;
};

}  // namespace sluice::bucket_events
