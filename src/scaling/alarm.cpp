#include "scaling/alarm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <numeric>

#include "base/units.hpp"

namespace sluice::core {
namespace {

/// "22/11/26 10:00:00", UTC: day, month, year.
std::string time_text(std::int64_t wall_ms) {
  using namespace std::chrono;
  const sys_seconds time = floor<seconds>(sys_time<milliseconds>(milliseconds(wall_ms)));
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:02}/{:02}/{:02} {:02}:{:02}:{:02}", static_cast<unsigned>(date.day()),
                     static_cast<unsigned>(date.month()), static_cast<int>(date.year()) % 100,
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string_view comparison_text(AlarmComparison comparison) {
  switch (comparison) {
    case AlarmComparison::greater_or_equal:
      return "greater than or equal to";
    case AlarmComparison::greater:
      return "greater than";
    case AlarmComparison::less:
      return "less than";
    case AlarmComparison::less_or_equal:
      return "less than or equal to";
  }
  return "";
}

std::string filled_text(const AlarmRule& rule, std::uint32_t filled) {
  return fmt::format("{} {} treated as [{}]", count_text(filled, "missing datapoint"),
                     filled == 1 ? "was" : "were",
                     rule.missing_data == MissingData::breaching ? "Breaching" : "NonBreaching");
}

/// The datapoints that made it so, and the rest only as a number.
std::string crossed_text(const AlarmRule& rule, const AlarmJudgement& judgement) {
  constexpr std::uint32_t kShown = 5;
  const bool alarms = judgement.state == AlarmState::alarm;
  std::string shown;
  std::uint32_t count = 0;
  for (const AlarmDatapoint& point : judgement.decided_by) {
    if (rule.breaches(*point.value) != alarms || ++count > kShown)
      continue;
    shown += fmt::format("{}{} ({})", shown.empty() ? "" : ", ", alarm_number(*point.value),
                         time_text(point.begin_ms));
  }
  const bool is_short =
      rule.datapoints_to_alarm == rule.evaluation_periods && count == judgement.decided_by.size();
  std::string text = is_short ? count_text(count, "datapoint")
                              : fmt::format("{} out of the last {}", count,
                                            count_text(judgement.decided_by.size(), "datapoint"));
  if (count <= kShown)
    text += fmt::format(" [{}]", shown);
  text += fmt::format(" {} {}{} the threshold ({})", count == 1 ? "was" : "were",
                      alarms ? "" : "not ", comparison_text(rule.comparison),
                      alarm_number(rule.threshold));
  if (judgement.filled != 0)
    text += " and " + filled_text(rule, judgement.filled);
  if (!is_short) {
    const std::uint32_t least =
        alarms ? rule.datapoints_to_alarm : rule.evaluation_periods - rule.datapoints_to_alarm + 1;
    text += fmt::format(" (minimum {} for {} transition)", count_text(least, "datapoint"),
                        alarms ? "OK -> ALARM" : "ALARM -> OK");
  }
  text += ".";
  if (count > kShown) {
    text += fmt::format(" The most recent datapoints which crossed the threshold: [{}].", shown);
  }
  return text;
}

}  // namespace

std::string_view name_of(AlarmState state) {
  switch (state) {
    case AlarmState::ok:
      return "OK";
    case AlarmState::alarm:
      return "ALARM";
    case AlarmState::insufficient_data:
      return "INSUFFICIENT_DATA";
  }
  return "";
}

bool AlarmRule::breaches(double value) const {
  switch (comparison) {
    case AlarmComparison::greater_or_equal:
      return value >= threshold;
    case AlarmComparison::greater:
      return value > threshold;
    case AlarmComparison::less:
      return value < threshold;
    case AlarmComparison::less_or_equal:
      return value <= threshold;
  }
  return false;
}

std::optional<double> statistic_of(AlarmStatistic statistic, std::span<const double> samples) {
  if (samples.empty())
    return std::nullopt;
  const double sum = std::accumulate(samples.begin(), samples.end(), 0.0);
  switch (statistic) {
    case AlarmStatistic::sample_count:
      return static_cast<double>(samples.size());
    case AlarmStatistic::average:
      return sum / static_cast<double>(samples.size());
    case AlarmStatistic::sum:
      return sum;
    case AlarmStatistic::minimum:
      return *std::ranges::min_element(samples);
    case AlarmStatistic::maximum:
      return *std::ranges::max_element(samples);
  }
  return std::nullopt;
}

AlarmJudgement judge(const AlarmRule& rule, std::span<const AlarmDatapoint> points,
                     AlarmState now) {
  assert(points.size() <= rule.range());
  AlarmJudgement judgement;
  std::uint32_t breaching = 0, oldest_age = 0;
  const std::uint32_t n = rule.evaluation_periods, m = rule.datapoints_to_alarm;
  for (std::size_t age = 1; age <= points.size() && judgement.decided_by.size() < n; ++age) {
    const AlarmDatapoint& point = points[points.size() - age];
    if (!point.value)
      continue;
    judgement.decided_by.push_back(point);
    breaching += rule.breaches(*point.value) ? 1 : 0;
    oldest_age = static_cast<std::uint32_t>(age);
  }
  const auto found = static_cast<std::uint32_t>(judgement.decided_by.size());
  const bool fills = rule.missing_data == MissingData::breaching ||
                     rule.missing_data == MissingData::not_breaching;
  if (fills) {
    judgement.filled = n - found;
    breaching += rule.missing_data == MissingData::breaching ? judgement.filled : 0;
  }
  if (breaching >= m) {
    judgement.state = AlarmState::alarm;
  } else if (found + judgement.filled == n || breaching < found) {
    judgement.state = AlarmState::ok;
  } else if (rule.missing_data == MissingData::missing && found == 0) {
    judgement.state = AlarmState::insufficient_data;
  } else if (rule.missing_data == MissingData::missing && oldest_age >= m) {
    judgement.state = AlarmState::alarm;
  } else {
    judgement.state = now;
  }
  return judgement;
}

std::string alarm_number(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

std::string reason_text(const AlarmRule& rule, const AlarmJudgement& judgement) {
  if (judgement.state == AlarmState::insufficient_data) {
    return fmt::format("Insufficient Data: {} {} unknown.",
                       count_text(rule.evaluation_periods, "datapoint"),
                       rule.evaluation_periods == 1 ? "was" : "were");
  }
  if (judgement.decided_by.empty()) {
    return fmt::format("Threshold Crossed: no datapoints were received for {} and {}.",
                       count_text(judgement.filled, "period"), filled_text(rule, judgement.filled));
  }
  return "Threshold Crossed: " + crossed_text(rule, judgement);
}

void Alarm::append(const AlarmDatapoint& point) {
  if (points_.size() == rule_.range())
    points_.erase(points_.begin());
  points_.push_back(point);
}

bool Alarm::evaluate(const AlarmDatapoint& point) {
  append(point);
  const AlarmJudgement judgement = judge(rule_, points_, state_);
  if (judgement.state == state_)
    return false;
  old_state_ = state_;
  state_ = judgement.state;
  reason_ = reason_text(rule_, judgement);
  return true;
}

}  // namespace sluice::core
