// What a bucket reference lets through: the prefix and the actions of an access point.
#pragma once

#include <sluice/plugin.h>

#include <string>
#include <string_view>

#include "plugin/host.hpp"

namespace sluice::core {

/// SLUICE_OK if `action` on `key` is within `ref`. DENIED outside its prefix or actions, INVALID
/// for a key with an empty, "." or ".." segment, which could leave the prefix once a bucket
/// resolves it; both with a text that names the access point and the key.
int32_t check_key(const sluice_bucket_ref& ref, sluice_bucket_ref::Action action,
                  std::string_view key);

/// The same for all keys under `prefix`; `*effective` is the part of it that `ref` may see: the
/// longer of both prefixes. DENIED where there is none.
int32_t check_prefix(const sluice_bucket_ref& ref, sluice_bucket_ref::Action action,
                     std::string_view prefix, std::string* effective);

/// "bucket \"graphics\"" or "access point \"graphics/design\"".
std::string reference_text(const sluice_bucket_ref& ref);

}  // namespace sluice::core
