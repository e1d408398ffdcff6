// An alarm: holds a metric's datapoints, one for each period, against a threshold, as Amazon
// CloudWatch does. Pure: numbers and times come in.
//
// The rule (CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data"), for N
// evaluation periods and M datapoints to alarm. Looked at is the evaluation range, the newest N + 2
// periods:
//
//  1. N or more of them have a datapoint: the newest N decide. ALARM if M breach, else OK.
//  2. None has one: missing is INSUFFICIENT_DATA, ignore keeps the state, breaching is ALARM,
//     notBreaching OK.
//  3. Fewer than N have one, and breaching or notBreaching is said: those that lack are taken to be
//     so, and 1 holds.
//  4. Else, ALARM if M breach; OK if any does not. Where all breach, and they are too few: with
//     missing, ALARM if the oldest is at least M periods old (the newest period is 1 old); else the
//     state is kept, since the next datapoint may not breach.
//
// The guide leaves open how long the evaluation range is (its examples have 5 for N = 3), and what
// state it is that 4 keeps; both are decided here.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::core {

/// The metrics that SQS has of a queue. Those up to age are gauges, read when the period ends; the
/// others counters, of which a period has what was added.
enum class AlarmMetric : std::uint8_t {
  visible,
  not_visible,
  delayed,
  age,
  sent,
  received,
  deleted
};
inline constexpr std::string_view kAlarmMetricNames[] = {"ApproximateNumberOfMessagesVisible",
                                                         "ApproximateNumberOfMessagesNotVisible",
                                                         "ApproximateNumberOfMessagesDelayed",
                                                         "ApproximateAgeOfOldestMessage",
                                                         "NumberOfMessagesSent",
                                                         "NumberOfMessagesReceived",
                                                         "NumberOfMessagesDeleted"};
constexpr bool is_counter(AlarmMetric metric) {
  return metric >= AlarmMetric::sent;
}

enum class AlarmStatistic : std::uint8_t { sample_count, average, sum, minimum, maximum };
inline constexpr std::string_view kAlarmStatisticNames[] = {"SampleCount", "Average", "Sum",
                                                            "Minimum", "Maximum"};

enum class AlarmComparison : std::uint8_t { greater_or_equal, greater, less, less_or_equal };
inline constexpr std::string_view kAlarmComparisonNames[] = {
    "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
    "LessThanOrEqualToThreshold"};

enum class MissingData : std::uint8_t { missing, ignore, breaching, not_breaching };
inline constexpr std::string_view kMissingDataNames[] = {"missing", "ignore", "breaching",
                                                         "notBreaching"};

enum class AlarmState : std::uint8_t { ok, alarm, insufficient_data };
constexpr std::size_t kAlarmStates = 3;
/// "OK" "ALARM" "INSUFFICIENT_DATA"
std::string_view name_of(AlarmState state);

/// When an alarm fires.
struct AlarmRule {
  AlarmStatistic statistic = AlarmStatistic::sum;
  AlarmComparison comparison = AlarmComparison::greater;
  double threshold = 0;
  std::int64_t period_ms = 60'000;        ///< > 0
  std::uint32_t evaluation_periods = 1;   ///< N, > 0
  std::uint32_t datapoints_to_alarm = 1;  ///< M, 1 to N
  MissingData missing_data = MissingData::missing;

  bool breaches(double value) const;
  /// More is worse.
  bool is_upper() const { return comparison <= AlarmComparison::greater; }
  std::uint32_t range() const { return evaluation_periods + 2; }
};

/// Of a period's samples; nullopt: there is none.
std::optional<double> statistic_of(AlarmStatistic statistic, std::span<const double> samples);

/// A period.
struct AlarmDatapoint {
  std::optional<double> value;  ///< nullopt: it is missing
  std::int64_t begin_ms = 0;    ///< of the period, wall clock
};

/// What the rule makes of the datapoints.
struct AlarmJudgement {
  AlarmState state = AlarmState::insufficient_data;
  std::vector<AlarmDatapoint> decided_by;  ///< real ones, the newest first
  std::uint32_t filled = 0;                ///< missing ones that were taken for others
};

/// `points`: the oldest first, at most rule.range(). Periods before the first are missing.
AlarmJudgement judge(const AlarmRule& rule, std::span<const AlarmDatapoint> points, AlarmState now);

/// Why, in CloudWatch's words: "Threshold Crossed: 1 datapoint [1100.0 (22/11/26 10:00:00)] was
/// greater than the threshold (100.0)."
std::string reason_text(const AlarmRule& rule, const AlarmJudgement& judgement);

/// A number as CloudWatch writes it: "100.0", "0.25".
std::string alarm_number(double value);

/// The state of an alarm, from period to period.
class Alarm {
 public:
  explicit Alarm(const AlarmRule& rule) : rule_(rule) {}

  /// The next period has ended, and had no sample.
  void skip(std::int64_t begin_ms) { append({std::nullopt, begin_ms}); }
  /// The next period has ended: judges. True: the state has changed.
  bool evaluate(const AlarmDatapoint& point);

  const AlarmRule& rule() const { return rule_; }
  AlarmState state() const { return state_; }
  AlarmState old_state() const { return old_state_; }    ///< before the last change
  const std::string& reason() const { return reason_; }  ///< of the last change

 private:
  void append(const AlarmDatapoint& point);

  const AlarmRule rule_;
  std::vector<AlarmDatapoint> points_;  ///< the oldest first
  AlarmState state_ = AlarmState::insufficient_data, old_state_ = AlarmState::insufficient_data;
  std::string reason_ = "Unchecked: Initial alarm creation";
};

}  // namespace sluice::core
