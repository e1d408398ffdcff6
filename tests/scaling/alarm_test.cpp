// Alarms: what CloudWatch's user guide says of missing data, row by row, and the words for it.
#include "scaling/alarm.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace sluice::test {
namespace {

using namespace core;

constexpr std::int64_t kBegin = 1'795'341'600'000;  // 2026-11-22T10:00:00Z
constexpr MissingData kTreatments[] = {MissingData::missing, MissingData::ignore,
                                       MissingData::breaching, MissingData::not_breaching};
constexpr AlarmState kStates[] = {AlarmState::ok, AlarmState::alarm, AlarmState::insufficient_data};

/// X breaches, 0 does not, - is missing; a period each, the newest last.
std::vector<AlarmDatapoint> points_of(std::string_view picture) {
  std::vector<AlarmDatapoint> points;
  std::int64_t begin_ms = kBegin;
  for (const char c : picture) {
    points.push_back({c == '-' ? std::nullopt : std::optional(c == 'X' ? 101.0 : 3.0), begin_ms});
    begin_ms += 60'000;
  }
  return points;
}

AlarmRule rule_of(std::uint32_t m, std::uint32_t n, MissingData missing_data) {
  return {.threshold = 100,
          .evaluation_periods = n,
          .datapoints_to_alarm = m,
          .missing_data = missing_data};
}

/// A row of the guide's tables. "keep": the state stays.
struct Row {
  std::string_view name;
  std::uint32_t m;  ///< of 3
  std::string_view picture;
  std::string_view expected[4];  ///< missing, ignore, breaching, notBreaching
};

class Guide : public testing::TestWithParam<Row> {};

TEST_P(Guide, the_row_holds_under_every_treatment_and_from_every_state) {
  const Row& row = GetParam();
  for (std::size_t i = 0; i < 4; ++i) {
    for (const AlarmState before : kStates) {
      const AlarmState after =
          judge(rule_of(row.m, 3, kTreatments[i]), points_of(row.picture), before).state;
      EXPECT_EQ(name_of(after), row.expected[i] == "keep" ? name_of(before) : row.expected[i])
          << row.picture << " " << kMissingDataNames[i] << " from " << name_of(before);
    }
  }
}

constexpr std::string_view kInsufficient = "INSUFFICIENT_DATA";
constexpr Row kRows[] = {
    {"three_real_ones_one_fine", 3, "0-X-X", {"OK", "OK", "OK", "OK"}},
    {"one_old_fine_one", 3, "0----", {"OK", "OK", "OK", "OK"}},
    {"nothing", 3, "-----", {kInsufficient, "keep", "ALARM", "OK"}},
    {"the_newest_three_real_ones_breach", 3, "0XX-X", {"ALARM", "ALARM", "ALARM", "ALARM"}},
    {"one_that_breaches_and_is_old_enough", 3, "--X--", {"ALARM", "keep", "ALARM", "OK"}},
    // "Avoiding premature transitions to alarm state": it "does not go immediately into ALARM".
    {"one_that_breaches_and_is_too_young", 3, "---X-", {"keep", "keep", "ALARM", "OK"}},
    {"the_newest_alone_breaches", 3, "----X", {"keep", "keep", "ALARM", "OK"}},
    {"two_of_three_breach", 2, "0-X-X", {"ALARM", "ALARM", "ALARM", "ALARM"}},
    {"two_of_the_newest_three_breach", 2, "00X0X", {"ALARM", "ALARM", "ALARM", "ALARM"}},
    {"two_of_three_one_breaches_one_is_fine", 2, "0-X--", {"OK", "OK", "ALARM", "OK"}},
    {"two_of_three_one_fine", 2, "----0", {"OK", "OK", "ALARM", "OK"}},
    {"two_of_three_one_that_breaches_and_is_old_enough",
     2,
     "---X-",
     {"ALARM", "keep", "ALARM", "OK"}},
};
INSTANTIATE_TEST_SUITE_P(Rows, Guide, testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Alarm, one_of_one_needs_one_datapoint_and_keeps_to_it_while_it_is_in_the_range) {
  const AlarmRule rule = rule_of(1, 1, MissingData::missing);
  EXPECT_EQ(judge(rule, points_of("X"), AlarmState::ok).state, AlarmState::alarm);
  EXPECT_EQ(judge(rule, points_of("0"), AlarmState::alarm).state, AlarmState::ok);
  EXPECT_EQ(judge(rule, points_of("X--"), AlarmState::ok).state, AlarmState::alarm);
  EXPECT_EQ(judge(rule, points_of("---"), AlarmState::alarm).state, AlarmState::insufficient_data);
}

TEST(Alarm, each_operator_is_exact_at_the_threshold) {
  const auto breaches = [](AlarmComparison comparison) {
    const AlarmRule rule{.comparison = comparison, .threshold = 100};
    return std::vector<bool>{rule.breaches(99), rule.breaches(100), rule.breaches(101)};
  };
  using Three = std::vector<bool>;
  EXPECT_EQ(breaches(AlarmComparison::greater_or_equal), (Three{false, true, true}));
  EXPECT_EQ(breaches(AlarmComparison::greater), (Three{false, false, true}));
  EXPECT_EQ(breaches(AlarmComparison::less), (Three{true, false, false}));
  EXPECT_EQ(breaches(AlarmComparison::less_or_equal), (Three{true, true, false}));
}

TEST(Alarm, a_statistic_is_of_the_samples_of_a_period) {
  const double samples[] = {4, 1, 7};
  EXPECT_EQ(statistic_of(AlarmStatistic::sample_count, samples), 3);
  EXPECT_EQ(statistic_of(AlarmStatistic::average, samples), 4);
  EXPECT_EQ(statistic_of(AlarmStatistic::sum, samples), 12);
  EXPECT_EQ(statistic_of(AlarmStatistic::minimum, samples), 1);
  EXPECT_EQ(statistic_of(AlarmStatistic::maximum, samples), 7);
  EXPECT_EQ(statistic_of(AlarmStatistic::sample_count, {}), std::nullopt) << "it is missing";
}

TEST(Alarm, begins_without_data_and_tells_of_each_change_once) {
  core::Alarm alarm(rule_of(1, 1, MissingData::missing));
  EXPECT_EQ(alarm.state(), AlarmState::insufficient_data);
  EXPECT_EQ(alarm.reason(), "Unchecked: Initial alarm creation");
  EXPECT_TRUE(alarm.evaluate({100, kBegin}));
  EXPECT_EQ(alarm.state(), AlarmState::ok);
  EXPECT_EQ(alarm.old_state(), AlarmState::insufficient_data);
  EXPECT_FALSE(alarm.evaluate({99, kBegin + 60'000}));
  EXPECT_TRUE(alarm.evaluate({1100, kBegin + 120'000}));
  EXPECT_EQ(alarm.old_state(), AlarmState::ok);
  EXPECT_EQ(alarm.reason(),
            "Threshold Crossed: 1 datapoint [1100.0 (22/11/26 10:02:00)] was greater than the "
            "threshold (100.0).");
  EXPECT_FALSE(alarm.evaluate({1200, kBegin + 180'000})) << "the transition was told";
  EXPECT_EQ(alarm.reason().find("1200"), std::string::npos) << "the reason is the transition's";
}

TEST(Alarm, periods_that_were_slept_through_are_missing) {
  core::Alarm alarm(rule_of(3, 3, MissingData::missing));
  for (int period = 0; period < 3; ++period)
    alarm.evaluate({200, kBegin});
  EXPECT_EQ(alarm.state(), AlarmState::alarm);
  for (int period = 0; period < 4; ++period)
    alarm.skip(kBegin);
  EXPECT_TRUE(alarm.evaluate({0, kBegin})) << "the old ones are out of the range";
  EXPECT_EQ(alarm.state(), AlarmState::ok);
}

/// What is decided and its words.
std::string reason_of(std::uint32_t m, std::uint32_t n, MissingData missing_data,
                      std::string_view picture) {
  const AlarmRule rule = rule_of(m, n, missing_data);
  return reason_text(rule, judge(rule, points_of(picture), AlarmState::ok));
}

TEST(Reason, is_in_cloudwatchs_words) {
  EXPECT_EQ(reason_of(1, 1, MissingData::missing, "0"),
            "Threshold Crossed: 1 datapoint [3.0 (22/11/26 10:00:00)] was not greater than the "
            "threshold (100.0).");
  EXPECT_EQ(reason_of(2, 2, MissingData::missing, "XX"),
            "Threshold Crossed: 2 datapoints [101.0 (22/11/26 10:01:00), 101.0 (22/11/26 "
            "10:00:00)] were greater than the threshold (100.0).");
  EXPECT_EQ(reason_of(2, 3, MissingData::missing, "X0X"),
            "Threshold Crossed: 2 out of the last 3 datapoints [101.0 (22/11/26 10:02:00), 101.0 "
            "(22/11/26 10:00:00)] were greater than the threshold (100.0) (minimum 2 datapoints "
            "for OK -> ALARM transition).");
  EXPECT_EQ(reason_of(3, 3, MissingData::missing, "X0X"),
            "Threshold Crossed: 1 out of the last 3 datapoints [3.0 (22/11/26 10:01:00)] was not "
            "greater than the threshold (100.0) (minimum 1 datapoint for ALARM -> OK transition).");
  EXPECT_EQ(reason_of(3, 3, MissingData::missing, "-----"),
            "Insufficient Data: 3 datapoints were unknown.");
  EXPECT_EQ(reason_of(1, 1, MissingData::not_breaching, "---"),
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint "
            "was treated as [NonBreaching].");
  EXPECT_EQ(reason_of(3, 3, MissingData::breaching, "--X--"),
            "Threshold Crossed: 1 datapoint [101.0 (22/11/26 10:02:00)] was greater than the "
            "threshold (100.0) and 2 missing datapoints were treated as [Breaching].");
  EXPECT_EQ(reason_of(6, 6, MissingData::missing, "XXXXXX"),
            "Threshold Crossed: 6 datapoints were greater than the threshold (100.0). The most "
            "recent datapoints which crossed the threshold: [101.0 (22/11/26 10:05:00), 101.0 "
            "(22/11/26 10:04:00), 101.0 (22/11/26 10:03:00), 101.0 (22/11/26 10:02:00), 101.0 "
            "(22/11/26 10:01:00)].");
  EXPECT_EQ(alarm_number(0.25), "0.25");
  EXPECT_EQ(alarm_number(-3), "-3.0");
}

/// The rule anew, the long way: what each treatment makes of a text of X, 0 and -.
AlarmState plain(std::uint32_t m, std::uint32_t n, MissingData missing_data, std::string picture,
                 AlarmState now) {
  picture.insert(0, std::string(n + 2 - picture.size(), '-'));
  std::string real = picture;
  std::erase(real, '-');
  std::string looked_at = real.substr(real.size() - std::min<std::size_t>(real.size(), n));
  const bool enough = looked_at.size() == n;
  if (missing_data == MissingData::breaching || missing_data == MissingData::not_breaching)
    looked_at.append(n - looked_at.size(), missing_data == MissingData::breaching ? 'X' : '0');
  if (std::ranges::count(looked_at, 'X') >= m)
    return AlarmState::alarm;
  if (enough || looked_at.find('0') != std::string::npos)
    return AlarmState::ok;
  if (missing_data == MissingData::ignore)
    return now;
  if (real.empty())
    return AlarmState::insufficient_data;
  return picture.size() - picture.find('X') >= m ? AlarmState::alarm : now;
}

RC_GTEST_PROP(Alarm, decides_as_the_plain_rule_does, ()) {
  const auto n = *rc::gen::inRange<std::uint32_t>(1, 7);
  const auto m = *rc::gen::inRange<std::uint32_t>(1, n + 1);
  const MissingData missing_data =
      *rc::gen::elementOf(std::vector<MissingData>(std::begin(kTreatments), std::end(kTreatments)));
  const AlarmState now =
      *rc::gen::elementOf(std::vector<AlarmState>(std::begin(kStates), std::end(kStates)));
  auto picture = *rc::gen::container<std::string>(rc::gen::element('X', '0', '-', '-'));
  picture.resize(std::min<std::size_t>(picture.size(), n + 2));
  RC_ASSERT(judge(rule_of(m, n, missing_data), points_of(picture), now).state ==
            plain(m, n, missing_data, picture, now));
}

}  // namespace
}  // namespace sluice::test
