// The letters of one dead-letter queue: its file, and which of them are in memory. As many as its
// credit holds are in the queue; the rest is in the file only, counts as visible, and is read when
// there is room.
//
// Thread safety: the letters' writer's (and control's before it runs).
#pragma once

#include <map>
#include <unordered_set>

#include "message/evacuator.hpp"
#include "queue/letter_file.hpp"
#include "queue/queue.hpp"

namespace sluice::core {

/// Where letters of one queue stand. A message that stands there points to it.
struct LetterPlace {
  Queue* queue;               ///< the dead-letter queue
  const std::string* source;  ///< where they came from, as in a LetterKey; empty: rejected parts
};

class LetterBox {
 public:
  /// Both outlive it. What the file holds is counted as moved into the queue.
  LetterBox(Queue& queue, LetterFile file, ChunkPool& pool);
  LetterBox(const LetterBox&) = delete;
  LetterBox& operator=(const LetterBox&) = delete;

  Queue& queue() { return queue_; }
  LetterFile& file() { return file_; }
  /// Of letters of a letter_source(); lives as long as the box.
  const LetterPlace& place(std::string_view source);

  /// Puts letters into the queue as far as its credit reaches. Errors: io.
  Result<void> load();
  /// A letter was just appended to the file and is durable: into the queue with its copy, where it is next in line and
  /// there is room; else the copy is released.
  void add(Taken copy, std::int64_t moved_ms);
  /// Takes what waits in the queue's memory out of it again; until resume() nothing is loaded.
  void recall();
  /// What recall() would take.
  std::unordered_set<LetterKey, LetterKeyHash> waiting(std::int64_t now_ms);
  Result<void> resume();
  /// In the queue's memory, in a worker's hands, or on its way back to a queue.
  bool is_in_use(const LetterKey& key) const { return loaded_.contains(key) || redriven_.contains(key); }
  /// A letter goes from the file to another queue.
  void note_redriven(const LetterKey& key);
  /// It is a dead letter again.
  void note_back(const LetterKey& key) { redriven_.erase(key); }
  /// Its removal line was appended.
  void forget(const LetterKey& key);
  /// Removes what is in the file only. How many letters. Errors: io.
  Result<std::uint64_t> purge_file();
  /// Writes the file anew, without what is of no use, if there is room for it.
  Result<void> compact();

 private:
  bool deliver(const LetterLine& letter);
  void enter(Lineage& lineage, std::uint64_t receives, std::int64_t moved_ms) const;

  Queue& queue_;
  LetterFile file_;
  Evacuator evacuator_;
  std::uint64_t read_offset_ = 0;  ///< all letters before it are in memory, deleted, or were
  bool recalled_ = false;
  std::map<const std::string*, LetterPlace> places_;
  std::unordered_set<LetterKey, LetterKeyHash> loaded_;    ///< in the queue's memory, or a worker's hands
  std::unordered_set<LetterKey, LetterKeyHash> redriven_;  ///< in another queue, and not at its end
};

}  // namespace sluice::core
