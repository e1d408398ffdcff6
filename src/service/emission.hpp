// An emission of a plugin, checked, in the form that the engine takes.
#pragma once

#include <sluice/plugin.h>

#include <vector>

#include "message/chunk.hpp"
#include "topic/publisher.hpp"

namespace sluice::core {

/// Scratch space of one emitter, reused.
class EmissionReader {
 public:
  /// SLUICE_OK, SLUICE_INVALID (struct too small, bad attribute, name twice, text that is no UTF-8) or SLUICE_TOO_LARGE.
  /// REQUIRES: it came through the host's table, so that nothing with a size or count is NULL.
  /// `parent` (may be nullptr) lends its attributes and group; the emission's own go over them.
  /// `parts` borrows from the emission, the parent and this object until the next read().
  int32_t read(const sluice_emission& emission, const sluice_message* parent, MessageParts* parts);

 private:
  std::vector<const sluice_attribute*> own_, merged_;
  Uuid id_;
};

/// The emission's body as a publisher takes it: inline, copied outside the slab, or adopted. On any
/// status but OK the body has been let go. `item->external` is the caller's to pass on.
int32_t take_body(const sluice_emission& emission, Publisher::Item* item);

inline int32_t status_of(Publisher::Outcome outcome) {
  switch (outcome) {
    case Publisher::Outcome::ok: return SLUICE_OK;
    case Publisher::Outcome::would_block: return SLUICE_WOULD_BLOCK;
    case Publisher::Outcome::too_large: return SLUICE_TOO_LARGE;
    case Publisher::Outcome::no_memory: return SLUICE_UNAVAILABLE;
  }
  return SLUICE_FATAL;
}

}  // namespace sluice::core
