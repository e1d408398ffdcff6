// `sluice scale` by the real binary (DESIGN §5): traces, what is wrong with a file,
// and the exit codes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "program.hpp"
#include "scaling/traces.hpp"

namespace sluice::core {
namespace {

using nlohmann::json;
using test::kTraces;
using test::Trace;
using test::TraceRow;

Said scale(std::vector<std::string> words, const std::string& input = {}) {
  words.insert(words.begin(), "scale");
  return run_sluice(words, input);
}

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(json::parse(line));
  return lines;
}

json file_of(const Trace& trace) {
  const json evaluation = trace.has_alarms ? json{{"type", "alarms"},
                                                  {"period", "60s"},
                                                  {"high_datapoints", 3},
                                                  {"low_datapoints", 15}}
                                           : json{{"type", "direct"}, {"low_samples", 1}};
  return {{"scaling",
           {{"policy", "target_tracking"},
            {"min_capacity", 1},
            {"max_capacity", 5},
            {"target_value", 100},
            {"period", "10s"},
            {"scale_out_cooldown", "60s"},
            {"scale_in_cooldown", "30s"},
            {"metric",
             {{"type", "backlog_per_worker"},
              {"acceptable_messages_per_worker", 5},
              {"overprovision_penalty", 0.5},
              {"maximum", 5}}},
            {"evaluation", evaluation}}},
          {"load",
           {{"arrivals", trace.arrivals},
            {"service_time", std::to_string(trace.service_time) + "s"},
            {"batch_size", trace.batch_size},
            {"start_delay", "0s"}}},
          {"until", std::to_string(trace.summary.ended_at) + "s"}};
}

void check_rows(const Trace& trace, const std::string& out) {
  const std::vector<json> lines = lines_of(out);
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(trace.summary.ended_at / 10 + 2));
  for (const TraceRow& row : trace.rows) {
    const json& line = lines[static_cast<std::size_t>(row.t / 10)];
    EXPECT_EQ(line["t"], row.t);
    EXPECT_EQ(line["visible"], row.visible) << line;
    EXPECT_EQ(line["in_flight"], row.in_flight) << line;
    EXPECT_EQ(line["count"], row.count) << line;
    EXPECT_NEAR(line["metric"], row.metric, 0.0005) << line;
    EXPECT_EQ(line["desired"], row.desired) << line;
    EXPECT_EQ(line["action"], row.action) << line;
  }
  const test::TraceSummary& wanted = trace.summary;
  EXPECT_EQ(lines.back(), (json{{"summary",
                                 {{"total", wanted.total},
                                  {"finished_at", wanted.finished_at},
                                  {"ended_at", wanted.ended_at},
                                  {"max_count", wanted.max_count},
                                  {"scale_outs", wanted.scale_outs},
                                  {"scale_ins", wanted.scale_ins},
                                  {"task_seconds", wanted.task_seconds}}}}));
}

class ScaleTraces : public testing::TestWithParam<Trace> {};

TEST_P(ScaleTraces, come_out_as_the_sheet_has_them) {
  const Said said = scale({"-"}, file_of(GetParam()).dump());
  EXPECT_EQ(said.exit, 0);
  EXPECT_EQ(said.err, "");
  check_rows(GetParam(), said.out);
}

INSTANTIATE_TEST_SUITE_P(Sheet, ScaleTraces, testing::ValuesIn(kTraces),
                         [](const auto& trace) { return std::string(trace.param.name); });

TEST(Scale, the_shipped_simulations_are_those_of_the_sheet) {
  const char* const files[] = {"burst.json", "small-bursts.json", "burst-alarms.json"};
  for (std::size_t i = 0; i < kTraces.size(); ++i) {
    const Said said = scale({source_root() + "/configs/simulations/" + files[i]});
    EXPECT_EQ(said.exit, 0) << said.err;
    check_rows(kTraces[i], said.out);
  }
}

/// Runs the JSON of a text, from the one part to the other.
Said scale_shown(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin), to = text.find(end, from);
  if (from == std::string::npos || to == std::string::npos)
    return {};
  return scale({"-"}, text.substr(from, to + end.size() - from));
}

TEST(Scale, what_help_shows_is_a_good_file) {
  const Said helped = scale_shown(scale({"--help"}).out, R"({"scaling")", R"("until": "20m"})");
  EXPECT_EQ(helped.exit, 0) << helped.err;
  EXPECT_EQ(lines_of(helped.out).size(), 122U);
}

TEST(Scale, a_line_has_these_keys_in_this_order) {
  const Said said = scale({"-"}, file_of(kTraces[0]).dump());
  EXPECT_EQ(
      said.out.substr(0, said.out.find('\n')),
      R"({"t":0,"visible":995,"in_flight":5,"count":1,"metric":500,"desired":5,"action":"out"})");
}

TEST(Scale, explain_adds_what_was_judged_what_is_left_of_cooldowns_and_why) {
  const Said said = scale({"-", "--explain"}, file_of(kTraces[0]).dump());
  const std::vector<json> lines = lines_of(said.out);
  EXPECT_EQ(lines[0]["judged"], 500);
  EXPECT_EQ(lines[0]["scale_out_cooldown_left"], 60);
  EXPECT_EQ(lines[0]["reason"],
            "metric 500 is above the target of 100: 1 x 500 / 100 rounds up to 5");
  EXPECT_EQ(lines[1]["reason"], "metric 500 is above the target of 100: the most run, 5");
  EXPECT_EQ(lines[100]["scale_in_cooldown_left"], 10);
  check_rows(kTraces[0], said.out);
  const Said alarms = scale({"-", "--explain"}, file_of(kTraces[2]).dump());
  EXPECT_EQ(lines_of(alarms.out)[3]["judged"], nullptr);
  EXPECT_EQ(lines_of(alarms.out)[3]["reason"], "the period is not over");
  EXPECT_EQ(lines_of(alarms.out)[204]["reason"],
            "average 50 is below 90, 0.9 of the target of 100: 5 x 50 / 100 rounds up to 3");
}

TEST(Scale, a_value_may_be_overridden) {
  const Said said = scale({"-", "--set", "/scaling/max_capacity=50", "--set", "/until=2m"},
                          file_of(kTraces[0]).dump());
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_EQ(lines_of(said.out).back()["summary"]["ended_at"], 120);
  EXPECT_GT(lines_of(said.out).back()["summary"]["max_count"], 5);
}

TEST(Scale, without_a_policy_the_number_stays_and_there_is_no_metric) {
  const Said said = scale({"-"}, R"({"scaling": {"desired_capacity": 2}, "until": "10s",
                                     "load": {"arrivals": [[0, 30]], "service_time": "1500ms"}})");
  EXPECT_EQ(said.exit, 0) << said.err;
  const std::vector<json> lines = lines_of(said.out);
  EXPECT_EQ(lines[0]["metric"], nullptr);
  EXPECT_EQ(lines[1]["desired"], 2);
  EXPECT_EQ(lines[2]["summary"]["finished_at"], nullptr) << "10 x 1.5 s and then again";
}

TEST(Scale, times_within_a_second_are_shown_as_such) {
  const Said said = scale({"-"}, R"({"scaling": {"desired_capacity": 1}, "until": "10s",
                                     "load": {"arrivals": [[1, 3]], "service_time": "250ms"}})");
  EXPECT_EQ(lines_of(said.out).back()["summary"]["finished_at"], 1.75);
}

TEST(Scale, a_wrong_file_is_a_configuration_error_with_its_place) {
  Folder folder;
  write_text(folder / "wrong.json",
             "{\n  \"scaling\": { \"max_capcity\": 5 },\n  \"load\": 5\n}\n");
  const Said said = scale({folder / "wrong.json"});
  EXPECT_EQ(said.exit, 78);
  EXPECT_EQ(said.out, "");
  EXPECT_TRUE(has(said.err,
                  "wrong.json:2:16: error: unknown key \"max_capcity\" in scaling: did you mean "
                  "\"max_capacity\"?\n"
                  "    \"scaling\": { \"max_capcity\": 5 },\n"
                  "                 ^\n"))
      << said.err;
  EXPECT_TRUE(has(said.err, "wrong.json:3:11: error: \"load\" of the simulation must be an object"))
      << said.err;
  EXPECT_TRUE(has(said.err, "lacks the key \"until\"")) << said.err;
  EXPECT_TRUE(has(said.err, "wrong.json: 3 errors")) << said.err;
}

TEST(Scale, a_warning_does_not_stop_it) {
  json file = file_of(kTraces[0]);
  file["load"]["arrivals"].push_back({5000, 1});
  const Said said = scale({"-"}, file.dump());
  EXPECT_EQ(said.exit, 0);
  EXPECT_TRUE(has(said.err, "warning: 1 arrival after \"until\" is left out")) << said.err;
  check_rows(kTraces[0], said.out);
}

TEST(Scale, hostile_files_are_refused) {
  const std::string deep(100'000, '[');
  std::string many = R"({"scaling":{},"until":"1s","load":{"service_time":"1s","arrivals":[[0])";
  for (int i = 0; i < 100'000; ++i)
    many += ",[0]";
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("\xFF\xFE"), deep, many + "]}}",
        std::string(17 << 20, ' '), std::string(R"({"scaling":{"target_value":1e999}})")}) {
    const Said said = scale({"-"}, text);
    EXPECT_EQ(said.exit, 78) << text.substr(0, 60);
    EXPECT_EQ(said.out, "");
    EXPECT_LT(said.err.size(), 400'000U) << "the first thousand faults";
  }
}

TEST(Scale, a_missing_file_is_missing_input) {
  EXPECT_EQ(scale({"/nowhere/x.json"}).exit, 66);
  EXPECT_EQ(scale({"/"}).exit, 66);
  EXPECT_EQ(scale({}).exit, 64);
}

TEST(Scale, a_reader_that_goes_away_ends_it) {
  if (::access("/dev/full", W_OK) != 0)
    GTEST_SKIP() << "there is no /dev/full";
  json file = file_of(kTraces[0]);
  file["until"] = "115d";  // 993 600 samples
  Program program({"scale", "-"}, file.dump(), {}, "/dev/full");
  const Said said = program.wait();
  EXPECT_EQ(said.exit, 74);
  EXPECT_TRUE(has(said.err, "cannot write to the standard output")) << said.err;
}

}  // namespace
}  // namespace sluice::core
