#include "sink.hpp"

#include "support/message_json.hpp"

namespace sluice::lines {

LinesSink::LinesSink(const Config& config)
    : appender_(Appender::open(std::string(config.text("path")))),
      syncs_(config.text("fsync") == "batch") {}

void LinesSink::process(const Batch& batch, Out& out) {
  text_.clear();
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    support::append_message_json(text_, *batch[i].get());
    text_ += '\n';
  }
  try {
    appender_->append(text_, stopped_);
    if (syncs_)
      appender_->sync();
  } catch (const Failure& failure) {
    if (failure.status() == SLUICE_CANCELLED)
      throw;
    for (std::uint32_t i = 0; i < batch.size(); ++i)
      out.retry(i, "write_failed", failure.what());
  }
}

}  // namespace sluice::lines
