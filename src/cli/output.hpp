// The two streams of the command line. [main-thread]
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace sluice::core {

/// Appends to the standard output. A failure is kept for finish_output().
void print(std::string_view text);

/// Writes what print() left, for a reader that waits for it. False: nothing can be written any more.
bool flush_output();

/// Writes what print() left. `exit`, or 74 with a line on stderr if the standard output could not
/// take everything (a closed pipe, a full disk); 70 stays 70.
int finish_output(int exit);

/// "sluice: error: TEXT" on stderr.
void print_error(std::string_view text);

/// "sluice: warning: TEXT" on stderr.
void print_warning(std::string_view text);

/// Text that stands by itself on stderr, such as rendered diagnostics.
void print_raw_error(std::string_view text);

/// print_error() of its message; its exit code.
int report(const Error& error);

/// Whether stderr is a terminal that takes colours (TERM, NO_COLOR).
bool colour_on_stderr();

}  // namespace sluice::core
