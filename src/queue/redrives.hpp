// The redrives of all dead-letter queues: of each the last one, so that its status can be asked for.
//
// Thread safety: as each function says; [any] where none stands.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "queue/redrive.hpp"

namespace sluice::core {

class Redrives {
 public:
  /// `find` tells the queue of a name that letters may go to. All outlive it.
  Redrives(Redrive::FindQueue find, const Timers& timers, ChunkPool& pool)
      : find_(std::move(find)), timers_(timers), pool_(pool) {}

  /// Errors: unavailable, where one of this box is under way.
  Result<void> begin(LetterBox& box, RedriveRequest request);
  /// Of what was asked for while no engine ran. REQUIRES: none of this box is under way
  void begin_marked(LetterBox& box);
  /// False: none is under way. What was moved stays moved; marks of what was not are taken away.
  bool cancel(const Queue& from);
  /// All of them; marks stay for the next start.
  void cancel_all();

  struct Stepped {
    std::int64_t next_ns;  ///< when to go on; -1: none is under way
    std::size_t ended;     ///< redrives that this step ended
  };
  /// Moves some letters of each. [writer]
  Stepped step();
  /// A letter of `from` that was redriven is one again. [writer]
  void note_back(const Queue& from);

  std::optional<RedriveStatus> status(const Queue& from) const;
  bool is_under_way(const Queue& from) const;
  /// Queues whose redrives go on when the service of a full queue has made room there.
  std::vector<std::string> waiting_for_room() const;

 private:
  void put(LetterBox& box, RedriveRequest request, bool marked);
  bool is_active(const Queue& from) const;

  const Redrive::FindQueue find_;
  const Timers& timers_;
  ChunkPool& pool_;
  mutable std::mutex mutex_;
  std::map<const Queue*, std::shared_ptr<Redrive>> last_;
};

}  // namespace sluice::core
