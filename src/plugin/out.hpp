// What stands behind the ABI's `sluice_out`: the receiver of one process() or run() call's results.
// src/service (stages) and src/pipeline's sources and `sluice stage` implement it; the host table
// (host.cpp) forwards each call. Contracts: plugin.h.
#pragma once

#include <sluice/plugin.h>

namespace sluice::core {

/// Nothing beside a body, a cookie and a parent: the usual case, and the hot one.
inline bool is_plain(const sluice_emission* emission) {
  return emission == nullptr ||
         (emission->struct_size >= sizeof(sluice_emission) && emission->attribute_count == 0 && emission->id == nullptr &&
          emission->group_id.size == 0 && emission->deduplication_id.size == 0 && emission->delay_ms == 0);
}

}  // namespace sluice::core

struct sluice_out {
  virtual int32_t emit(const sluice_emission& emission, bool may_wait) = 0;
  virtual int32_t reserve(uint64_t body_size, uint8_t** body) = 0;
  virtual int32_t commit(uint64_t body_size, const sluice_emission* emission) = 0;
  virtual int32_t flush() = 0;
  virtual int32_t reject_part(const sluice_emission& part, sluice_str reason, sluice_str detail) = 0;
  virtual int32_t settle(uint32_t index, int32_t status, int64_t retry_after_ms, sluice_str reason,
                         sluice_str detail) = 0;
  virtual int32_t progress(uint32_t index, uint64_t done, uint64_t total) = 0;
  virtual int32_t ignore(uint32_t index) = 0;
  virtual int32_t exhausted() = 0;

 protected:
  ~sluice_out() = default;
};
