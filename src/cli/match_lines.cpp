#include "cli/match_lines.hpp"

#include <fmt/format.h>

#include "cli/input_files.hpp"
#include "cli/output.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kLineBytesMax = 16 << 20;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

void report_fault(Place place, std::string text) {
  print_raw_error(
      render(Diagnostic{.place = std::move(place), .text = std::move(text)}, colour_on_stderr()));
}

/// Whether the line is good.
bool take_line(const InputLine& line, const std::string& name,
               const std::function<Result<void>(const Json&)>& take) {
  const std::string label = fmt::format("{}:{}", name, line.number);
  if (line.too_long) {
    report_fault({.label = label}, fmt::format("the line is longer than {} bytes", kLineBytesMax));
    return false;
  }
  // A number that fits no double still equals itself.
  const auto json =
      parse_json(line.text, {.bytes_max = kLineBytesMax, .allow_infinite_numbers = true});
  if (!json) {
    report_fault(place_in(name, line.text, json.error().offset, line.number), json.error().message);
    return false;
  }
  const Result<void> taken = take(*json);
  if (!taken)
    report_fault({.label = label}, taken.error().message);
  return taken.has_value();
}

}  // namespace

Result<std::size_t> read_json_lines(const std::string& file,
                                    const std::function<Result<void>(const Json&)>& take) {
  const std::string name = file == "-" ? "stdin" : file;
  const Result<int> descriptor = open_file(file);
  if (!descriptor)
    return std::unexpected(descriptor.error());
  LineReader lines(*descriptor, kLineBytesMax);
  std::size_t faults = 0;
  for (;;) {
    const auto line = lines.next(flush_output);
    if (!line)
      return fail(line.error().code, fmt::format("{}: {}", name, line.error().message));
    if (!*line)
      return faults;
    if (((*line)->too_long || !is_blank((*line)->text)) && !take_line(**line, name, take))
      ++faults;
  }
}

}  // namespace sluice::core
