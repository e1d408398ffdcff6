#include "cli/scale_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/utf8.hpp"

namespace sluice::core {
namespace {

constexpr int kLeft = 70, kRight = 30, kWidth = kLeft + ScalePlot::kColumns + kRight;
constexpr int kPanelHeight = 150, kPanelStep = 205, kFirstPanel = 78;
constexpr int kHeight = kFirstPanel + 2 * kPanelStep + kPanelHeight + 56;
constexpr double kMarkDistance = 6;

constexpr std::string_view kStyle = R"(<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .unit { font-weight: 600; }
  .background { fill: #ffffff; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .axis { stroke: #59636e; stroke-width: 1; }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
  .visible { stroke: #0969da; } .in-flight { stroke: #bc4c00; } .metric { stroke: #8250df; } .workers { stroke: #1a7f37; }
  .target { stroke: #cf222e; stroke-dasharray: 7 4; } .low { stroke: #6e7781; stroke-dasharray: 2 4; }
  .out { fill: #cf222e; stroke: none; } .in { fill: #0969da; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .background { fill: #0d1117; }
    .grid { stroke: #2b323b; }
    .axis { stroke: #9198a1; }
    .visible { stroke: #58a6ff; } .in-flight { stroke: #f0883e; } .metric { stroke: #bc8cff; } .workers { stroke: #3fb950; }
    .target { stroke: #ff7b72; } .low { stroke: #9198a1; }
    .out { fill: #ff7b72; } .in { fill: #58a6ff; }
  }
</style>
)";

/// Text of an element: what XML forbids becomes '?'.
std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const char byte = text[at];
    if (length == 0 || static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) {
      result += '?';
    } else if (byte == '&' || byte == '<' || byte == '>') {
      result += byte == '&' ? "&amp;" : byte == '<' ? "&lt;" : "&gt;";
    } else if (text.substr(at, length) == "\xEF\xBF\xBE" ||
               text.substr(at, length) == "\xEF\xBF\xBF") {
      result += '?';  // U+FFFE and U+FFFF
    } else {
      result += text.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return result;
}

std::string text_at(double x, double y, std::string_view text, std::string_view attributes = {}) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}{}>{}</text>\n", x, y,
                     attributes.empty() ? "" : " ", attributes, escaped(text));
}

std::string line_at(const char* name, double x1, double y1, double x2, double y2) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", name, x1,
      y1, x2, y2);
}

/// 1, 2 or 5 times a power of ten: at most `count` of them make up `range`.
double nice_step(double range, int count) {
  const double raw = range / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9))
      return factor * power;
  }
  return 10 * power;
}

/// "0.5", "1500", "-20k", "3M".
std::string number_text(double value) {
  if (std::abs(value) >= 1e6)
    return fmt::format("{:.6g}M", value / 1e6);
  if (std::abs(value) >= 1e4)
    return fmt::format("{:.6g}k", value / 1e3);
  return fmt::format("{:.6g}", value);
}

struct TimeUnit {
  const char* name;
  double seconds;
};

TimeUnit time_unit(double range_seconds) {
  constexpr double kMinute = 60, kHour = 3600, kDay = 86400;
  if (range_seconds <= 50 * kMinute)
    return {"s", 1};
  if (range_seconds <= 10 * kHour)
    return {"min", kMinute};
  return range_seconds <= 10 * kDay ? TimeUnit{"h", kHour} : TimeUnit{"d", kDay};
}

std::string_view metric_unit(ScalingMetric::Type type) {
  switch (type) {
    case ScalingMetric::Type::backlog_per_worker:
      return "metric, %";
    case ScalingMetric::Type::visible:
      return "visible messages per worker";
    case ScalingMetric::Type::visible_and_in_flight:
      return "visible and in-flight messages per worker";
    case ScalingMetric::Type::age_of_oldest:
      return "age of the oldest message, s";
    case ScalingMetric::Type::latency_backlog:
      return "backlog, % of the acceptable latency";
  }
  return "metric";
}

}  // namespace

/// Where a panel's values lie: from 0, or from what is below it.
struct ScalePlot::Axes {
  Axes(int panel, double greatest, bool is_whole, double lowest = 0)
      : top(kFirstPanel + panel * kPanelStep), bottom(top + kPanelHeight) {
    step = nice_step(greatest > lowest ? greatest - lowest : 1, 4);
    if (is_whole)
      step = std::max(step, 1.0);
    first = static_cast<int>(std::floor(lowest / step + 1e-9));
    least = step * first;
    most = step * std::max(1.0, std::ceil(greatest / step - 1e-9));
  }
  double y_of(double value) const {
    return bottom - (value - least) / (most - least) * kPanelHeight;
  }

  int top, bottom;
  double step, least, most;
  int first;  ///< tick, in steps
};

void ScalePlot::Trace::add(std::size_t column, Point point) {
  greatest_ = std::max(greatest_, point.value);
  least_ = std::min(least_, point.value);
  std::optional<Column>& into = columns_[column];
  if (!into) {
    into = Column{point, point, point, point};
    return;
  }
  if (point.value < into->least.value)
    into->least = point;
  if (point.value > into->greatest.value)
    into->greatest = point;
  into->last = point;
}

std::vector<ScalePlot::Point> ScalePlot::Trace::points() const {
  std::vector<Point> all;
  for (const std::optional<Column>& column : columns_) {
    if (!column)
      continue;
    const bool falls = column->greatest.seconds < column->least.seconds;
    for (const Point& point : {column->first, falls ? column->greatest : column->least,
                               falls ? column->least : column->greatest, column->last}) {
      if (all.empty() || all.back().seconds < point.seconds)
        all.push_back(point);
    }
  }
  return all;
}

ScalePlot::ScalePlot(const ScalingSimulation& simulation, std::string title)
    : simulation_(simulation),
      title_(std::move(title)),
      seconds_(static_cast<double>(std::max(simulation.until_ms, simulation.policy.period_ms)) /
               1000),
      last_mark_{-kMarkDistance, -kMarkDistance} {}

double ScalePlot::x_of(double seconds) const {
  return kLeft + seconds / seconds_ * kColumns;
}

void ScalePlot::add(const SimulatedSample& simulated) {
  const auto& [sample, decision] = simulated;
  const double seconds = static_cast<double>(sample.time_ms) / 1000;
  const auto column = static_cast<std::size_t>(seconds / seconds_ * (kColumns - 1));
  visible_.add(column, {seconds, static_cast<double>(sample.visible)});
  in_flight_.add(column, {seconds, static_cast<double>(sample.in_flight)});
  workers_.add(column, {seconds, static_cast<double>(decision.desired)});
  if (decision.metric)
    metric_.add(column, {seconds, *decision.metric});
  const bool is_out = decision.action == ScalingDecision::Action::out;
  double& last_mark = last_mark_[is_out ? 1 : 0];
  if (decision.action == ScalingDecision::Action::none || x_of(seconds) - last_mark < kMarkDistance)
    return;
  last_mark = x_of(seconds);
  marks_.push_back({{seconds, static_cast<double>(decision.desired)},
                    is_out,
                    fmt::format("{} s: from {} to {} workers. {}", seconds, decision.count,
                                decision.desired, reason_text(simulation_.policy, decision))});
}

std::string ScalePlot::line(const Axes& axes, const Trace& trace, const char* name) const {
  std::string data;
  for (const Point& point : trace.points()) {
    data += fmt::format("{}{:.1f} {:.1f}", data.empty() ? "M" : "L", x_of(point.seconds),
                        axes.y_of(point.value));
  }
  return data.empty() ? "" : fmt::format("<path class=\"line {}\" d=\"{}\"/>\n", name, data);
}

/// Each value stands until the next; `from` before the first.
std::string ScalePlot::steps(const Axes& axes, const Trace& trace, const char* name,
                             double from) const {
  std::string data = fmt::format("M{:.1f} {:.1f}", x_of(0), axes.y_of(from));
  for (const Point& point : trace.points())
    data += fmt::format("H{:.1f}V{:.1f}", x_of(point.seconds), axes.y_of(point.value));
  return fmt::format("<path class=\"line {}\" d=\"{}\"/>\n", name, data);
}

/// Grid, axes, ticks, what is measured, and the legend above.
std::string ScalePlot::frame(const Axes& axes, const std::string& unit,
                             const std::vector<std::pair<const char*, std::string>>& legend) const {
  std::string svg = text_at(kLeft, axes.top - 12, unit, "class=\"unit\"");
  for (int i = axes.first; i * axes.step <= axes.most * (1 + 1e-9); ++i) {
    const double y = axes.y_of(i * axes.step);
    svg += line_at(i == 0 ? "axis" : "grid", kLeft, y, kLeft + kColumns, y);
    svg += text_at(kLeft - 8, y + 4, number_text(i * axes.step), "text-anchor=\"end\"");
  }
  svg += line_at("axis", kLeft, axes.top, kLeft, axes.bottom);
  double x = kLeft + kColumns;
  const double y = axes.top - 16;
  for (auto entry = legend.rbegin(); entry != legend.rend(); ++entry) {
    const auto& [name, text] = *entry;
    x -= 7.0 * static_cast<double>(text.size());
    svg += text_at(x, y + 4, text);
    const bool is_mark = std::string_view(name) == "out" || std::string_view(name) == "in";
    svg += is_mark ? fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}h10l-5 {}z\"/>\n", name,
                                 x - 16, std::string_view(name) == "out" ? y + 4 : y - 4,
                                 std::string_view(name) == "out" ? -9 : 9)
                   : line_at(fmt::format("line {}", name).c_str(), x - 30, y, x - 6, y);
    x -= is_mark ? 30 : 44;
  }
  return svg;
}

std::string ScalePlot::threshold(const Axes& axes, const char* name, double value) const {
  const double y = axes.y_of(value);
  return line_at(fmt::format("line {}", name).c_str(), kLeft, y, kLeft + kColumns, y);
}

std::string ScalePlot::messages_panel() const {
  const Axes axes(0, std::max(visible_.greatest(), in_flight_.greatest()), true);
  return frame(axes, "messages", {{"visible", "visible"}, {"in-flight", "in flight"}}) +
         line(axes, in_flight_, "in-flight") + line(axes, visible_, "visible");
}

std::string ScalePlot::metric_panel() const {
  const ScalingPolicy& policy = simulation_.policy;
  if (!policy.tracks_target)
    return frame({1, 0, false}, "no metric: the number of workers is fixed", {});
  const Axes axes(1, std::max(metric_.greatest(), policy.target_value), false, metric_.least());
  std::vector<std::pair<const char*, std::string>> legend{
      {"metric", "metric"}, {"target", fmt::format("target {}", number_text(policy.target_value))}};
  std::string low;
  if (!policy.disable_scale_in) {
    legend.emplace_back("low", fmt::format("low: below {}", number_text(policy.low_value())));
    low = threshold(axes, "low", policy.low_value());
  }
  return frame(axes, std::string(metric_unit(policy.metric.type)), legend) + low +
         threshold(axes, "target", policy.target_value) + line(axes, metric_, "metric");
}

std::string ScalePlot::workers_panel() const {
  const Axes axes(2, std::max<double>(workers_.greatest(), simulation_.policy.desired_capacity),
                  true);
  std::string svg =
      frame(axes, "workers", {{"workers", "desired"}, {"out", "scale-out"}, {"in", "scale-in"}}) +
      steps(axes, workers_, "workers", simulation_.policy.desired_capacity);
  for (const Mark& mark : marks_) {
    const double x = x_of(mark.point.seconds) - 5, y = axes.y_of(mark.point.value);
    svg +=
        fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}h10l-5 {}z\"><title>{}</title></path>\n",
                    mark.is_out ? "out" : "in", x, mark.is_out ? y + 5 : y - 5,
                    mark.is_out ? -9 : 9, escaped(mark.text));
  }
  return svg;
}

std::string ScalePlot::time_axis() const {
  const TimeUnit unit = time_unit(seconds_);
  const double range = seconds_ / unit.seconds, step = nice_step(range, 10);
  const int bottom = kFirstPanel + 2 * kPanelStep + kPanelHeight;
  std::string svg;
  for (int i = 0; i * step <= range * (1 + 1e-9); ++i) {
    const double x = x_of(i * step * unit.seconds);
    for (int panel = 0; panel < 3; ++panel) {
      const int top = kFirstPanel + panel * kPanelStep;
      if (i > 0)
        svg += line_at("grid", x, top, x, top + kPanelHeight);
    }
    svg += line_at("axis", x, bottom, x, bottom + 5);
    svg += text_at(x, bottom + 20, number_text(i * step), "text-anchor=\"middle\"");
  }
  return svg + text_at(kLeft + kColumns / 2.0, bottom + 42, fmt::format("time, {}", unit.name),
                       "class=\"unit\" text-anchor=\"middle\"");
}

std::string ScalePlot::svg() const {
  const std::string title = escaped(title_);
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
             "height=\"{1}\" role=\"img\">\n<title>{2}</title>\n"
             "<desc>Messages, metric and workers over time, as sluice scale simulates "
             "them.</desc>\n",
             kWidth, kHeight, title) +
         std::string(kStyle) +
         fmt::format("<rect class=\"background\" width=\"{}\" height=\"{}\"/>\n", kWidth, kHeight) +
         text_at(kLeft, 30, title_, "class=\"title\"") + time_axis() + messages_panel() +
         metric_panel() + workers_panel() + "</svg>\n";
}

}  // namespace sluice::core
