// What `sluice stage` prints: emitted messages on stdout, failures as JSON lines on stderr (DESIGN
// §5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/stage_out.hpp"

namespace sluice::core {

/// [main-thread]
class StagePrinter {
 public:
  /// `jsonl`: every message as a JSON line; else one body at most, raw. `splits`: messages are
  /// printed as they come, not only once the message that they came from has succeeded.
  StagePrinter(bool jsonl, bool splits) : jsonl_(jsonl), splits_(splits) {}

  /// CANCELLED when a second body came without jsonl: several() then.
  int32_t take(Emitted&& emitted);
  /// The message is through: prints what it became, or drops it if it failed.
  Result<void> finish_message(bool succeeded);
  /// Writes the one body.
  Result<void> finish();

  void part_failed(const std::string& file, const StageMessage& part, const std::string& reason,
                   const std::string& detail);
  void message_failed(const std::string& file, const Uuid& id, bool retry,
                      const std::string& reason, const std::string& detail);

  bool several() const { return several_; }
  bool failed() const { return failed_; }

 private:
  Result<void> print_line(Emitted&& emitted);

  const bool jsonl_, splits_;
  bool several_ = false, failed_ = false;
  std::vector<Emitted> pending_;  ///< of the message in hand
  std::optional<Emitted> single_;
};

}  // namespace sluice::core
