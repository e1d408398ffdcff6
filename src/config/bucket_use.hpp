// What the project's own components do with the buckets that their options name. The option tables
// of the ABI do not say it, so it stands here; what a foreign plugin does is checked by the host
// when it does it (plugin/access_point.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/host.hpp"

namespace sluice::core {

struct BucketUse {
  std::string_view kind, type;
  std::string_view option;           ///< names the bucket
  sluice_bucket_ref::Action action;  ///< the right it takes
  std::string_view keys;  ///< the option that limits or makes the keys; empty: messages do
};

/// nullptr: the component uses no bucket, or is not the project's.
const BucketUse* find_bucket_use(const sluice_component& component);

/// What is known of all texts that a template makes (plugins/support/key_template.hpp).
struct TemplateEnds {
  std::string start, end;      ///< literal text before its first and behind its last name
  std::string first;           ///< the first name ("key"); empty: the template is one literal
  bool slash_follows = false;  ///< directly behind the first name
};
/// REQUIRES: `text` is a sound template.
TemplateEnds template_ends(std::string_view text);

/// Whether a key made by such a template, for a message about a key below `prefix`, lies below
/// `prefix` and may end with `suffix`.
bool stays_below(const TemplateEnds& ends, std::string_view prefix, std::string_view suffix);

}  // namespace sluice::core
