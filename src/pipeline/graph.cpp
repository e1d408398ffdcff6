#include "pipeline/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/cpu.hpp"
#include "base/log.hpp"
#include "config/topology.hpp"

namespace sluice::core {
namespace {

/// How finely ages of what came back are told apart.
constexpr std::int64_t kAgesTurnMs = 1000;

class Builder {
 public:
  Builder(PipelineDescription& pipeline, Clock& clock, const RunOptions& options, FailureSink failed)
      : pipeline_(pipeline),
        options_(options),
        failed_(std::move(failed)),
        graph_(std::make_unique<Graph>(clock)) {}

  Result<std::unique_ptr<Graph>> build() {
    for (auto step : {&Builder::open_state, &Builder::make_buckets, &Builder::make_tables, &Builder::make_queues,
                      &Builder::make_services, &Builder::make_sources, &Builder::make_alarms, &Builder::open_queues}) {
      if (Result<void> done = (this->*step)(); !done) {
        return std::unexpected(done.error());
      }
    }
    return std::move(graph_);
  }

 private:
  Result<void> open_state() {
    if (Result<void> made = file_storage().make_folders(pipeline_.state); !made) {
      return made;
    }
    Result<std::unique_ptr<FolderLock>> lock = file_storage().lock_folder(pipeline_.state);
    if (!lock) {
      return std::unexpected(lock.error());
    }
    graph_->lock = std::move(*lock);
    return {};
  }

  Result<void> make_buckets() {
    for (BucketDescription& description : pipeline_.buckets) {
      Result<Instance> instance = create(std::move(description.options));
      if (!instance) {
        return std::unexpected(instance.error());
      }
      graph_->buckets.push_back(std::move(*instance));
      const Instance& made = graph_->buckets.back();
      sluice_bucket_ref whole;
      whole.functions = &made.functions<sluice_bucket>();
      whole.self = made.self();
      whole.bucket = description.name;
      for (const AccessPointDescription& point : description.access_points) {
        sluice_bucket_ref part = whole;
        part.access_point = point.name;
        part.prefix = point.prefix;
        part.allow = point.allow;
        graph_->bucket_refs.emplace(fmt::format("{}/{}", description.name, point.name), part);
      }
      graph_->bucket_refs.emplace(description.name, whole);
    }
    return {};
  }

  Result<void> make_tables() {
    for (TableDescription& description : pipeline_.tables) {
      Result<Instance> instance = create(std::move(description.options));
      if (!instance) {
        return std::unexpected(instance.error());
      }
      graph_->tables.push_back(std::move(*instance));
      const Instance& made = graph_->tables.back();
      graph_->table_refs.emplace(
          description.name, sluice_table_ref{&made.functions<sluice_table>(), made.self(), description.name});
    }
    return {};
  }

  Result<Instance> create(std::unique_ptr<sluice_config> config) {
    return create(*graph_, pipeline_, std::move(config));
  }

  /// Also while it runs.
  static Result<Instance> create(Graph& graph, const PipelineDescription& pipeline, std::unique_ptr<sluice_config> config) {
    config->bucket = [refs = &graph.bucket_refs](std::string_view reference) -> sluice_bucket_ref* {
      auto found = refs->find(reference);
      return found != refs->end() ? &found->second : nullptr;
    };
    config->table = [refs = &graph.table_refs](std::string_view reference) -> sluice_table_ref* {
      auto found = refs->find(reference);
      return found != refs->end() ? &found->second : nullptr;
    };
    config->state_root = pipeline.state;
    return Instance::create(std::move(config));
  }

  /// A worker's. Also while it runs.
  static Result<std::vector<Instance>> make_stages(Graph& graph, const PipelineDescription& pipeline,
                                                   const ServiceDescription& description) {
    std::vector<Instance> stages;
    for (const std::unique_ptr<sluice_config>& stage : description.stages) {
      Result<Instance> instance = create(graph, pipeline, std::make_unique<sluice_config>(*stage));
      if (!instance) {
        return std::unexpected(instance.error());
      }
      stages.push_back(std::move(*instance));
    }
    return stages;
  }

  Result<void> make_queues() {
    for (const QueueDescription& description : pipeline_.queues) {
      QueueOptions options{description.name, description.capacity, description.capacity_bytes,
                           description.visibility_timeout_ms,
                           description.redrive_policy ? description.redrive_policy->max_receive_count : 0,
                           description.delay_ms, description.retention_ms, description.in_flight_max,
                           description.when_full, description.fifo, description.content_based_deduplication,
                           description.deduplication_capacity};
      graph_->queues.push_back(std::make_unique<Queue>(std::move(options)));
      sweep(*graph_->queues.back());
    }
    graph_->timers.every(kAgesTurnMs, [graph = graph_.get()] {
      for (const std::unique_ptr<Queue>& queue : graph->queues) {
        queue->turn_ages();
      }
    });
    std::string folder = pipeline_.state + "/dead-letters";
    graph_->dead_letters = std::make_unique<DeadLetters>(file_storage(), std::move(folder), graph_->timers,
                                                         [failed = failed_](const Error& error) { failed(error); });
    for (const std::unique_ptr<Queue>& queue : graph_->queues) {
      graph_->dead_letters->add_target(*queue);
    }
    return {};
  }

  /// Nothing is handed out past its retention; what nobody asks for goes at times.
  void sweep(Queue& queue) {
    constexpr std::int64_t kSecondMs = 1000, kHourMs = 3600 * kSecondMs, kPart = 64;
    if (queue.options().retention_ms != 0) {
      graph_->timers.every(std::clamp(queue.options().retention_ms / kPart, kSecondMs, kHourMs),
                           [&queue, &timers = graph_->timers] { queue.sweep(timers.now_ms()); });
    }
  }

  /// The queues that a target fans out to.
  std::vector<Queue*> branches(const Target& target) {
    std::vector<Queue*> queues;
    if (target.kind == Target::Kind::queue) {
      queues.push_back(graph_->queues[target.index].get());
    } else {
      for (std::uint32_t index : pipeline_.topics[target.index].queues) {
        queues.push_back(graph_->queues[index].get());
      }
    }
    return queues;
  }

  Result<void> make_services() {
    auto cores = static_cast<std::uint32_t>(allowed_cores().size());
    std::uint32_t pool_threads = options_.pool_threads != 0 ? options_.pool_threads : cores;
    graph_->permits = std::make_unique<Permits>(std::max(cores, pool_threads));
    Graph* graph = graph_.get();
    graph->ready = std::make_unique<ReadySet>(
        static_cast<std::uint32_t>(pipeline_.services.size()), [graph](std::uint32_t index) {
          Service& service = *graph->services[index];
          if (service.own_threads()) {
            service.wake_one();
          } else {
            graph->pool->wake_for(service);
          }
        });
    std::uint32_t pool_workers = 0;
    for (const ServiceDescription& service : pipeline_.services) {
      pool_workers += runs_on_pool(service) ? service.scaling.most_workers() : 0;
    }
    graph->pool = std::make_unique<Pool>(
        PoolOptions{std::min(pool_threads, pool_workers), options_.pool_cores, &graph->stopping,
                    std::ranges::any_of(pipeline_.services, [](const ServiceDescription& service) { return service.weight != 1; })}, *graph->ready,
        graph->timers, *graph->permits);
    for (std::uint32_t index = 0; index < pipeline_.services.size(); ++index) {
      if (Result<void> made = make_service(pipeline_.services[index], index); !made) {
        return made;
      }
    }
    return {};
  }

  Result<void> make_service(ServiceDescription& description, std::uint32_t index) {
    Queue& queue = *graph_->queues[description.queue];
    bool own_threads = !runs_on_pool(description);
    Share& share = graph_->shares.emplace_back(description.weight);
    RateLimit* rate = nullptr;
    if (description.max_rate_per_1000_s != 0) {
      rate = &graph_->rates.emplace_back(description.max_rate_per_1000_s, description.batch_size, graph_->timers.clock().steady_ns());
    }
    WorkerOptions options{description.name, description.batch_size, description.scaling.most_workers(),
                          description.visibility_timeout_ms, description.ack_deadline_ms, description.batch_window_ms, rate,
                          description.max_body_bytes, own_threads ? graph_->permits.get() : nullptr, &share, own_threads,
                          description.publish_to ? branches(*description.publish_to) : std::vector<Queue*>(),
                          description.publish_to.has_value(), &graph_->stopping, &graph_->aborting};
    std::vector<Instance>& made_early = graph_->made_early.emplace_back();
    if (description.scaling.desired_capacity == 0) {
      // Whether its stages can be made is known before they are needed.
      Result<std::vector<Instance>> stages = make_stages(*graph_, pipeline_, description);
      if (!stages) {
        return std::unexpected(stages.error());
      }
      made_early = std::move(*stages);
    }
    auto open_worker = [&description, &made_early, &pipeline = pipeline_, graph = graph_.get()](Worker& worker) -> Result<void> {
      Result<std::vector<Instance>> stages =
          made_early.empty() ? make_stages(*graph, pipeline, description) : std::exchange(made_early, {});
      if (!stages) {
        return std::unexpected(stages.error());
      }
      worker.open(std::move(*stages));
      return {};
    };
    std::vector<std::unique_ptr<Worker>> workers;
    for (std::uint32_t worker = 0; worker < description.scaling.most_workers(); ++worker) {
      workers.push_back(std::make_unique<Worker>(queue, graph_->timers, *graph_->dead_letters, options));
      if (worker >= description.scaling.desired_capacity) {
        continue;
      }
      if (Result<void> opened = open_worker(*workers.back()); !opened) {
        return opened;
      }
    }
    auto failed = [failed = failed_](const std::string& service) {
      failed({Errc::internal, fmt::format("a stage of service '{}' failed and cannot go on; its log line says why", service)});
    };
    graph_->services.push_back(std::make_unique<Service>(
        ServiceOptions{description.name, index, own_threads, &share, description.batch_window_ms, &graph_->stopping,
                       std::move(failed), std::move(open_worker)}, queue,
        graph_->timers, *graph_->ready, std::move(workers)));
    queue.set_service(graph_->ready.get(), index);
    graph_->scaler.add(*graph_->services.back(), description.scaling);
    graph_->starter.add(*graph_->services.back(), description.scaling);
    if (!own_threads) {
      graph_->pool->add(*graph_->services.back());
      for (Queue* target : options.publish_to) {
        target->credits().add_waiter(*graph_->ready, index);
      }
      graph_->dead_letters->part_credits().add_waiter(*graph_->ready, index);
    }
    return {};
  }

  Result<void> make_sources() {
    for (SourceDescription& description : pipeline_.sources) {
      Result<Instance> instance = create(std::move(description.options));
      if (!instance) {
        return std::unexpected(instance.error());
      }
      int core = graph_->sources.empty() ? options_.source_core : -1;
      auto failed = [failed = failed_](int32_t status, const std::string& source) {
        Errc code = status == SLUICE_UNAVAILABLE || status == SLUICE_DENIED ? Errc::unavailable
                    : status == SLUICE_NOT_FOUND                            ? Errc::missing_input
                    : status == SLUICE_IO                                   ? Errc::io
                    : status == SLUICE_BAD_OPTION                           ? Errc::config
                    : status == SLUICE_INVALID                              ? Errc::bad_data
                                                                            : Errc::internal;
        failed({code, fmt::format("source '{}' cannot go on; its log line says why", source)});
      };
      graph_->sources.push_back(std::make_unique<Source>(
          SourceOptions{description.name, branches(description.publish_to), core, std::move(failed)},
          std::move(*instance), graph_->timers, *graph_->dead_letters));
    }
    return {};
  }

  Result<void> make_alarms() {
    for (const AlarmDescription& alarm : pipeline_.alarms) {
      Alarms::Actions actions;
      for (std::size_t state = 0; state < kAlarmStates; ++state) {
        for (const AlarmAction& action : alarm.actions[state]) {
          actions[state].push_back(action.starts() ? Alarms::Action{nullptr, graph_->services[action.service].get(), action.count}
                                                   : Alarms::Action{&notifier(*action.publish_to)});
        }
      }
      graph_->alarms.add(pipeline_, alarm, *graph_->queues[alarm.queue], std::move(actions));
    }
    return {};
  }

  /// The one of all alarms that publish to the target.
  Notifier& notifier(const Target& target) {
    const bool is_topic = target.kind == Target::Kind::topic;
    const auto [known, is_new] = notifier_of_.try_emplace({is_topic, target.index}, graph_->notifiers.size());
    if (is_new) {
      std::string name = is_topic ? fmt::format("topic '{}'", pipeline_.topics[target.index].name)
                                  : fmt::format("queue '{}'", pipeline_.queues[target.index].name);
      graph_->notifiers.push_back(std::make_unique<Notifier>(std::move(name), branches(target), graph_->timers, *graph_->dead_letters));
    }
    return *graph_->notifiers[known->second];
  }

  /// Every publisher has subscribed and every service is known: credits are dealt, publishers learn
  /// whom to notify, and dead letters are read back.
  Result<void> open_queues() {
    for (std::unique_ptr<Queue>& queue : graph_->queues) {
      queue->open();
    }
    graph_->topic_publishers.resize(pipeline_.topics.size());
    for (std::size_t i = 0; i < graph_->services.size(); ++i) {
      for (const std::unique_ptr<Worker>& worker : graph_->services[i]->workers()) {
        if (worker->publisher() != nullptr) {
          wire(*worker->publisher(), *pipeline_.services[i].publish_to);
        }
      }
    }
    for (std::size_t i = 0; i < graph_->sources.size(); ++i) {
      wire(graph_->sources[i]->publisher(), pipeline_.sources[i].publish_to);
    }
    for (const auto& [target, index] : notifier_of_) {
      wire(graph_->notifiers[index]->publisher(), {target.first ? Target::Kind::topic : Target::Kind::queue, target.second});
    }
    for (TopicDescription& topic : pipeline_.topics) {
      topic.filter.reset();  // the publishers' from now on; the last one lets go of it when it has changed
    }
    std::vector<Queue*> dead_letter_queues;
    for (std::size_t i = 0; i < pipeline_.queues.size(); ++i) {
      if (pipeline_.queues[i].redrive_policy) {
        Queue* target = graph_->queues[pipeline_.queues[i].redrive_policy->dead_letter_queue].get();
        graph_->queues[i]->set_dead_letter_queue(target);
        if (std::ranges::find(dead_letter_queues, target) == dead_letter_queues.end()) {
          dead_letter_queues.push_back(target);
        }
      }
    }
    for (Queue* queue : dead_letter_queues) {  // all are set: a letter that is read may be one that goes on to the next
      if (Result<void> opened = graph_->dead_letters->open(*queue); !opened) {
        return opened;
      }
    }
    return {};
  }

  void wire(Publisher& publisher, const Target& target) {
    if (target.kind == Target::Kind::topic) {
      const TopicDescription& topic = pipeline_.topics[target.index];
      graph_->topic_publishers[target.index].push_back(&publisher);
      if (topic.filter != nullptr) {
        FilterUse use{topic.filter, std::vector<std::uint32_t>(topic.queues.size())};
        std::iota(use.subscriptions.begin(), use.subscriptions.end(), 0U);
        publisher.change_filter(std::move(use));
      }
    }
    publisher.wire_ready();
  }

  PipelineDescription& pipeline_;
  const RunOptions& options_;
  FailureSink failed_;
  std::unique_ptr<Graph> graph_;
  std::map<std::pair<bool, std::uint32_t>, std::size_t> notifier_of_;  ///< by (is a topic, index)
};

}  // namespace

Result<std::unique_ptr<Graph>> build_graph(PipelineDescription& pipeline, Clock& clock, const RunOptions& options,
                                           FailureSink failed) {
  return Builder(pipeline, clock, options, std::move(failed)).build();
}

}  // namespace sluice::core
