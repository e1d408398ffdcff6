#include "record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "support/text.hpp"

namespace sluice::bucket_events {

namespace {

constexpr std::string_view kFullName = "s3:ObjectCreated:Put";

}  // namespace

bool can_be_met(std::string_view pattern) {
  if (pattern.ends_with('*')) {
    pattern.remove_suffix(1);
    return pattern.starts_with("s3:") && kFullName.starts_with(pattern);
  }
  return pattern == kFullName;
}

support::Uuid event_id(std::string_view bucket, const Object& object) {
  std::string name(bucket);
  name += '\0';
  name += object.key;
  name += '\0';
  name += object.etag;
  return support::uuid5(support::kNameSpace, name);
}

std::string sequencer_of(const Object& object) {
  std::uint64_t modified_ns = static_cast<std::uint64_t>(object.modified_ms) * 1'000'000;
  const std::size_t dash = object.etag.find('-');
  if (dash != std::string_view::npos) {
    const char* const end = object.etag.data() + object.etag.size();
    std::uint64_t parsed = 0;
    const auto [stop, error] = std::from_chars(object.etag.data() + dash + 1, end, parsed, 16);
    if (error == std::errc() && stop == end)
      modified_ns = parsed;
  }
  return fmt::format("{:016x}", modified_ns);
}

RecordWriter::RecordWriter(std::string_view configuration_id, std::string_view bucket)
    : configuration_id_(support::json_quote(configuration_id)),
      bucket_(support::json_quote(bucket)),
      arn_(support::json_quote(fmt::format("arn:aws:s3:::{}", bucket))) {}

std::string RecordWriter::body(const Object& object, std::string_view sequencer,
                               const support::Uuid& id) const {
  const std::string id_text = support::to_text(std::span<const std::uint8_t, 16>(id));
  // S3's request ids are 16 upper-case hex digits.
  std::string request_id;
  for (std::size_t i = 0; i < 8; ++i)
    request_id += fmt::format("{:02X}", id[i]);
  return fmt::format(
      R"({{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"local",)"
      R"("eventTime":"{}","eventName":"{}","userIdentity":{{"principalId":"sluice"}},)"
      R"("requestParameters":{{"sourceIPAddress":"127.0.0.1"}},)"
      R"("responseElements":{{"x-amz-request-id":"{}","x-amz-id-2":"{}"}},)"
      R"("s3":{{"s3SchemaVersion":"1.0","configurationId":{},)"
      R"("bucket":{{"name":{},"ownerIdentity":{{"principalId":"sluice"}},"arn":{}}},)"
      R"("object":{{"key":"{}","size":{},"eTag":{},"sequencer":"{}"}}}}}}]}})",
      support::iso_time(object.modified_ms), kEventName, request_id, id_text, configuration_id_,
      bucket_, arn_, support::encode_key(object.key), object.size, support::json_quote(object.etag),
      sequencer);
}

}  // namespace sluice::bucket_events
