// `stage`: one stage plugin in this process, without an engine. Each input is a batch of one
// message.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/random.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/input_files.hpp"
#include "cli/lent_components.hpp"
#include "cli/output.hpp"
#include "cli/stage_arguments.hpp"
#include "cli/stage_printer.hpp"
#include "config/load.hpp"
#include "plugin/handles.hpp"
#include "plugin/host.hpp"

namespace sluice::core {
namespace {

/// Of a stage that sets itself no limit.
constexpr uint64_t kBodyBytesMax = uint64_t{1} << 30;
constexpr uint64_t kReadStep = 64 << 10;
constexpr int64_t kLeaseMs = int64_t{12} * 3600 * 1000;  // longer than any visibility timeout

constexpr const char* kHelp =
    "sluice stage TYPE [--OPTION VALUE]... [FILE...]: run one stage plugin from the shell\n\n"
    "Each FILE, or else the standard input, is the body of one message. One emitted body goes to "
    "the standard\n"
    "output as it is; a stage that emits several needs --jsonl. A message that fails prints one "
    "JSON line with its\n"
    "reason on the standard error, and the exit code is 65.\n\n"
    "Examples:\n"
    "  sluice stage image_resize --width 64 --height 64 photo.jpg > small.png\n"
    "  sluice stage object_get --config configs/icons.json --bucket graphics --attribute "
    "s3.key=icons/a.png < /dev/null\n\n"
    "  --jsonl               print each emitted message as a line of JSON\n"
    "  --config FILE         lends its buckets and tables to the stage\n"
    "  --attribute NAME=VALUE  an attribute of every message\n"
    "  --plugin-dir DIR      searched before the plugins beside the program\n"
    "  --                    what follows are files\n"
    "All other options are the plugin's, with - or _; structured values are JSON. A flag is set by "
    "--FLAG, --FLAG true\n"
    "or --FLAG=true, and unset by --no-FLAG, --FLAG false or --FLAG=false (a file named true is "
    "./true).\n";

/// A message whose body is still to be read.
struct Input {
  std::unique_ptr<sluice_reader, CloseReader> reader;
  uint64_t size = UINT64_MAX;
};

Result<Input> open_input(const std::string& file) {
  const Result<int> descriptor = open_file(file);
  if (!descriptor)
    return std::unexpected(descriptor.error());
  Input input;
  struct stat status {};
  if (::fstat(*descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    const off_t at = ::lseek(*descriptor, 0, SEEK_CUR);
    input.size = static_cast<uint64_t>(std::max<off_t>(0, status.st_size - std::max<off_t>(0, at)));
  }
  input.reader.reset(file_reader(*descriptor));
  return input;
}

/// The option by which a stage refuses larger bodies.
std::optional<uint64_t> own_limit(const sluice_config& options) {
  const auto found = options.values.find("max_input_bytes");
  if (found == options.values.end() || !found->second.integer)
    return std::nullopt;
  return static_cast<uint64_t>(*found->second.integer);
}

/// Runs the messages of one call, one after the other.
class StageRun {
 public:
  StageRun(const Instance& stage, const StageCall& call)
      : stage_(stage),
        call_(call),
        flags_(stage.component().descriptor->flags),
        body_bytes_max_(own_limit(stage.config())),
        printer_(call.jsonl, (flags_ & SLUICE_SPLITS) != 0),
        out_(
            stage.component().descriptor->type, (flags_ & SLUICE_SPLITS) != 0,
            [this](Emitted&& emitted) { return printer_.take(std::move(emitted)); },
            [this](const StageMessage& part, const std::string& reason, const std::string& detail) {
              printer_.part_failed(file_, part, reason, detail);
            }) {}

  /// The exit code, or what ended the run before its end.
  Result<int> run(const std::vector<std::string>& files) {
    for (const std::string& file : files) {
      file_ = file;
      Result<void> done = run_file();
      if (!done)
        return std::unexpected(done.error());
    }
    Result<void> finished = printer_.finish();
    if (!finished)
      return std::unexpected(finished.error());
    return printer_.failed() ? exit_code(Errc::bad_data) : 0;
  }

 private:
  Result<void> run_file() {
    Result<Input> input = open_input(file_);
    if (!input)
      return std::unexpected(input.error());
    StageMessage message;
    message.id = uuid7(host().now_ms(), random_.next(), random_.next());
    for (const auto& [name, value] : call_.attributes)
      message.attributes[name] = {SLUICE_STRING, value};
    message.sent_ms = host().now_ms();
    message.receive_count = 1;
    const bool streams = (flags_ & SLUICE_STREAMS) != 0;
    if (!streams) {
      const int32_t status = read_body(*input->reader, &message.body);
      if (status != SLUICE_OK)
        return unreadable(message.id, status);
    }
    StageMessageView view(message);
    if (streams)
      view.stream(input->reader.get(), input->size);
    return process(message, view.get());
  }

  /// The whole body, or, where it is over the stage's own limit, one byte more than that: enough
  /// for the stage to refuse it.
  int32_t read_body(sluice_reader& reader, std::string* body) {
    cut_ = false;
    if (!body_bytes_max_)
      return read_all(reader, kBodyBytesMax, body);
    const uint64_t wanted = *body_bytes_max_ + 1;
    while (body->size() < wanted) {
      const uint64_t had = body->size();
      uint64_t got = 0;
      body->resize(had + std::min(wanted - had, std::max(kReadStep, had)));
      const int32_t status = host().read(&reader, reinterpret_cast<uint8_t*>(body->data()) + had,
                                         body->size() - had, &got);
      body->resize(had + got);
      if (status != SLUICE_OK)
        return status == SLUICE_END ? SLUICE_OK : status;
    }
    cut_ = true;
    return SLUICE_OK;
  }

  Result<void> unreadable(const Uuid& id, int32_t status) {
    if (status == SLUICE_TOO_LARGE) {
      printer_.message_failed(file_, id, false, "too_large",
                              "the stage takes no streams, and the body has more than 1 GiB");
      return {};
    }
    const sluice_str text = host().last_error();
    return fail(Errc::io, fmt::format("{}: {}", file_, std::string_view(text.data, text.size)));
  }

  Result<void> process(const StageMessage& message, const sluice_message& view) {
    out_.begin(message);
    const sluice_message* const messages[] = {&view};
    const sluice_batch batch{sizeof(sluice_batch), 1, message.sent_ms + kLeaseMs, messages};
    const ComponentScope scope(stage_.component().descriptor->type);
    return judge(message.id,
                 stage_.functions<sluice_stage>().process(stage_.self(), &batch, &out_));
  }

  Result<void> judge(const Uuid& id, int32_t status) {
    if (printer_.several()) {
      return fail(Errc::usage,
                  fmt::format("{}: stage {} emitted a second body, and only one can go to the "
                              "standard output: nothing was written there; print all with --jsonl",
                              file_, stage_.component().descriptor->type));
    }
    if (status != SLUICE_OK) {
      return fail(Errc::internal,
                  fmt::format("{}: stage {} failed: {}", file_, stage_.component().descriptor->type,
                              status_text(status)));
    }
    const bool good = out_.status() == SLUICE_OK && !cut_;
    if (out_.status() != SLUICE_OK) {
      printer_.message_failed(file_, id, out_.status() == SLUICE_RETRY, out_.reason(),
                              cut_ ? out_.detail() + cut_text() : out_.detail());
    } else if (cut_) {
      printer_.message_failed(file_, id, false, "too_large",
                              "the body is over the stage's max_input_bytes" + cut_text());
    }
    return printer_.finish_message(good);
  }

  std::string cut_text() const {
    return fmt::format(" (no more than {} bytes of it were read)", *body_bytes_max_ + 1);
  }

  const Instance& stage_;
  const StageCall& call_;
  const uint32_t flags_;
  const std::optional<uint64_t> body_bytes_max_;  ///< the stage's own
  bool cut_ = false;                              ///< the body in hand is longer
  StagePrinter printer_;
  StageOut out_;
  Random random_;
  std::string file_;
};

/// The stage's options, and the buckets and tables that they name.
struct Prepared {
  std::unique_ptr<sluice_config> options;
  LentComponents lent;
};

Result<Prepared> prepare(const StageCall& call, Registry& registry) {
  Prepared prepared;
  PipelineDescription pipeline;
  if (call.config) {
    Diagnostics diagnostics;
    Result<PipelineDescription> loaded = load_pipeline(*call.config, {}, registry, diagnostics);
    print_raw_error(render(diagnostics, colour_on_stderr()));
    if (!loaded)
      return std::unexpected(loaded.error());
    pipeline = std::move(*loaded);
  }
  const std::string type = call.component->descriptor->type;
  std::error_code ignored;
  const std::string here = std::filesystem::current_path(ignored).string();
  std::size_t faults = 0;
  prepared.options = complete_options(*call.component, {type, here, ""}, &call.options, {},
                                      [&](std::string_view, std::string text) {
                                        ++faults;
                                        print_error(fmt::format("stage {}: {}", type, text));
                                      });
  if (prepared.options == nullptr) {
    return fail(Errc::config, fmt::format("stage {}: {} bad option{} (see sluice stage {} --help)",
                                          type, faults, faults == 1 ? "" : "s", type));
  }
  const std::vector<OptionReference> references = option_references(*prepared.options);
  if (!references.empty() && !call.config) {
    const char* kind =
        references.front().kind == OptionReference::Kind::bucket ? "bucket" : "table";
    return fail(Errc::usage,
                fmt::format("stage {0} names the {1} {2}: give --config FILE, which lends its {1}s",
                            type, kind, in_quotes(references.front().text)));
  }
  Result<LentComponents> lent = LentComponents::open(std::move(pipeline), references);
  if (!lent)
    return std::unexpected(lent.error());
  prepared.lent = std::move(*lent);
  return prepared;
}

Result<int> run_call(const StageCall& call, Registry& registry) {
  std::vector<std::string> files = call.files.empty() ? std::vector<std::string>{"-"} : call.files;
  Result<void> readable = check_files(files);
  if (!readable)
    return std::unexpected(readable.error());
  Result<Prepared> prepared = prepare(call, registry);
  if (!prepared)
    return std::unexpected(prepared.error());
  const LentComponents& lent = prepared->lent;
  prepared->options->bucket = [&lent](std::string_view name) { return lent.bucket(name); };
  prepared->options->table = [&lent](std::string_view name) { return lent.table(name); };
  Result<Instance> stage = Instance::create(std::move(prepared->options));
  if (!stage)
    return std::unexpected(stage.error());
  return StageRun(*stage, call).run(files);
}

}  // namespace

int run_stage(const StageArguments& arguments) {
  configure_log(LogLevel::warning, LogFormat::text);
  Result<std::vector<std::string>> folders = plugin_folders(plugin_dirs_of(arguments.words));
  if (!folders)
    return report(folders.error());
  Registry registry(std::move(*folders));
  const Result<StageCall> call = parse_stage_words(
      arguments.words, [&](const std::string& type) { return registry.find("stage", type); });
  if (!call)
    return report(call.error());
  if (call->help) {
    print(kHelp);
    if (call->component != nullptr)
      print("\n" + describe_component(*call->component));
    return 0;
  }
  const Result<int> exit = run_call(*call, registry);
  return exit ? *exit : report(exit.error());
}

}  // namespace sluice::core
