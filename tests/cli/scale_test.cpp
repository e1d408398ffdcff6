// `sluice scale` by the real binary (DESIGN §5): traces, the picture, what is wrong with a file,
// and the exit codes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
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

TEST(Scale, what_help_and_docs_show_is_a_good_file) {
  const Said helped = scale_shown(scale({"--help"}).out, R"({"scaling")", R"("until": "20m"})");
  EXPECT_EQ(helped.exit, 0) << helped.err;
  EXPECT_EQ(lines_of(helped.out).size(), 122U);
  const std::string docs = read_text(source_root() + "/docs/scaling.md");
  const Said documented = scale_shown(docs, "{\n  \"scaling\"", "\n}\n");
  EXPECT_EQ(documented.exit, 0) << documented.err;
  EXPECT_EQ(documented.out, helped.out);
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
  EXPECT_EQ(scale({"-", "--plot"}).exit, 64);
}

TEST(Scale, a_plot_that_cannot_be_written_is_an_io_error) {
  const Said nowhere = scale({"-", "--plot", "/nowhere/x.svg"}, file_of(kTraces[0]).dump());
  EXPECT_EQ(nowhere.exit, 74);
  EXPECT_EQ(nowhere.out, "") << "it is told before anything is simulated";
  EXPECT_TRUE(has(nowhere.err, "/nowhere/x.svg: cannot write the plot: No such file"))
      << nowhere.err;
  if (::access("/dev/full", W_OK) == 0) {
    EXPECT_EQ(scale({"-", "--plot", "/dev/full"}, file_of(kTraces[0]).dump()).exit, 74);
  }
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

/// Behind the attributes that begin at `at`, or npos: each is ` name="value"`.
std::size_t behind_attributes(const std::string& tag, std::size_t at) {
  while (at < tag.size() && tag[at] == ' ') {
    const std::size_t equals = tag.find("=\"", ++at);
    const std::size_t end = equals == std::string::npos ? equals : tag.find('"', equals + 2);
    if (end == std::string::npos || equals == at ||
        tag.substr(at, equals - at).find(' ') != std::string::npos)
      return std::string::npos;
    at = end + 1;
  }
  return at;
}

/// What is wrong with it as XML; empty: nothing. Tags nest, attributes are quoted, and nothing
/// stands where it may not.
std::string xml_fault(const std::string& text) {
  std::vector<std::string> open;
  std::size_t at = 0;
  bool has_root = false;
  while (at < text.size()) {
    if (text[at] == '&' && text.compare(at, 5, "&amp;") != 0 && text.compare(at, 4, "&lt;") != 0 &&
        text.compare(at, 4, "&gt;") != 0)
      return "a stray & at " + std::to_string(at);
    if (text[at] == '>' || (open.empty() && text[at] != '<' && text[at] != '\n') ||
        (open.empty() && has_root && text[at] == '<'))
      return "stray text at " + std::to_string(at);
    if (text[at] != '<') {
      ++at;
      continue;
    }
    const std::size_t end = text.find('>', at);
    std::string tag = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    if (end == std::string::npos || tag.find('<') != std::string::npos)
      return "a tag without an end: " + tag;
    at = end + 1;
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag)
        return "closes what is not open: " + tag;
      open.pop_back();
      continue;
    }
    const bool is_empty = tag.ends_with('/');
    if (is_empty)
      tag.pop_back();
    const std::size_t name_end = std::min(tag.find(' '), tag.size());
    if (behind_attributes(tag, name_end) != tag.size())
      return "bad attributes: " + tag;
    has_root = true;
    if (!is_empty)
      open.push_back(tag.substr(0, name_end));
  }
  return open.empty() && has_root ? "" : "it is not whole";
}

struct Point {
  double x, y;
};

/// The points of the path of that class.
std::vector<Point> path_of(const std::string& svg, const std::string& name) {
  const std::string begin = "<path class=\"line " + name + "\" d=\"M";
  const std::size_t at = svg.find(begin);
  if (at == std::string::npos)
    return {};
  std::string data =
      svg.substr(at + begin.size(), svg.find('"', at + begin.size()) - at - begin.size());
  std::ranges::replace_if(
      data, [](char c) { return c == 'L' || c == 'H' || c == 'V'; }, ' ');
  std::istringstream numbers(data);
  std::vector<Point> points;
  for (Point point{}; numbers >> point.x >> point.y;)
    points.push_back(point);
  return points;
}

/// An element has a line of its own.
std::vector<std::string> text_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

/// Labels with that anchor, and where they stand: from left to right, or panel by panel.
std::vector<std::pair<std::string, Point>> labels_of(const std::string& svg,
                                                     const std::string& anchor) {
  const std::string form =
      "<text x=\"%lf\" y=\"%lf\" text-anchor=\"" + anchor + "\">%15[^<]</text>";
  std::vector<std::pair<std::string, Point>> labels;
  for (const std::string& line : text_lines(svg)) {
    Point at{};
    char text[16] = {};
    if (std::sscanf(line.c_str(), form.c_str(), &at.x, &at.y, text) == 3)
      labels.push_back({text, at});
  }
  return labels;
}

/// What the marks of that class tell.
std::vector<std::string> marks_of(const std::string& svg, const std::string& name) {
  std::vector<std::string> told;
  for (const std::string& line : text_lines(svg)) {
    const std::size_t at = line.find("<title>"), end = line.find("</title>");
    if (line.starts_with("<path class=\"" + name + "\"") && at != std::string::npos)
      told.push_back(line.substr(at + 7, end - at - 7));
  }
  return told;
}

/// The plot of a file.
std::string plot_of(const json& file) {
  Folder folder;
  const Said said = scale({"-", "--plot", folder / "plot.svg"}, file.dump());
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_FALSE(said.out.empty());
  return read_text(folder / "plot.svg");
}

TEST(Plot, is_well_formed_and_has_its_units_and_its_legend) {
  for (const Trace& trace : kTraces) {
    const std::string svg = plot_of(file_of(trace));
    EXPECT_EQ(xml_fault(svg), "");
    for (const char* part : {">messages<", ">metric, %<", ">workers<", ">time, s<", ">visible<",
                             ">in flight<", ">target 100<", ">low: below 90<", ">scale-out<",
                             ">scale-in<", "prefers-color-scheme: dark"})
      EXPECT_TRUE(has(svg, part)) << part;
  }
}

TEST(Plot, the_check_of_its_form_can_fail) {
  for (const char* wrong : {"", "<a>\n", "<a></b>\n", "<a>&</a>\n", "<a x=1></a>\n",
                            "<a x=\"1></a>\n", "<a></a></a>", "<a/>x", "<a/><a/>", "<a>></a>"})
    EXPECT_NE(xml_fault(wrong), "") << wrong;
  EXPECT_EQ(xml_fault("<a x=\"1\"><b/>&amp;</a>\n"), "");
}

TEST(Plot, values_stand_where_the_axes_say) {
  const Trace& trace = kTraces[0];
  const std::string svg = plot_of(file_of(trace));
  const auto times = labels_of(svg, "middle"), values = labels_of(svg, "end");
  ASSERT_GE(times.size(), 3U);
  EXPECT_EQ(times.front().first, "0");
  const double x0 = times.front().second.x;
  const double x_scale = (times.back().second.x - x0) / std::stod(times.back().first);
  const std::pair<const char*, double TraceRow::*> lines[] = {{"metric", &TraceRow::metric}};
  // The first panel's labels begin at 0, so does each next one's.
  std::vector<std::pair<double, double>> y_of;  // of 0, and of 1 more
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].first == "0")
      y_of.push_back({values[i].second.y - 4, (values[i + 1].second.y - values[i].second.y) /
                                                  std::stod(values[i + 1].first)});
  }
  ASSERT_EQ(y_of.size(), 3U);
  const auto check = [&](const char* name, std::size_t panel, auto value_of) {
    std::vector<Point> points = path_of(svg, name);
    if (panel == 2)
      points.erase(points.begin());  // what was there before the first sample
    ASSERT_EQ(points.size(), 105U) << name << ": each sample has its own column";
    for (const TraceRow& row : trace.rows) {
      const Point& point = points[static_cast<std::size_t>(row.t / 10)];
      EXPECT_NEAR(point.x, x0 + static_cast<double>(row.t) * x_scale, 0.11) << name << row.t;
      EXPECT_NEAR(point.y, y_of[panel].first + value_of(row) * y_of[panel].second, 0.11)
          << name << row.t;
    }
  };
  check("visible", 0, [](const TraceRow& row) { return static_cast<double>(row.visible); });
  check("in-flight", 0, [](const TraceRow& row) { return static_cast<double>(row.in_flight); });
  check(lines[0].first, 1, [&](const TraceRow& row) { return row.*lines[0].second; });
  check("workers", 2, [](const TraceRow& row) { return static_cast<double>(row.desired); });
  EXPECT_NEAR(path_of(svg, "workers")[0].y, y_of[2].first + y_of[2].second, 0.11) << "from 1";
}

TEST(Plot, a_metric_below_0_stays_in_its_panel) {
  json file = file_of(kTraces[0]);
  file["scaling"]["metric"]["overprovision_penalty"] = 2;
  const std::string svg = plot_of(file);
  const auto values = labels_of(svg, "end");
  const auto bottom = std::ranges::find(values, "-200", &std::pair<std::string, Point>::first);
  ASSERT_NE(bottom, values.end());
  ASSERT_EQ(bottom[1].first, "0");
  const std::vector<Point> metric = path_of(svg, "metric");
  const Point least = *std::ranges::max_element(metric, {}, &Point::y);
  EXPECT_NEAR(least.y, (bottom[0].second.y + bottom[1].second.y) / 2 - 4, 0.11) << "at -100";
}

TEST(Plot, every_action_has_a_mark_that_tells_its_reason) {
  const std::string svg = plot_of(file_of(kTraces[0]));
  const std::vector<std::string> outs = marks_of(svg, "out"), ins = marks_of(svg, "in");
  ASSERT_EQ(outs.size(), 1U);
  ASSERT_EQ(ins.size(), 3U);
  EXPECT_TRUE(outs[0].starts_with("0 s: from 1 to 5 workers. metric 500 is above")) << outs[0];
  EXPECT_TRUE(ins[2].starts_with("1040 s: from 2 to 1 workers. metric 50 is below")) << ins[2];
}

TEST(Plot, the_picture_in_docs_is_its_output) {
  Folder folder;
  const Said said =
      scale({source_root() + "/configs/simulations/burst.json", "--plot", folder / "plot.svg"});
  ASSERT_EQ(said.exit, 0) << said.err;
  EXPECT_TRUE(read_text(folder / "plot.svg") ==
              read_text(source_root() + "/docs/scaling-burst.svg"))
      << "make it anew: sluice scale configs/simulations/burst.json --plot docs/scaling-burst.svg";
}

TEST(Plot, a_file_name_does_not_break_it) {
  Folder folder;
  const std::string name = folder / "a<b>&\"\x01\xFF.json";
  write_text(name, file_of(kTraces[0]).dump());
  const Said said = scale({name, "--plot", folder / "plot.svg"});
  EXPECT_EQ(said.exit, 0) << said.err;
  const std::string svg = read_text(folder / "plot.svg");
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_TRUE(has(svg, "a&lt;b&gt;&amp;\"??.json")) << svg.substr(0, 300);
}

TEST(Plot, its_size_has_a_bound) {
  json file = file_of(kTraces[0]);
  file["until"] = "10d";
  for (int burst = 0; burst < 500; ++burst)
    file["load"]["arrivals"].push_back({burst * 1700, 50 + burst});
  const std::string svg = plot_of(file);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_LT(svg.size(), 400'000U);
  EXPECT_GT(path_of(svg, "visible").size(), 1000U);
  EXPECT_TRUE(has(svg, ">time, h<"));
}

TEST(Plot, an_empty_load_and_an_end_at_once_have_one_too) {
  for (const char* until : {"0s", "1s", "100d"}) {
    const std::string svg =
        plot_of({{"scaling", json::object()},
                 {"load", {{"arrivals", json::array()}, {"service_time", "1s"}}},
                 {"until", until}});
    EXPECT_EQ(xml_fault(svg), "");
    EXPECT_TRUE(has(svg, "no metric: the number of workers is fixed"));
    EXPECT_FALSE(has(svg, "nan") || has(svg, "inf"));
  }
}

TEST(Plot, a_reader_of_the_samples_that_goes_away_does_not_spoil_it) {
  if (::access("/dev/full", W_OK) != 0)
    GTEST_SKIP() << "there is no /dev/full";
  Folder folder;
  Program program({"scale", "-", "--plot", folder / "plot.svg"}, file_of(kTraces[0]).dump(), {},
                  "/dev/full");
  EXPECT_EQ(program.wait().exit, 74);
  EXPECT_EQ(xml_fault(read_text(folder / "plot.svg")), "");
}

}  // namespace
}  // namespace sluice::core
