// A service's stages, run one after the other on one thread, without a queue in between. One worker's.
//
// run() takes a received batch through the chain. What a stage emits is gathered in memory and is the
// next stage's batch; what the last one emits goes to the publisher. Each received message has one
// outcome: the worst of itself and of all that came from it (retry > reject > ok).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/arena.hpp"
#include "plugin/host.hpp"
#include "plugin/out.hpp"
#include "queue/consumer.hpp"
#include "service/emission.hpp"
#include "service/permits.hpp"

namespace sluice::core {

struct ChainOptions {
  std::string service;
  std::int64_t max_body_bytes;
  Permits* permits = nullptr;       ///< for stages that compute; nullptr: the thread holds one
  Share* share = nullptr;           ///< of the service; where there are permits
  Clock* clock = nullptr;           ///< the same
  const Atomic<bool>* aborting;     ///< stages are told to stop
  bool may_wait = false;            ///< emit may wait for credit
};

class Chain final : public sluice_out {
 public:
  Chain(std::vector<Instance> stages, Consumer& consumer, Publisher* publisher, ChainOptions options);
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  /// The batch's messages, in the order of the consumer's leases. Returns OK, or the FATAL or
  /// CANCELLED of a stage; then nothing must be settled as ok. A CANCELLED that nobody asked for is
  /// a retry of what reached that stage.
  int32_t run(const sluice_message* const* messages, std::uint32_t count);
  /// After run(): the failures, sorted, and how many messages were ignored.
  std::span<Failure> failures();
  std::uint32_t ignored() const { return ignored_; }
  /// Ends the batch: readers are closed, kept bodies released. After Consumer::end().
  void finish();

  /// Around a wait in the midst of a stage: one that computes holds no core meanwhile.
  void wait_begins();
  void wait_ends();
  /// Between two batches: the core goes to who comes first by now, and the thread waits for its turn. Where that is this
  /// service it is kept, for the next stage that computes: who lets go of it and asks again is put behind all that wait.
  void give_way();
  /// Before any other wait.
  void give_core_back();

  /// Asks stages that are at work to return soon. [any]
  void cancel() const;
  bool blocks() const { return blocks_; }
  /// A stage rejected a part once.
  bool rejects_parts() const { return rejects_parts_; }

  // sluice_out, called by the stage that runs now.
  int32_t emit(const sluice_emission& emission, bool may_wait) override;
  int32_t reserve(uint64_t body_size, uint8_t** body) override;
  int32_t commit(uint64_t body_size, const sluice_emission* emission) override;
  int32_t flush() override;
  int32_t reject_part(const sluice_emission& part, sluice_str reason, sluice_str detail) override;
  int32_t settle(uint32_t index, int32_t status, int64_t retry_after_ms, sluice_str reason, sluice_str detail) override;
  int32_t progress(uint32_t index, uint64_t done, uint64_t total) override;
  int32_t ignore(uint32_t index) override;
  int32_t exhausted() override { return SLUICE_INVALID; }

 private:
  struct Stage {
    Instance instance;
    const char* type;  ///< its descriptor's: libraries stay loaded
    bool computes;  ///< neither BLOCKS nor SPLITS
    bool splits, streams, sink;
  };
  struct Kept {
    void (*release)(void* owner);
    void* owner;
  };

  int32_t run_stage(std::size_t stage);
  int32_t process(Stage& stage, const sluice_batch& batch);
  int32_t read_body(sluice_reader& reader, std::string* body);
  void take_core();
  void charge_core();
  void materialise(std::vector<const sluice_message*>& batch, std::vector<std::uint32_t>& roots);
  void close_readers();
  int32_t check_emission(const sluice_emission& emission);
  bool owns(const sluice_reader* reader) const;
  int32_t keep_for_next(const sluice_emission& emission, const MessageParts& parts);
  int32_t publish(const sluice_emission& emission, MessageParts& parts, bool may_wait);
  Uuid derived_id(std::uint32_t parent, std::uint32_t ordinal) const;
  std::uint32_t root_of(std::uint32_t index) const { return roots_ == nullptr ? index : roots_[index]; }
  void fail(std::uint32_t root, Outcome outcome);
  void retry_all(const char* reason);
  bool aborting() const { return options_.aborting->load(std::memory_order_relaxed); }
  Lineage lineage_of_root(std::uint32_t root) const;
  int32_t wait_for_room_for_parts();
  bool is_last() const { return stage_ + 1 == stages_.size(); }

  // Constant after construction.
  std::vector<Stage> stages_;
  Consumer& consumer_;
  Publisher* publisher_;
  const ChainOptions options_;
  bool blocks_ = false;
  bool rejects_parts_ = false;
  // Of the stage that runs now.
  std::size_t stage_ = 0;
  const sluice_message* const* messages_ = nullptr;
  const std::uint32_t* roots_ = nullptr;  ///< nullptr: the received messages themselves
  std::uint32_t count_ = 0;
  std::vector<std::uint32_t> ordinals_;   ///< emissions so far, per message
  std::vector<std::uint8_t> reserved_;    ///< a body being written in place
  std::optional<std::uint64_t> reserved_bytes_;  ///< of it; none: nothing is reserved
  bool has_core_ = false, lends_core_ = false;  ///< it holds a permit; it did, and waits for something
  std::int64_t core_start_ = 0;                 ///< of it in the order of the permits
  std::int64_t core_since_ns_ = 0;
  // Of the batch.
  std::vector<const sluice_message*> current_, next_;
  std::vector<std::uint32_t> current_roots_, next_roots_;
  std::vector<Failure> failures_;
  std::vector<sluice_reader*> readers_;
  std::vector<Kept> kept_;
  std::uint32_t ignored_ = 0;
  Arena arena_;
  EmissionReader emission_reader_;
};

}  // namespace sluice::core
