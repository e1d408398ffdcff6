#include "plugin/access_point.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "plugin/handles.hpp"

namespace sluice::core {

namespace {

bool restricted(const sluice_bucket_ref& ref) {
  return !ref.access_point.empty() || !ref.prefix.empty() || ref.allow != sluice_bucket_ref::all;
}

/// Keys come from messages: they may be long and hold anything.
std::string shown(std::string_view key) {
  constexpr std::size_t kShownMax = 300;
  return key.size() <= kShownMax ? json_quote(key) : json_quote(key.substr(0, kShownMax)) + "...";
}

bool is_plain(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != "..";
}

/// `last` tells whether what stands behind the last slash is a whole segment (a key) or the
/// beginning of one (a prefix, for which it may be empty or ".").
bool segments_are_plain(std::string_view text, bool last_is_whole) {
  std::size_t at = 0;
  for (std::size_t slash; (slash = text.find('/', at)) != std::string_view::npos; at = slash + 1) {
    if (!is_plain(text.substr(at, slash - at))) {
      return false;
    }
  }
  return !last_is_whole || is_plain(text.substr(at));
}

std::string_view action_text(sluice_bucket_ref::Action action) {
  switch (action) {
    case sluice_bucket_ref::get:
      return "get";
    case sluice_bucket_ref::put:
      return "put";
    case sluice_bucket_ref::remove:
      return "delete";
    default:
      return "list";
  }
}

int32_t check_action(const sluice_bucket_ref& ref, sluice_bucket_ref::Action action,
                     std::string_view key) {
  if ((ref.allow & action) != 0) {
    return SLUICE_OK;
  }
  return failed(SLUICE_DENIED, fmt::format("{} does not allow {}: key {}", reference_text(ref),
                                           action_text(action), shown(key)));
}

int32_t bad_segment(const sluice_bucket_ref& ref, std::string_view key) {
  return failed(SLUICE_INVALID,
                fmt::format("{} takes no key with an empty, \".\" or \"..\" segment: key {}",
                            reference_text(ref), shown(key)));
}

int32_t outside(const sluice_bucket_ref& ref, std::string_view what, std::string_view key) {
  return failed(SLUICE_DENIED, fmt::format("{} is limited to prefix {}: {} {}", reference_text(ref),
                                           json_quote(ref.prefix), what, shown(key)));
}

}  // namespace

int32_t check_key(const sluice_bucket_ref& ref, sluice_bucket_ref::Action action,
                  std::string_view key) {
  if (!restricted(ref)) {
    return SLUICE_OK;
  }
  if (const int32_t status = check_action(ref, action, key); status != SLUICE_OK) {
    return status;
  }
  if (!segments_are_plain(key, true)) {
    return bad_segment(ref, key);
  }
  return key.starts_with(ref.prefix) ? SLUICE_OK : outside(ref, "key", key);
}

int32_t check_prefix(const sluice_bucket_ref& ref, sluice_bucket_ref::Action action,
                     std::string_view prefix, std::string* effective) {
  *effective = prefix;
  if (!restricted(ref)) {
    return SLUICE_OK;
  }
  if (const int32_t status = check_action(ref, action, prefix); status != SLUICE_OK) {
    return status;
  }
  if (!segments_are_plain(prefix, false)) {
    return bad_segment(ref, prefix);
  }
  if (std::string_view(ref.prefix).starts_with(prefix)) {
    *effective = ref.prefix;
    return SLUICE_OK;
  }
  return prefix.starts_with(ref.prefix) ? SLUICE_OK : outside(ref, "prefix", prefix);
}

std::string reference_text(const sluice_bucket_ref& ref) {
  return ref.access_point.empty()
             ? fmt::format("bucket {}", json_quote(ref.bucket))
             : fmt::format("access point {}", json_quote(ref.bucket + "/" + ref.access_point));
}

}  // namespace sluice::core
