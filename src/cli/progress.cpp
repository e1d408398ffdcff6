#include "cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/units.hpp"

namespace sluice::core {
namespace {

template <class Things>
auto find_named(const Things& things, std::string_view name) {
  const auto found = std::find_if(things.begin(), things.end(),
                                  [&](const auto& thing) { return thing.name == name; });
  return found == things.end() ? nullptr : &*found;
}

/// Events per second, without noise behind the point where there are many.
std::string rate_text(std::uint64_t before, std::uint64_t now, double seconds) {
  const double rate = seconds > 0 && now > before ? static_cast<double>(now - before) / seconds : 0;
  return rate >= 10 || rate == 0 ? fmt::format("{:.0f}/s", rate) : fmt::format("{:.1f}/s", rate);
}

/// At most `width` characters (not bytes) of `line`.
std::string cut(std::string line, std::size_t width) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0) == 0x80)
      continue;
    if (characters++ == width)
      return line.substr(0, i);
  }
  return line;
}

}  // namespace

std::vector<std::string> progress_lines(const ServiceQueues& services, const Snapshot& before,
                                        const Snapshot& now, double seconds, std::size_t width,
                                        std::size_t height) {
  std::size_t names = 7;
  for (const auto& source : now.sources)
    names = std::max(names, std::min<std::size_t>(source.name.size(), 24));
  for (const auto& [service, queue] : services)
    names = std::max(names, std::min<std::size_t>(service.size(), 24));
  std::vector<std::string> lines;
  for (const auto& source : now.sources) {
    const auto* former = find_named(before.sources, source.name);
    lines.push_back(fmt::format(
        "{:<{}.{}}  {:>9} in    {:>8}  acknowledged {}", source.name, names, names, source.events,
        rate_text(former == nullptr ? 0 : former->events, source.events, seconds),
        source.acknowledged));
  }
  for (const auto& [name, queue_name] : services) {
    const auto* service = find_named(now.services, name);
    const auto* former = find_named(before.services, name);
    const auto* queue = find_named(now.queues, queue_name);
    if (service == nullptr || queue == nullptr)
      continue;
    lines.push_back(fmt::format(
        "{:<{}.{}}  {:>9} done  {:>8}  in flight {}, backlog {}", name, names, names,
        service->processed,
        rate_text(former == nullptr ? 0 : former->processed, service->processed, seconds),
        queue->in_flight, queue->visible + queue->delayed));
  }
  const std::string last = fmt::format("dead letters {}", now.dead_letters);
  if (lines.size() + 1 > height) {
    const std::size_t kept = height > 2 ? height - 2 : 0;
    const std::size_t hidden = lines.size() - std::min(kept, lines.size());
    lines.resize(std::min(kept, lines.size()));
    lines.push_back(fmt::format("and {} more, {}", hidden, last));
  } else {
    lines.push_back(last);
  }
  for (std::string& line : lines)
    line = cut(std::move(line), width);
  return lines;
}

std::string progress_text(const ServiceQueues& services, const Snapshot& now) {
  std::uint64_t events = 0, acknowledged = 0, processed = 0, in_flight = 0, backlog = 0;
  for (const auto& source : now.sources) {
    events += source.events;
    acknowledged += source.acknowledged;
  }
  for (const auto& service : now.services)
    processed += service.processed;
  for (const auto& [service, queue_name] : services) {
    const auto* queue = find_named(now.queues, queue_name);
    if (queue == nullptr)
      continue;
    in_flight += queue->in_flight;
    backlog += queue->visible + queue->delayed;
  }
  return fmt::format("{} in, {} acknowledged, {} processed, {} in flight, backlog {}, {}", events,
                     acknowledged, processed, in_flight, backlog,
                     count_text(now.dead_letters, "dead letter"));
}

std::pair<std::size_t, std::size_t> LiveDisplay::size() const {
  winsize window{};
  if (::ioctl(terminal_, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0)
    return {80, 24};
  return {window.ws_col, window.ws_row};
}

void LiveDisplay::draw(std::vector<std::string> lines) {
  const std::lock_guard lock(mutex_);
  lines_ = std::move(lines);
  put({});
}

void LiveDisplay::write_above(std::string_view line) {
  const std::lock_guard lock(mutex_);
  put(line);
}

void LiveDisplay::clear() {
  const std::lock_guard lock(mutex_);
  lines_.clear();
  put({});
}

/// REQUIRES: mutex_. Goes back to the display's first line and writes over everything, line by
/// line, clearing only behind what was written: nothing that stays the same ever vanishes.
void LiveDisplay::put(std::string_view above) {
  if (drawn_ == 0 && lines_.empty() && above.empty())
    return;
  std::string text = drawn_ > 0 ? fmt::format("\033[{}F", drawn_) : "";
  if (!above.empty())
    text += fmt::format("{}\033[K\n", above);
  for (const std::string& line : lines_)
    text += line + "\033[K\n";
  text += "\033[J";
  drawn_ = lines_.size();
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(terminal_, rest.data(), rest.size());
    if (written <= 0)
      return;  // the terminal is gone: nobody is there to see it
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace sluice::core
