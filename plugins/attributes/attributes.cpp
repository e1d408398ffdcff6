// Stage "attributes": what stands in a JSON body becomes attributes, for filter policies and
// templates to see.
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <string>
#include <utility>
#include <vector>

#include "pointers.hpp"

namespace sluice::attributes {
namespace {

Pointers pointers_of(const Config& config) {
  auto parsed = Pointers::parse(config.find_json("attributes").value_or("{}"));
  if (!parsed)
    throw Failure(SLUICE_BAD_OPTION, "attributes: " + parsed.error());
  return *std::move(parsed);
}

class Attributes {
 public:
  static bool check(const Config& config) {
    const auto parsed = Pointers::parse(config.find_json("attributes").value_or("{}"));
    if (!parsed)
      config.error("attributes", parsed.error());
    return parsed.has_value();
  }

  explicit Attributes(const Config& config)
      : pointers_(pointers_of(config)),
        required_(config.boolean("required")),
        overwrite_(config.boolean("overwrite")) {}

  void process(const Batch& batch, Out& out) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (const auto done = pointers_.read(reader_, batch[i].text(), found_); !done) {
        out.reject(i, "invalid_body", done.error());
        continue;
      }
      if (required_ && !all_there(batch[i], i, out))
        continue;
      pass_on(batch[i], i, out);
    }
  }

 private:
  /// False, and the message is rejected: the body misses one that the message has not got either.
  bool all_there(const Message& message, std::uint32_t index, Out& out) const {
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (found_[i].there || message.find(pointers_.names()[i]) != nullptr)
        continue;
      out.reject(index, "attribute_missing",
                 fmt::format("the body has no string, number, boolean or list at \"{}\", for "
                             "attribute \"{}\"",
                             pointers_.pointer(i), pointers_.names()[i]));
      return false;
    }
    return true;
  }

  void pass_on(const Message& message, std::uint32_t index, Out& out) {
    views_.clear();
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const std::string& name = pointers_.names()[i];
      if (found_[i].there && (overwrite_ || message.find(name) == nullptr))
        views_.push_back(attribute(name, found_[i].value, found_[i].type));
    }
    given_.clear();
    for (const sluice_attribute& view : views_)
      given_.push_back(&view);
    sluice_emission emission = sluice::emission(index);
    emission.body = message->body;  // the message's own: the host copies it where it must
    emission.body_size = message->body_size;
    emission.attribute_count = static_cast<std::uint32_t>(given_.size());
    emission.attributes = given_.data();
    const std::int32_t status = out.emit(emission);
    if (status == SLUICE_TOO_LARGE) {
      out.reject(index, "too_many_attributes",
                 "with those from the body the message is over the host's limits");
    } else if (status == SLUICE_CANCELLED) {
      throw Failure(status, "cancelled");
    } else if (status != SLUICE_OK) {
      out.retry(index, "emit_failed", fmt::format("the host answered {}", status));
    }
  }

  const Pointers pointers_;
  const bool required_;
  const bool overwrite_;
  support::JsonReader reader_;
  std::vector<Found> found_;
  std::vector<sluice_attribute> views_;
  std::vector<const sluice_attribute*> given_;
};

constexpr sluice_option kAttributes =
    option({.name = "attributes",
            .type = "json",
            .required = true,
            .help = "Attributes and where in the JSON body their values stand, as JSON pointers: "
                    "{\"event\": \"/event\", \"user\": \"/user/id\"}."});
constexpr sluice_option kRequired =
    option({.name = "required",
            .type = "bool",
            .default_json = "false",
            .help = "Reject a message that has one of them neither in its body nor as an attribute "
                    "already; otherwise it goes on without."});
constexpr sluice_option kOverwrite =
    option({.name = "overwrite",
            .type = "bool",
            .default_json = "false",
            .help = "Replace attributes that the message has already; otherwise they stay."});
constexpr const sluice_option* kOptions[] = {&kAttributes, &kRequired, &kOverwrite, nullptr};

const sluice_component kComponent = stage<Attributes>(
    "attributes",
    "Makes attributes of what stands in a JSON body. A string or boolean becomes a String, a "
    "number a "
    "Number with its digits as written, a list of scalars a String.Array; null, objects and lists "
    "with lists or objects in them count as missing. The body passes unchanged; one that is no "
    "JSON "
    "is rejected.",
    0, kOptions);

}  // namespace
}  // namespace sluice::attributes

SLUICE_PLUGIN("dev.sluice.attributes", "1.0.0", &sluice::attributes::kComponent)
