// `queue`: looks at the queues of a pipeline and operates them, whether it runs or not.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "admin/queue_json.hpp"
#include "admin/remote_queues.hpp"
#include "base/clock.hpp"
#include "base/units.hpp"
#include "cli/admin_target.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/output.hpp"
#include "cli/queue_columns.hpp"
#include "config/diagnostics.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"
#include "pipeline/leftovers.hpp"
#include "pipeline/stored_queues.hpp"

namespace sluice::core {
namespace {

constexpr std::chrono::milliseconds kStatusPeriod{200};

/// The queues of the pipeline that was named, and what stands behind them.
struct Opened {
  std::string pipeline;                              ///< its name; empty: asked by its address
  std::unique_ptr<PipelineDescription> description;  ///< StoredQueues look into it
  std::unique_ptr<QueueControl> queues;
  bool is_running = true;
};

Result<Opened> open_remote(std::string_view text) {
  Result<AdminTarget> target = parse_admin_target(text);
  if (!target)
    return std::unexpected(target.error());
  return Opened{{},
                nullptr,
                std::make_unique<RemoteQueues>(std::move(target->host), std::move(target->port)),
                true};
}

/// An engine holds the folder's lock: where it answers stands in there.
Result<Opened> open_running(std::unique_ptr<PipelineDescription> description) {
  Result<AdminTarget> target = running_target(*description);
  if (!target)
    return std::unexpected(target.error());
  std::string name = description->name;
  return Opened{std::move(name), std::move(description),
                std::make_unique<RemoteQueues>(std::move(target->host), std::move(target->port),
                                               std::move(target->instance)),
                true};
}

/// Who only looks takes no lock: an engine that starts meanwhile would find its state in use.
bool writes(const QueueArguments& arguments) {
  using Action = QueueArguments::Action;
  const bool looks = arguments.status || arguments.request.dry_run;
  return arguments.action == Action::purge || (arguments.action == Action::redrive && !looks);
}

Result<Opened> open_queues(const QueueArguments& arguments, Registry& registry) {
  if (is_admin_target(arguments.pipeline))
    return open_remote(arguments.pipeline);
  Diagnostics diagnostics;
  Result<PipelineDescription> loaded =
      load_pipeline(arguments.pipeline, arguments.overrides, registry, diagnostics);
  if (!loaded) {
    print_raw_error(render(diagnostics, colour_on_stderr()));
    return std::unexpected(loaded.error());
  }
  auto description = std::make_unique<PipelineDescription>(std::move(*loaded));
  std::unique_ptr<FolderLock> lock;
  if (!writes(arguments)) {
    if (file_storage().folder_is_locked(description->state))
      return open_running(std::move(description));
  } else if (file_storage().exists(description->state)) {
    Result<std::unique_ptr<FolderLock>> locked = file_storage().lock_folder(description->state);
    if (!locked && file_storage().folder_is_locked(description->state))
      return open_running(std::move(description));
    if (!locked)
      return std::unexpected(locked.error());
    lock = std::move(*locked);
  }
  auto queues = std::make_unique<StoredQueues>(*description, file_storage(), std::move(lock),
                                               system_clock().wall_ms());
  std::string name = description->name;
  return Opened{std::move(name), std::move(description), std::move(queues), false};
}

/// "3m", "2d": one unit is enough for an age.
std::string age_text(const QueueFacts& queue) {
  const std::int64_t seconds = queue.age_of_oldest_s;
  if (queue.visible + queue.in_flight + queue.delayed == 0)
    return "-";
  if (seconds < 120)
    return fmt::format("{}s", seconds);
  if (seconds < 120 * 60)
    return fmt::format("{}m", seconds / 60);
  return seconds < 48 * 3600 ? fmt::format("{}h", seconds / 3600)
                             : fmt::format("{}d", seconds / 86400);
}

/// What they hold comes first.
std::vector<std::vector<std::string>> rows_of(const std::vector<QueueFacts>& queues) {
  std::vector<QueueColumn> columns = queue_columns(queues);
  const auto counted = std::ranges::stable_partition(columns, &QueueColumn::is_now).begin();
  const auto now = std::span(columns.begin(), counted), since = std::span(counted, columns.end());
  std::vector<std::vector<std::string>> rows{{"queue"}};
  const auto add_titles = [&](std::span<const QueueColumn> part) {
    for (const QueueColumn& column : part)
      rows.front().emplace_back(column.title);
  };
  add_titles(now);
  rows.front().push_back("oldest");
  add_titles(since);
  rows.front().push_back("dead-letter queue");
  for (const QueueFacts& queue : queues) {
    std::vector<std::string>& row = rows.emplace_back(1, queue.name);
    const auto add_cells = [&](std::span<const QueueColumn> part) {
      for (const QueueColumn& column : part)
        row.push_back(fmt::format("{}", queue.*column.number));
    };
    add_cells(now);
    row.push_back(age_text(queue));
    add_cells(since);
    row.push_back(queue.dead_letter_queue.empty() ? "-" : queue.dead_letter_queue);
  }
  return rows;
}

int list(Opened& opened, const QueueArguments& arguments) {
  const Result<std::vector<QueueFacts>> queues = opened.queues->list();
  if (!queues)
    return report(queues.error());
  for (const std::string& text : opened.description ? forgotten_dead_letters(*opened.description)
                                                    : std::vector<std::string>())
    print_warning(text);
  if (arguments.json) {
    print(queues_json(opened.pipeline, *queues) + "\n");
    return 0;
  }
  print(columns_text(rows_of(*queues)));
  if (!opened.is_running)
    print("No engine runs: only dead letters are stored.\n");
  return 0;
}

int peek(Opened& opened, const QueueArguments& arguments) {
  const Result<Peeked> peeked = opened.queues->peek(arguments.queue, arguments.limit);
  if (!peeked)
    return report(peeked.error());
  for (const std::string& message : peeked->messages)
    print(message + "\n");
  if (peeked->more) {
    print_warning(fmt::format(
        "{} shown, and there may be more: no more than {} MiB are shown, and {} MiB looked at, at "
        "once",
        count_text(peeked->messages.size(), "message"), kPeekBytesMax >> 20, kPeekLookMax >> 20));
  }
  return 0;
}

std::string redrive_text(const RedriveStatus& status) {
  if (status.state == RedriveState::running && status.letters == 0)
    return fmt::format("{}: it begins; --status shows how far it is\n", name_of(status.state));
  const std::string_view verb = status.request.dry_run ? "would be moved"
                                : status.state == RedriveState::marked
                                    ? "marked, to go when the engine starts"
                                : status.marked != 0 ? "were marked, and are no more"
                                                     : "moved";
  std::string text =
      fmt::format("{}: {} of {} {}", name_of(status.state), status.moved + status.marked,
                  count_text(status.letters, "letter"), verb);
  for (const auto* places : {&status.moved_to, &status.marked_for}) {
    for (const auto& [queue, letters] : *places)
      text += fmt::format("\n  {} to {}", letters, queue);
  }
  const auto left = [&](std::uint64_t number, std::string_view why) {
    if (number != 0)
      text += fmt::format("\n  {} {}", number, why);
  };
  left(status.filtered, "left: dead for another reason");
  left(status.parts, "left: parts of messages, which were no messages of a queue");
  left(status.in_use, "left: on their way back already and not done with, or in a worker's hands");
  left(status.without_queue,
       "left: the queue that they came from is not there; --to names another");
  left(status.without_room, "left: their queue is full, and has no service that would empty it");
  left(status.came_back, "failed again and came back");
  left(status.failure.empty() ? 0 : 1, "failure: " + status.failure);
  return text + "\n";
}

int exit_of(const RedriveStatus& status) {
  return status.state == RedriveState::failed      ? exit_code(Errc::io)
         : status.state == RedriveState::cancelled ? 75
                                                   : 0;
}

/// On a terminal, one line that is written over.
void show_progress(const RedriveStatus& status, bool is_last) {
  if (::isatty(STDERR_FILENO) == 0)
    return;
  print_raw_error(fmt::format("\r{}: {} of {} moved\x1b[K{}", name_of(status.state), status.moved,
                              count_text(status.letters, "letter"), is_last ? "\r\x1b[K" : ""));
}

Result<RedriveStatus> wait_for(QueueControl& queues, const std::string& queue,
                               RedriveStatus status) {
  while (status.state == RedriveState::running || status.state == RedriveState::cancelling) {
    show_progress(status, false);
    std::this_thread::sleep_for(kStatusPeriod);
    Result<RedriveStatus> now = queues.redrive_status(queue);
    if (!now)
      return now;
    status = std::move(*now);
  }
  show_progress(status, true);
  return status;
}

int redrive(Opened& opened, const QueueArguments& arguments) {
  QueueControl& queues = *opened.queues;
  Result<RedriveStatus> status = arguments.status ? queues.redrive_status(arguments.queue)
                                 : arguments.cancel
                                     ? queues.cancel_redrive(arguments.queue)
                                     : queues.redrive(arguments.queue, arguments.request);
  if (status && !arguments.status && !arguments.no_wait)
    status = wait_for(queues, arguments.queue, std::move(*status));
  if (!status)
    return report(status.error());
  print(arguments.json ? redrive_json(*status) + "\n" : redrive_text(*status));
  const bool is_cancelled = arguments.cancel && status->state == RedriveState::cancelled;
  return arguments.status || is_cancelled ? 0 : exit_of(*status);
}

int purge(Opened& opened, const QueueArguments& arguments) {
  const Result<std::uint64_t> purged = opened.queues->purge(arguments.queue);
  if (!purged)
    return report(purged.error());
  print(fmt::format("{}: {} deleted\n", arguments.queue, count_text(*purged, "message")));
  return 0;
}

int act(Opened& opened, const QueueArguments& arguments) {
  switch (arguments.action) {
    case QueueArguments::Action::list:
      return list(opened, arguments);
    case QueueArguments::Action::peek:
      return peek(opened, arguments);
    case QueueArguments::Action::redrive:
      return redrive(opened, arguments);
    default:
      return purge(opened, arguments);
  }
}

/// What could not be read is told beside what could: 74 where it is a file, else 65 (DESIGN §5).
int tell_unreadable(const QueueControl& queues) {
  int exit = 0;
  for (const Error& error : queues.unreadable()) {
    print_warning(error.message);
    exit = std::max(exit, exit_code(error.code));
  }
  return exit;
}

}  // namespace

int operate_queues(const QueueArguments& arguments) {
  if (arguments.action != QueueArguments::Action::list && !valid_name(arguments.queue)) {
    return report(
        {Errc::usage,
         fmt::format("'{}' is no name of a queue: 1 to 80 of A-Z a-z 0-9 _ -", arguments.queue)});
  }
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  Result<Opened> opened = open_queues(arguments, registry);
  if (!opened)
    return report(opened.error());
  const int exit = act(*opened, arguments);
  const int unreadable = tell_unreadable(*opened->queues);
  // Who asks what is there has not got all of it; the others have done what can be done.
  const bool shows = arguments.action == QueueArguments::Action::list ||
                     arguments.action == QueueArguments::Action::peek;
  return exit == 0 && shows ? unreadable : exit;
}

}  // namespace sluice::core
