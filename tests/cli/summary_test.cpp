#include "cli/summary.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/progress.hpp"

namespace sluice::core {
namespace {

Summary example() {
  Summary summary;
  summary.seconds = 1.25;
  summary.exit = 75;
  summary.dead_letters = 2;
  summary.sources.push_back({"uploads", 10, 9});
  summary.topics.push_back({"new", 10, {{{7, 3, 1, 2}, "resize-16"}}});
  QueueNumbers& queue = summary.queues.emplace_back();
  queue.name = "resize-16";
  queue.sent = 10;
  queue.visible = 3;
  queue.in_flight = 2;
  queue.delayed = 1;
  ServiceNumbers& service = summary.services.emplace_back();
  service.name = "resize";
  service.processed = 8;
  service.workers_max = 5;
  summary.notes.push_back("queue \"resize-16\": 3 visible");
  return summary;
}

std::vector<std::string> keys(const nlohmann::ordered_json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items())
    names.push_back(name);
  return names;
}

TEST(SummaryJson, it_has_exactly_the_keys_of_the_contract) {
  const auto json = nlohmann::ordered_json::parse(summary_json("icons", example()));
  EXPECT_EQ(keys(json), (std::vector<std::string>{"pipeline", "seconds", "exit", "dead_letters",
                                                  "sources", "topics", "queues", "services"}));
  EXPECT_EQ(keys(json["topics"]["new"]), (std::vector<std::string>{"published", "subscriptions"}));
  EXPECT_EQ(keys(json["topics"]["new"]["subscriptions"]["resize-16"]),
            (std::vector<std::string>{"matched", "filtered", "invalid_attributes", "invalid_body"}));
  EXPECT_EQ(keys(json["sources"]["uploads"]), (std::vector<std::string>{"events", "acknowledged"}));
  EXPECT_EQ(keys(json["queues"]["resize-16"]),
            (std::vector<std::string>{"sent", "moved_in", "received", "deleted", "visible",
                                      "in_flight", "delayed", "moved_to_dead_letter", "expired",
                                      "dropped", "purged"}));
  EXPECT_EQ(keys(json["services"]["resize"]),
            (std::vector<std::string>{"processed", "retried", "rejected", "stale", "ignored",
                                      "workers_max"}));
}

TEST(SummaryJson, without_filter_policies_there_is_no_word_of_topics) {
  Summary summary = example();
  summary.topics.clear();
  EXPECT_EQ(keys(nlohmann::ordered_json::parse(summary_json("icons", summary))),
            (std::vector<std::string>{"pipeline", "seconds", "exit", "dead_letters", "sources", "queues", "services"}));
}

TEST(SummaryJson, it_is_one_line_with_the_numbers) {
  const std::string text = summary_json("icons", example());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["exit"], 75);
  EXPECT_EQ(json["seconds"], 1.25);
  EXPECT_EQ(json["sources"]["uploads"]["acknowledged"], 9);
  EXPECT_EQ(json["services"]["resize"]["workers_max"], 5);
  EXPECT_EQ(json["topics"]["new"]["subscriptions"]["resize-16"]["invalid_body"], 2);
}

TEST(SummaryText, topics_with_filters_have_a_table) {
  Summary summary = example();
  const std::string text = summary_text("icons", summary);
  EXPECT_NE(text.find("topic  queue      matched  filtered  invalid attributes  invalid body\n"), std::string::npos) << text;
  summary.topics.clear();
  EXPECT_EQ(summary_text("icons", summary).find("matched"), std::string::npos);
}

TEST(SummaryText, what_is_left_is_named) {
  const std::string text = summary_text("icons", example());
  EXPECT_NE(text.find("icons: 1.2 s, 2 dead letters stored, exit 75\n"), std::string::npos) << text;
  EXPECT_NE(text.find("queue \"resize-16\": 3 visible\n"), std::string::npos) << text;
}

TEST(SummaryText, what_was_dropped_has_a_column_only_where_something_was) {
  Summary summary = example();
  EXPECT_EQ(summary_text("icons", summary).find("dropped"), std::string::npos);
  summary.queues[0].dropped = 7;
  const std::string text = summary_text("icons", summary);
  EXPECT_NE(text.find("dead-lettered  dropped\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("expired"), std::string::npos) << text;
}

TEST(SummaryText, queues_have_the_columns_that_tell_something_in_the_order_of_the_one_table) {
  Summary summary = example();
  EXPECT_NE(summary_text("icons", summary)
                .find("queue      sent  received  deleted  visible  in flight  delayed  dead-lettered\n"),
            std::string::npos)
      << summary_text("icons", summary);
  summary.queues[0].moved_in = summary.queues[0].ack_deadline_exceeded = 1;
  EXPECT_NE(summary_text("icons", summary).find("queue      sent  moved in  received"), std::string::npos);
  EXPECT_NE(summary_text("icons", summary).find("dead-lettered  past ack deadline\n"), std::string::npos);
}

const ServiceQueues kServices{{"resize", "resize-16"}};

TEST(Progress, a_service_shows_its_rate_and_the_backlog_of_its_queue) {
  Snapshot before = example(), now = example();
  now.services[0].processed = 108;
  const auto lines = progress_lines(kServices, before, now, 2, 80, 24);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[1].find("108 done      50/s  in flight 2, backlog 4"), std::string::npos)
      << lines[1];
  EXPECT_EQ(lines[2], "dead letters 2");
}

TEST(Progress, stored_dead_letters_are_no_backlog) {
  Snapshot now = example();
  QueueNumbers& dead = now.queues.emplace_back();
  dead.name = "resize-16-dead";
  dead.visible = 1;
  now.dead_letters = 1;
  const std::string text = progress_text(kServices, now);
  EXPECT_NE(text.find("2 in flight, backlog 4, 1 dead letter"), std::string::npos) << text;
  EXPECT_EQ(text.find("dead letters"), std::string::npos) << text;
}

TEST(Progress, no_line_is_wider_than_the_terminal) {
  for (const std::size_t width : {1, 10, 40}) {
    for (const std::string& line : progress_lines(kServices, example(), example(), 1, width, 24))
      EXPECT_LE(line.size(), width);
  }
}

TEST(Progress, a_low_terminal_shows_how_many_are_hidden) {
  Snapshot now = example();
  ServiceQueues services;
  for (int i = 0; i < 30; ++i)
    services.push_back(kServices[0]);
  const auto lines = progress_lines(services, now, now, 1, 80, 10);
  ASSERT_LE(lines.size(), 10U);
  EXPECT_EQ(lines.back(), "and 23 more, dead letters 2");
}

TEST(Progress, the_log_text_changes_only_with_the_numbers) {
  Snapshot now = example();
  const std::string text = progress_text(kServices, now);
  now.seconds += 5;
  EXPECT_EQ(progress_text(kServices, now), text);
  now.services[0].processed += 1;
  EXPECT_NE(progress_text(kServices, now), text);
}

}  // namespace
}  // namespace sluice::core
