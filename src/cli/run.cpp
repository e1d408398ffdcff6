// `run`: starts the engine, shows how it goes, hands on the signals, and prints the summary.
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "admin/address_file.hpp"
#include "admin/server.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/storage.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/start_text.hpp"
#include "cli/summary.hpp"
#include "config/load.hpp"
#include "pipeline/engine.hpp"

namespace sluice::core {
namespace {

constexpr std::chrono::milliseconds kStep{50};  // how soon a signal is seen
constexpr double kDrawSeconds = 0.2, kLogSeconds = 5;

/// SIGINT, SIGTERM and SIGHUP as something to be asked for. They are blocked in this thread and in
/// all that it starts, so it stands before the engine.
class Signals {
 public:
  Signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    descriptor_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  ~Signals() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  bool usable() const { return descriptor_ >= 0; }
  /// One that came since the last call, 0 for none; two of a kind at once count as one, as the
  /// kernel merges them.
  int take() const {
    signalfd_siginfo info{};
    const bool came = ::read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info);
    return came ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  int descriptor_ = -1;
};

/// Shows progress on a terminal, or logs it where something has changed.
class Progress {
 public:
  Progress(ServiceQueues services, const RunArguments& arguments) : services_(std::move(services)) {
    if (!colour_on_stderr() || arguments.log_format == LogFormat::json)
      return;
    display_.emplace(STDERR_FILENO);
    set_log_sink([this](std::string_view line) { display_->write_above(line); });
  }
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const Engine& engine) {
    const double now = seconds();
    if (now - shown_at_ < (display_ ? kDrawSeconds : kLogSeconds))
      return;
    Snapshot snapshot = engine.snapshot();
    if (display_) {
      const auto [columns, rows] = display_->size();
      display_->draw(
          progress_lines(services_, before_, snapshot, now - shown_at_, columns - 1, rows - 1));
    } else {
      std::string text = progress_text(services_, snapshot);
      if (text != logged_)
        log_info("", "{}", text);
      logged_ = std::move(text);
    }
    before_ = std::move(snapshot);
    shown_at_ = now;
  }

  /// Takes the display away; log lines go to stderr as they are again.
  void end() {
    if (!display_)
      return;
    set_log_sink({});
    display_.reset();
  }

 private:
  static double seconds() { return static_cast<double>(system_clock().steady_ns()) / 1e9; }

  ServiceQueues services_;
  std::optional<LiveDisplay> display_;
  Snapshot before_;
  double shown_at_ = seconds();
  std::string logged_;
};

/// Warnings are log lines where a machine reads them.
void show_diagnostics(const Diagnostics& diagnostics, const RunArguments& arguments) {
  if (diagnostics.errors() > 0 || arguments.log_format == LogFormat::text) {
    print_raw_error(render(diagnostics, colour_on_stderr()));
    return;
  }
  for (const Diagnostic& diagnostic : diagnostics.all())
    log_warning("", "{}: {}", diagnostic.place.label, diagnostic.text);
}

ServiceQueues service_queues(const PipelineDescription& pipeline) {
  ServiceQueues services;
  for (const ServiceDescription& service : pipeline.services)
    services.emplace_back(service.name, pipeline.queues[service.queue].name);
  return services;
}

constexpr std::string_view kUnchanged = "subscriptions and filter policies stay as they are";

/// Reads the configuration anew and puts its subscriptions and filter policies into force; all else
/// stays as it is.
void reload(Engine& engine, Registry& registry, const RunArguments& arguments) {
  Diagnostics diagnostics;
  const Result<PipelineDescription> changed =
      load_pipeline(arguments.config, arguments.overrides, registry, diagnostics);
  show_diagnostics(diagnostics, arguments);
  if (!changed) {
    log_error("", "{}: not reloaded; {}", changed.error().message, kUnchanged);
    return;
  }
  if (const std::optional<std::string> other = engine.resubscribe(*changed)) {
    log_error("", "{}: not reloaded: {} has changed too, which takes a restart; {}",
              arguments.config, *other, kUnchanged);
    return;
  }
  log_info("", "{}: reloaded, its subscriptions and filter policies are in force",
           arguments.config);
}

/// A terminal that hangs up sends SIGHUP too: that ends what was started on it.
class Terminal {
 public:
  bool is_gone() const { return was_there_ && ::isatty(STDERR_FILENO) == 0; }

 private:
  const bool was_there_ = ::isatty(STDERR_FILENO) != 0;
};

/// While the engine starts, which may read long files of dead letters: the first signal that ends a
/// run waits for it, as a SIGHUP does; the second ends the process. Nothing has been received by
/// then.
class StartWatch {
 public:
  explicit StartWatch(const Signals& signals)
      : thread_([this, &signals](std::stop_token started) {
          while (!started.stop_requested()) {
            const int signal = signals.take();
            if (signal == SIGHUP)
              hang_up_ = SIGHUP;
            else if (signal != 0 && std::exchange(ending_, signal) != 0)
              end_process();
            else if (signal != 0)
              log_info("", "stopping once the start is over; another signal stops at once");
            std::unique_lock lock(mutex_);
            if (signal == 0)
              step_.wait_for(lock, started, kStep, [] { return false; });
          }
        }) {}
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;

  /// The engine has started: what came is sent once more, for who looks after it now.
  void end() {
    thread_.request_stop();
    thread_.join();
    for (const int signal : {hang_up_, ending_}) {
      if (signal != 0)
        ::kill(::getpid(), signal);
    }
  }

 private:
  static void end_process() {
    constexpr int kComesAgain = 75;
    log_warning("", "stopping at once, before the start is over");
    std::_Exit(finish_output(kComesAgain));
  }

  int hang_up_ = 0, ending_ = 0;  // the thread's, while it runs
  std::mutex mutex_;
  std::condition_variable_any step_;
  std::jthread thread_;
};

/// Until the engine has ended. SIGHUP reloads; another signal stops in order, the next at once.
/// True: at once.
bool watch(Engine& engine, const Signals& signals, Progress& progress,
           const std::function<void()>& reload) {
  const Terminal terminal;
  bool stopping = false, at_once = false;
  while (!engine.wait_for_end(kStep)) {
    const int signal = signals.take();
    if (signal == SIGHUP && !terminal.is_gone()) {
      reload();
    } else if (signal != 0) {
      if (stopping) {
        log_warning("", "stopping at once");
        engine.request_abort();
        at_once = true;
      } else {
        log_info("", "stopping: finishing what is in hand; another signal stops at once");
        engine.request_stop();
      }
      stopping = true;
    }
    progress.show(engine);
  }
  return at_once;
}

/// While the last lines are written, which a pipe that nobody reads may never take: a signal, or a
/// stop at once, leaves them kLastLines, then the process ends without them.
class EndWatch {
 public:
  EndWatch(const Signals& signals, bool at_once, int exit)
      : thread_([this, &signals, at_once, exit](std::stop_token written) {
          while (!at_once && signals.take() == 0) {
            if (waited(kStep, written))
              return;
          }
          if (waited(kLastLines, written))
            return;
          pollfd errors{STDERR_FILENO, POLLOUT, 0};  // it may be the same pipe
          if (::poll(&errors, 1, 0) == 1)
            print_error("the summary is not written: nobody reads the standard output");
          const int internal = exit_code(Errc::internal);
          std::_Exit(exit == internal ? internal : exit_code(Errc::io));
        }) {}
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

 private:
  static constexpr std::chrono::seconds kLastLines{1};

  /// True: the lines are out.
  bool waited(std::chrono::milliseconds time, const std::stop_token& written) {
    std::unique_lock lock(mutex_);
    step_.wait_for(lock, written, time, [] { return false; });
    return written.stop_requested();
  }

  std::mutex mutex_;
  std::condition_variable_any step_;
  std::jthread thread_;  // last: it uses the others
};

void print_summary(const std::string& name, const Summary& summary, const RunArguments& arguments) {
  if (!arguments.summary_json) {
    print(summary_text(name, summary));
    return;
  }
  for (const std::string& note : summary.notes)
    log_warning("", "{}", note);
  print(summary_json(name, summary) + "\n");
}

/// Where it is to listen: as configured, unless --admin says otherwise. nullptr: off.
Result<std::unique_ptr<AdminServer>> listen_for_admin(const RunArguments& arguments,
                                                      const PipelineDescription& pipeline) {
  const std::optional<ListenAddress>& address =
      arguments.admin_given ? arguments.admin : pipeline.admin;
  if (arguments.admin_given && address && !address->is_loopback()) {
    log_warning("",
                "--admin: whoever reaches {} can read, redrive and purge the queues: it asks for "
                "no password",
                to_text(*address));
  }
  return address ? AdminServer::listen(*address) : std::unique_ptr<AdminServer>();
}

/// The usual soft limit is made for select(2): streamed bodies of a batch each hold one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

}  // namespace

int run_pipeline(const RunArguments& arguments) {
  raise_descriptor_limit();
  configure_log(arguments.log_level, arguments.log_format);
  const Signals signals;  // one that comes while the configuration is read waits for the engine
  if (!signals.usable())
    return report({Errc::internal, "the system has no descriptor left for signals"});
  Result<std::vector<std::string>> folders = plugin_folders(arguments.plugin_dirs);
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  Diagnostics diagnostics;
  Result<PipelineDescription> pipeline =
      load_pipeline(arguments.config, arguments.overrides, registry, diagnostics);
  show_diagnostics(diagnostics, arguments);
  if (!pipeline)
    return report(pipeline.error());

  Result<std::unique_ptr<AdminServer>> admin = listen_for_admin(arguments, *pipeline);
  if (!admin &&
      file_storage().folder_is_locked(pipeline->state)) {  // by who has the address, most likely
    if (Result<std::unique_ptr<FolderLock>> lock = file_storage().lock_folder(pipeline->state);
        !lock)
      return report(lock.error());
  }
  if (!admin)
    return report(admin.error());
  const std::string name = pipeline->name, state = pipeline->state, what = start_text(*pipeline);
  ServiceQueues services = service_queues(*pipeline);
  const RunOptions options{.until_idle = arguments.until_idle,
                           .plugin_dirs = arguments.plugin_dirs};
  StartWatch start_watch(signals);
  Result<std::unique_ptr<Engine>> engine =
      Engine::start(std::move(*pipeline), system_clock(), options);
  start_watch.end();
  if (!engine)
    return report(engine.error());
  log_info("", "{}", what);
  Result<void> served;
  if (*admin) {
    Engine& running = **engine;
    served = (*admin)->serve(
        name, running.queues(), running.services(), [&running] { return running.snapshot(); },
        [&running] { return running.is_stopping(); });
    if (served) {
      log_info("", "admin answers at http://{}", to_text((*admin)->address()));
    } else {
      log_error("", "{}", served.error().message);
      running.request_stop();
    }
  }
  std::optional<AddressFile> address_file(
      std::in_place, state,
      *admin ? std::optional(EngineAddress{(*admin)->address(), (*admin)->instance()})
             : std::nullopt);

  Progress progress(std::move(services), arguments);
  const bool at_once =
      watch(**engine, signals, progress, [&] { reload(**engine, registry, arguments); });
  address_file.reset();
  admin->reset();
  const Summary summary = (*engine)->finish();
  progress.end();
  {
    const EndWatch end_watch(signals, at_once, summary.exit);
    print_summary(name, summary, arguments);
    flush_output();  // main() tells how it went
  }
  int exit = summary.exit;
  if (!served && exit == 0)
    exit = exit_code(served.error().code);
  // A stage that never returned still holds what destructors would take away.
  if (summary.threads_left)
    std::_Exit(finish_output(exit));
  return exit;
}

}  // namespace sluice::core
