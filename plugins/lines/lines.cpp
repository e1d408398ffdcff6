// Source and stage "lines": what the host is told of them.
#include <sluice/plugin.hpp>

#include "sink.hpp"
#include "source.hpp"

namespace sluice::lines {
namespace {

constexpr sluice_option kInputPath = option(
    {.name = "path",
     .type = "path",
     .required = true,
     .help = "A file, which is read once, a FIFO, which is read for ever, or \"-\": standard "
             "input. A file of that name is \"./-\"."});
constexpr sluice_option kFormat = option(
    {.name = "format",
     .type = "enum",
     .default_json = "\"message\"",
     .choices = "message text",
     .help = "What a line is: a message as JSON, {\"body\":...,\"attributes\":{...}}, also with an "
             "\"id\", a \"group_id\", a \"deduplication_id\", and a \"delay\" of 0s to 15m in place of "
             "its queues'; or text that becomes the body as it is."});
constexpr sluice_option kOnError =
    option({.name = "on_error",
            .type = "enum",
            .default_json = "\"skip\"",
            .choices = "skip stop",
            .help = "What a line that cannot be read does: it is logged, counted and passed over, "
                    "or it stops the engine."});
constexpr sluice_option kMaxLineBytes =
    option({.name = "max_line_bytes",
            .type = "size",
            .default_json = "\"1MiB\"",
            .minimum = "\"64B\"",
            .maximum = "\"64MiB\"",
            .help = "The longest line that is read; a longer one is one that cannot be read."});
constexpr const sluice_option* kSourceOptions[] = {&kInputPath, &kFormat, &kOnError, &kMaxLineBytes,
                                                   nullptr};

constexpr sluice_option kOutputPath =
    option({.name = "path",
            .type = "path",
            .required = true,
            .help = "The file to append to, made if it is not there, or \"-\": standard output. A "
                    "file of that name is \"./-\"."});
constexpr sluice_option kFsync = option(
    {.name = "fsync",
     .type = "enum",
     .default_json = "\"batch\"",
     .choices = "batch never",
     .help = "When lines are forced to the disk: before their batch is acknowledged, or when the "
             "system likes, so that a loss of power may lose some."});
constexpr const sluice_option* kSinkOptions[] = {&kOutputPath, &kFsync, nullptr};

const sluice_component kSource = source<LinesSource>(
    "lines",
    "Reads a message per line from a file, a FIFO or standard input. A checkpoint in the state "
    "folder "
    "keeps how far a file is acknowledged: a restart goes on there; a file that was replaced or "
    "truncated is read from its beginning. What came through a FIFO or standard input and is not "
    "acknowledged at the end is kept and comes again, except after kill -9.",
    SLUICE_REPEATS, kSourceOptions);

const sluice_component kSink = stage<LinesSink>(
    "lines",
    "Appends each message to a file as one line of JSON. Workers do not tear each other's lines. "
    "Emits nothing. A full disk, or a reader that is gone: retried.",
    SLUICE_BLOCKS | SLUICE_SINK | SLUICE_MAY_RETRY, kSinkOptions);

}  // namespace
}  // namespace sluice::lines

SLUICE_PLUGIN("dev.sluice.lines", "1.0.0", &sluice::lines::kSource, &sluice::lines::kSink)
