// Dead letters: stored before they count.
//
// Each dead-letter queue has a file `QUEUE.jsonl` in the state folder: one JSON line per letter
// (message_json.hpp), and {"deleted":"<id>"} for each that left. One writer thread appends what
// waits, syncs once for all, and only then lets go of the letters' origins, counts them, and puts
// them into the queue in memory as far as its credit reaches. The rest stays in the file, counts as
// visible, and is read when there is room. A line that is no letter, or that no message can be made
// of, stays in the file, and is told of at each start; it is neither counted nor delivered, so its
// message is stored anew if it comes again.
//
// Thread safety: submit_* from any thread; open() [control]; run() is the writer's.
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "base/log_limit.hpp"
#include "base/storage.hpp"
#include "message/evacuator.hpp"
#include "message/message_json.hpp"
#include "queue/queue.hpp"

namespace sluice::core {

/// A message on its way to a dead-letter queue.
struct DeadLetter {
  Queue* from = nullptr;      ///< counts it as moved; nullptr: a part, which was no message of a queue
  Queue* to = nullptr;
  Taken copy;                 ///< one message of an evacuated chunk, whose receipt goes along
  std::string service, stage, reason, detail;
  std::int64_t last_ms = 0;
  Queue* stood_in = nullptr;  ///< in whose file it stands; another than that of `to` it leaves once it is stored there
};

class DeadLetters {
 public:
  /// `failed` hears of the first error of the storage, on the writer's thread; nothing is stored after it.
  DeadLetters(Storage& storage, std::string folder, Clock& clock, std::function<void(const Error&)> failed);
  ~DeadLetters();

  /// Opens (and compacts) the file of a dead-letter queue and puts what it holds into the queue.
  Result<void> open(Queue& queue);

  void submit(DeadLetter letter);
  /// A letter that was stored left its queue for good.
  void submit_removal(Queue& queue, const Uuid& id);
  /// The queue has run dry in memory and has more in its file.
  void submit_load(Queue& queue);

  /// Writes until stop(); then once more all that waits.
  void run();
  void stop();
  /// One round: everything that waits now. True if there was something. [writer]
  bool write_waiting();

  /// How many letters the file at `path` holds that are not deleted. [control]
  static Result<std::uint64_t> count_in(Storage& storage, const std::string& path);

  /// Letters stored now, in all queues. [any]
  std::uint64_t stored() const { return stored_.load(std::memory_order_relaxed); }
  /// Nothing waits to be written. [any]
  bool quiet() const { return waiting_.load(std::memory_order_acquire) == 0; }

 private:
  struct File {
    Queue* queue;
    std::string path;
    std::unique_ptr<AppendFile> file;
    std::unordered_set<Uuid, UuidHash> ids;  ///< stored and not deleted
    std::uint64_t read_offset = 0;           ///< all letters before it are in memory, deleted, or were
    std::unique_ptr<Evacuator> evacuator;
  };
  struct Job {
    enum class Kind { letter, removal, load } kind;
    std::unique_ptr<DeadLetter> letter;
    Queue* queue = nullptr;
    Uuid id;
    std::uint64_t line_end = 0;  ///< in the file, once written
  };

  void submit(Job job);
  Result<void> compact(File& file);
  Result<void> load(File& file);
  bool deliver(File& file, const MessageText& text);
  Result<void> write(std::vector<Job>& jobs);
  Result<void> append(File& file, std::string_view line, std::vector<File*>& touched);
  Result<void> append_removal(File& file, const Uuid& id, std::vector<File*>& touched);
  Result<void> move_on(const std::vector<Job>& jobs);
  Result<void> load_what_fits();
  static Result<void> sync(const std::vector<File*>& files);
  static std::string line_of(const DeadLetter& letter, Uuid* id);
  void complete(DeadLetter& letter, bool is_new, std::uint64_t line_end);
  void tell(const DeadLetter& letter, const Uuid& id);
  void tell_left_out(const Queue& queue, std::uint64_t left_out) const;

  Storage& storage_;
  const std::string folder_;
  Clock& clock_;
  const std::function<void(const Error&)> failed_;
  // Everybody's.
  moodycamel::ConcurrentQueue<Job> jobs_;
  Atomic<std::uint64_t> waiting_{0};
  Atomic<std::uint64_t> stored_{0};
  Atomic<std::uint32_t> epoch_{0};
  Atomic<bool> stopping_{false};
  // The writer's (and open()'s, before it runs).
  ChunkPool pool_;
  std::map<Queue*, File> files_;
  bool broken_ = false;
  LogLimit log_limit_;
};

}  // namespace sluice::core
