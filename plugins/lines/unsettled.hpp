// What came through a FIFO or standard input and is not acknowledged: it cannot be read again, so
// the source keeps it, and at the end of the process writes down what is left, for the next start.
//
// File "unsettled.jsonl" in the state folder: messages as JSON (DESIGN §4), one per line, each with
// its id, and with its "deduplication_id" and "delay" where it has any. It goes once all that
// stands in it is acknowledged. Lines of it that no message can be made of are written beside it
// before it goes, to "unsettled.damaged.jsonl", or "unsettled.damaged-2.jsonl" and so on where
// there is one already: nobody reads them but who runs the pipeline.
//
// In memory each is its JSON and less than 200 bytes, beside what the queues hold of it: `sluice
// validate` says so. It is there until the message is acknowledged, also where all that is left of
// it is a smaller message in a later queue.
//
// kill -9 loses what is in hand: nothing is written before the end.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <sluice/plugin.hpp>
#include <string>
#include <string_view>

#include "support/message_json.hpp"

namespace sluice::lines {

class Unsettled {
 public:
  explicit Unsettled(const Config& config);

  /// The file that an earlier process left; empty: none.
  const std::string& left_behind() const { return left_behind_; }
  /// A line of it that cannot be emitted: it outlives the file.
  void damaged(std::string_view line) { (damaged_ += line) += '\n'; }
  /// All that stands in it has been emitted, or is damaged.
  void left_behind_emitted() { left_behind_until_ = next_cookie_; }

  /// A message is about to be emitted: the cookie for it.
  std::uint64_t add(const support::MessageText& message);
  /// The message that was last added was refused, or is acknowledged.
  void settled(std::uint64_t cookie);

  std::size_t in_hand() const { return messages_.size(); }
  /// Removes the file if nothing in it is of use any more. Throws Failure IO.
  void tidy();
  /// Writes down what is left. Throws Failure IO, which says how many messages are lost.
  void save();

 private:
  void write();
  void set_damaged_aside();

  const Config config_;
  const std::string folder_, path_;
  std::string left_behind_;
  std::string damaged_;                           ///< lines of that file
  std::uint64_t left_behind_until_ = UINT64_MAX;  ///< cookies below came from the file
  std::uint64_t next_cookie_ = 1;
  std::map<std::uint64_t, std::string> messages_;  ///< as JSON, by cookie
};

}  // namespace sluice::lines
