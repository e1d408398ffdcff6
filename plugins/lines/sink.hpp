// Stage "lines": each message as one line at the end of a file.
#pragma once

#include <atomic>
#include <memory>
#include <sluice/plugin.hpp>
#include <string>

#include "appender.hpp"

namespace sluice::lines {

class LinesSink {
 public:
  explicit LinesSink(const Config& config);
  void process(const Batch& batch, Out& out);                         // [worker]
  void cancel() { stopped_.store(true, std::memory_order_relaxed); }  // [any]

 private:
  const std::shared_ptr<Appender> appender_;
  const bool syncs_;
  std::string text_;  ///< of the batch, kept for its memory
  std::atomic<bool> stopped_{false};
};

}  // namespace sluice::lines
