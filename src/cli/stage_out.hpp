// Where one stage's results go when it runs alone, in `sluice stage`: checked as the engine checks
// them (plugin.h, "Results"), then handed to a receiver. One message at a time. [main-thread]
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "cli/stage_message.hpp"
#include "plugin/out.hpp"

namespace sluice::core {

/// Closes a reader of the ABI.
struct CloseReader {
  void operator()(sluice_reader* reader) const;
};

/// What a stage emitted: a body in memory, or a reader.
struct Emitted {
  StageMessage message;
  std::unique_ptr<sluice_reader, CloseReader> reader;
};

class StageOut final : public sluice_out {
 public:
  /// The receiver of each emission: SLUICE_OK, or SLUICE_CANCELLED to end the run.
  using Receive = std::function<int32_t(Emitted&&)>;
  /// The receiver of each part that alone is rejected.
  using ReceivePart =
      std::function<void(const StageMessage& part, std::string reason, std::string detail)>;

  /// `splits`: emissions per message are without bound.
  StageOut(std::string stage, bool splits, Receive receive, ReceivePart receive_part)
      : stage_(std::move(stage)),
        splits_(splits),
        receive_(std::move(receive)),
        receive_part_(std::move(receive_part)) {}

  /// Forgets the last message; results of `parent` follow.
  void begin(const StageMessage& parent);

  int32_t status() const {
    return status_;
  }  ///< SLUICE_OK, SLUICE_RETRY or SLUICE_REJECT, the worst said
  const std::string& reason() const { return reason_; }
  const std::string& detail() const { return detail_; }

  int32_t emit(const sluice_emission& emission, bool may_wait) override;
  int32_t reserve(uint64_t body_size, uint8_t** body) override;
  int32_t commit(uint64_t body_size, const sluice_emission* emission) override;
  int32_t flush() override { return SLUICE_OK; }
  int32_t reject_part(const sluice_emission& part, sluice_str reason, sluice_str detail) override;
  int32_t settle(uint32_t index, int32_t status, int64_t retry_after_ms, sluice_str reason,
                 sluice_str detail) override;
  int32_t progress(uint32_t index, uint64_t done, uint64_t total) override;
  int32_t ignore(uint32_t index) override;
  int32_t exhausted() override { return SLUICE_INVALID; }  // a source's call

 private:
  /// The emission as a message with `body`, or the fault.
  int32_t make(const sluice_emission& emission, std::string body, StageMessage* message);
  int32_t pass(const sluice_emission& emission, std::string body, sluice_reader* reader);

  const std::string stage_;
  const bool splits_;
  const Receive receive_;
  const ReceivePart receive_part_;
  StageMessage parent_;
  std::vector<uint8_t> reserved_;
  uint64_t emitted_ = 0;  ///< of this parent
  int32_t status_ = 0;
  std::string reason_, detail_;
};

}  // namespace sluice::core
