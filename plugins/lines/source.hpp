// Source "lines": a message per line of a file, a FIFO or standard input.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <mutex>
#include <sluice/plugin.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint.hpp"
#include "input.hpp"
#include "progress.hpp"
#include "splitter.hpp"
#include "support/message_json.hpp"
#include "unsettled.hpp"

namespace sluice::lines {

class LinesSource {
 public:
  explicit LinesSource(const Config& config);

  std::int32_t run(Out& out);                                  // [source]
  void settled(std::uint64_t cookie, std::int32_t /*worst*/);  // [any]
  void finish();                                               // [control]
  void cancel() { input_.cancel(); }                           // [any]

 private:
  using Message = std::expected<support::MessageText, std::string>;

  bool is_file() const { return input_.kind() == Input::Kind::file; }
  Position start();
  std::int32_t emit_left_behind(Out& out);
  std::int32_t take_left_behind(Out& out, const Line& line);
  Input::Wait wait(Out& out);
  std::int32_t at_end(Out& out);
  std::int32_t take(Out& out, const Line& line);
  Message read(const Line& line);
  std::int32_t emit(Out& out, const Line& line, support::MessageText message);
  void refused(std::uint64_t cookie);
  void passed(const Line& line);
  void fault(const Line& line, std::string_view why);
  void tell_faults();
  void take_settled();
  void keep(bool last);
  void save_checkpoint(bool last);
  void keep_if_due();
  void keep_buffered();
  std::size_t in_hand() const { return is_file() ? progress_.in_hand() : unsettled_.in_hand(); }

  const Config config_;
  const bool is_text_;
  const bool stops_;  ///< at a line that cannot be read
  Input input_;       ///< [source], except cancel()
  Checkpoint checkpoint_;
  Unsettled unsettled_;  ///< of what cannot be read again
  Position start_;
  Progress progress_;  ///< of a file
  Splitter splitter_;
  support::JsonReader reader_;
  bool truncated_ = false;  ///< the file is shorter than what was read of it
  std::uint64_t faults_ = 0, faults_told_ = 0;
  std::chrono::steady_clock::time_point last_keep_{};
  std::vector<std::uint64_t> taken_;  ///< swapped with settled_

  std::mutex mutex_;
  std::vector<std::uint64_t> settled_;  ///< guarded by mutex_
};

}  // namespace sluice::lines
