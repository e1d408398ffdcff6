// The running parts of a pipeline and how they are wired. Built from a description, by build_graph().
//
// Members are in the order of their making; destruction goes backwards, so what is used outlives
// its users: messages' slabs (publishers, workers, timers) outlive nothing that reads them, since all
// threads are joined before.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/storage.hpp"
#include "config/description.hpp"
#include "pipeline/alarms.hpp"
#include "pipeline/engine.hpp"
#include "pipeline/notifier.hpp"
#include "pipeline/scaler.hpp"
#include "pipeline/starter.hpp"
#include "plugin/host.hpp"
#include "queue/dead_letters.hpp"
#include "queue/timers.hpp"
#include "service/pool.hpp"
#include "service/service.hpp"
#include "service/source.hpp"

namespace sluice::core {

struct Graph {
  explicit Graph(Clock& used_clock)
      : clock(used_clock),
        timers(used_clock),
        scaler(timers),
        starter(used_clock),
        alarms(timers, starter) {}

  Clock& clock;
  Atomic<bool> stopping{false};   ///< nothing more is received
  Atomic<bool> aborting{false};   ///< work in hand is to stop
  std::unique_ptr<FolderLock> lock;
  std::vector<Instance> buckets;
  std::map<std::string, sluice_bucket_ref, std::less<>> bucket_refs;  ///< "bucket" and "bucket/access point"
  std::vector<Instance> tables;
  std::map<std::string, sluice_table_ref, std::less<>> table_refs;
  Timers timers;
  std::unique_ptr<Permits> permits;
  std::unique_ptr<ReadySet> ready;
  std::vector<std::unique_ptr<Queue>> queues;
  std::unique_ptr<DeadLetters> dead_letters;
  std::deque<Share> shares;       ///< a service's each
  std::deque<RateLimit> rates;    ///< of those that have one
  std::deque<std::vector<Instance>> made_early;  ///< a service's each: the stages of its first worker, where it begins with none
  std::vector<std::unique_ptr<Service>> services;
  Scaler scaler;
  Starter starter;
  Alarms alarms;
  std::unique_ptr<Pool> pool;
  std::vector<std::unique_ptr<Source>> sources;
  std::vector<std::unique_ptr<Notifier>> notifiers;       ///< one for each topic and queue that alarms publish to
  std::vector<std::vector<Publisher*>> topic_publishers;  ///< by topic: those that publish to it
};

/// Hears of failures that end the run, on whatever thread.
using FailureSink = std::function<void(Error)>;

/// Makes and wires everything; starts nothing.
Result<std::unique_ptr<Graph>> build_graph(PipelineDescription& pipeline, Clock& clock, const RunOptions& options,
                                           FailureSink failed);

}  // namespace sluice::core
