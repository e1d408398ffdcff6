// Stage "object_put": writes each body to a bucket, under a key made by a template.
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <optional>
#include <string>
#include <vector>

#include "support/key_template.hpp"
#include "support/worker_name.hpp"

namespace sluice::object_put {
namespace {

using support::KeyTemplate;
using support::TemplateInput;

constexpr std::size_t kChunkBytes = 256 * 1024;
/// A streamed body is read into memory up to this size if the template asks for {body:...}.
constexpr std::uint64_t kTemplateBodyMax = std::uint64_t{16} << 20;
/// Bytes written between two signs of life to the host.
constexpr std::uint64_t kProgressBytes = std::uint64_t{16} << 20;

/// Ends the work on one message, with its outcome.
struct Give {
  bool retry;
  std::string reason;
  std::string detail;
};

[[noreturn]] void give(const Failure& failure) {
  switch (failure.status()) {
    case SLUICE_FATAL:
    case SLUICE_CANCELLED:
      throw failure;
    case SLUICE_NOT_FOUND:
      throw Give{false, "object_not_found", failure.what()};
    case SLUICE_DENIED:
      throw Give{false, "access_denied", failure.what()};
    case SLUICE_INVALID:
      throw Give{false, "invalid_key", failure.what()};
    case SLUICE_TOO_LARGE:
      throw Give{false, "too_large", failure.what()};
    case SLUICE_UNAVAILABLE:
      throw Give{true, "bucket_unavailable", failure.what()};
    default:
      throw Give{true, "put_failed", failure.what()};
  }
}

/// A body, in memory or streamed.
class Body {
 public:
  explicit Body(const Message& message) : message_(message) {}

  /// The whole body; a streamed one is read into memory. Throws Failure; TOO_LARGE over the limit.
  std::string_view in_memory() {
    if (!message_.streamed())
      return message_.text();
    while (const std::size_t got = more()) {
      if (held_.size() + got > kTemplateBodyMax) {
        throw Failure(SLUICE_TOO_LARGE,
                      fmt::format("a key template with {{body:...}} reads at most {} "
                                  "bytes",
                                  kTemplateBodyMax));
      }
      held_.append(reinterpret_cast<const char*>(chunk_.data()), got);
    }
    read_ = true;
    return held_;
  }

  /// The next piece, empty at the end. Valid until the next call. Throws Failure.
  std::span<const std::uint8_t> next() {
    if (message_.streamed() && !read_) {
      const std::size_t got = more();  // first: it makes the room that data() names
      return {chunk_.data(), got};
    }
    if (ended_)
      return {};
    ended_ = true;
    if (!message_.streamed())
      return message_.body();
    return {reinterpret_cast<const std::uint8_t*>(held_.data()), held_.size()};
  }

 private:
  std::size_t more() {
    if (chunk_.empty())
      chunk_.resize(kChunkBytes);
    return sluice::read(message_->reader, chunk_);
  }

  Message message_;
  std::vector<std::uint8_t> chunk_;
  std::string held_;
  bool read_ = false;  ///< held_ is the body
  bool ended_ = false;
};

std::optional<KeyTemplate> find_template(const Config& config, const char* option) {
  const std::optional<std::string_view> text = config.find_text(option);
  if (!text)
    return std::nullopt;
  auto parsed = KeyTemplate::parse(*text);
  if (!parsed)
    throw Failure(SLUICE_BAD_OPTION, fmt::format("{}: {}", option, parsed.error()));
  return *std::move(parsed);
}

class ObjectPut {
 public:
  static bool check(const Config& config) {
    bool good = true;
    for (const char* option : {"key", "content_type"}) {
      const std::optional<std::string_view> text = config.find_text(option);
      if (!text)
        continue;
      const auto parsed = KeyTemplate::parse(*text);
      if (parsed)
        continue;
      config.error(option, parsed.error());
      good = false;
    }
    return good;
  }

  explicit ObjectPut(const Config& config)
      : bucket_(config.bucket("bucket")),
        key_(*find_template(config, "key")),
        content_type_(find_template(config, "content_type")),
        worker_(support::worker_name(
            config.name(), fmt::format("{}\n{}", config.text("bucket"), config.text("key")))) {}

  void process(const Batch& batch, Out& out) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      try {
        put(batch[i], i, out);
      } catch (const Give& given) {
        if (given.retry) {
          out.retry(i, given.reason, given.detail);
        } else {
          out.reject(i, given.reason, given.detail);
        }
      }
    }
  }

 private:
  void put(const Message& message, std::uint32_t index, Out& out) const {
    Body body(message);
    try {
      const std::string key = expand(key_, message, body);
      Writer writer = bucket_.create(key, content_type(message, body));
      if (write(writer, body, message, index, out))
        writer.commit();
    } catch (const Failure& failure) {
      give(failure);
    }
  }

  std::string expand(const KeyTemplate& text, const Message& message, Body& body) const {
    TemplateInput input{message, std::nullopt, worker_, host().now_ms()};
    if (text.needs_body())
      input.body = body.in_memory();
    auto expanded = text.expand(input);
    if (!expanded)
      throw Give{false, "template_value_missing", expanded.error()};
    return *std::move(expanded);
  }

  /// The option's text; without it, what a stage before said of its body.
  std::string content_type(const Message& message, Body& body) const {
    if (content_type_)
      return expand(*content_type_, message, body);
    return std::string(message.attribute("content_type").value_or(""));
  }

  /// False: the lease is gone, nothing is to become visible.
  static bool write(Writer& writer, Body& body, const Message& message, std::uint32_t index,
                    Out& out) {
    std::uint64_t done = 0, told = 0;
    for (auto piece = body.next(); !piece.empty(); piece = body.next()) {
      writer.write(piece);
      done += piece.size();
      if (done - told < kProgressBytes)
        continue;
      told = done;
      const std::uint64_t total = message->body_size == UINT64_MAX ? 0 : message->body_size;
      const std::int32_t status = out.progress(index, done, total);
      if (status == SLUICE_CANCELLED)
        throw Failure(status, "cancelled");
      if (status == SLUICE_STALE)
        return false;
    }
    return true;
  }

  const Bucket bucket_;
  const KeyTemplate key_;
  const std::optional<KeyTemplate> content_type_;
  const std::string worker_;
};

constexpr sluice_option kBucket =
    option({.name = "bucket",
            .type = "bucket",
            .required = true,
            .help = "The bucket to write to, or \"bucket/access point\"."});
constexpr sluice_option kKey =
    option({.name = "key",
            .type = "template",
            .required = true,
            .help = "Template of the key, for example \"icons-size-16/{key_after_prefix}\"."});
constexpr sluice_option kContentType =
    option({.name = "content_type",
            .type = "template",
            .help = "Template of the content type; by default attribute content_type, if there is "
                    "one. A directory keeps none."});
constexpr const sluice_option* kOptions[] = {&kBucket, &kKey, &kContentType, nullptr};

const sluice_component kObjectPut = stage<ObjectPut>(
    "object_put",
    "Writes each body to a bucket; what was there under the key is replaced when the whole body is "
    "written. Emits nothing. A value that the template misses, a denied or impossible key: "
    "rejected; a "
    "full disk or another fault that may pass: retried.",
    SLUICE_BLOCKS | SLUICE_SINK | SLUICE_STREAMS | SLUICE_MAY_RETRY, kOptions);

}  // namespace
}  // namespace sluice::object_put

SLUICE_PLUGIN("dev.sluice.object_put", "1.0.0", &sluice::object_put::kObjectPut)
