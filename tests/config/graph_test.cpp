#include "config/graph.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "config_fixture.hpp"

namespace sluice::core {
namespace {

TEST(Graph, every_way_of_a_message_is_an_edge) {
  const Loaded loaded(kGoodConfig);
  ASSERT_TRUE(loaded.result) << loaded.text();
  const std::string text = graph_text(loaded.pipeline());
  for (const char* edge :
       {"\"bucket graphics\" -> \"source uploads\";", "\"source uploads\" -> \"topic new\";",
        "\"topic new\" -> \"queue small\";", "\"queue small\" -> \"service small\";",
        "\"service large\" -> \"bucket graphics\";"}) {
    EXPECT_NE(text.find(edge), std::string::npos) << edge << "\n" << text;
  }
}

TEST(Graph, a_table_is_a_node_that_its_service_writes) {
  const Loaded loaded(kGoodConfig, {R"(/tables={"users": {"type": "test_table"}})",
                                    R"(/services/small/stages/1={"type": "test_store", "table": "users"})"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const std::string text = graph_text(loaded.pipeline());
  EXPECT_NE(text.find(R"("table users" [label="users\ntest_table")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("service small" -> "table users";)"), std::string::npos) << text;
}

TEST(Graph, a_filter_policy_stands_at_its_edge) {
  const Loaded loaded(kGoodConfig, {"/queues/large/subscriptions/0/filter_policy={\"event\": [\"signup\"]}"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const std::string text = graph_text(loaded.pipeline());
  EXPECT_NE(text.find(R"("topic new" -> "queue large" [label="{\"event\":[\"signup\"]}"];)"), std::string::npos) << text;
}

TEST(Graph, ways_to_dead_letter_queues_are_dashed) {
  const Loaded loaded(kGoodConfig);
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_NE(graph_text(loaded.pipeline())
                .find("\"queue large\" -> \"queue broken\" [style=dashed, label=\"> 3\"];"),
            std::string::npos);
}

TEST(Graph, an_alarm_looks_at_its_queue_and_its_actions_lead_on) {
  const Loaded loaded(
      kGoodConfig,
      {R"(/services/small/scaling={"min_capacity": 0, "max_capacity": 4})",
       R"(/alarms={"full": {"queue": "small", "metric_name": "ApproximateNumberOfMessagesVisible",
        "comparison_operator": "GreaterThanThreshold", "threshold": 100,
        "on_alarm": [{"publish_to": "new"}, {"start": "small", "count": 4}]}})"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const std::string text = graph_text(loaded.pipeline());
  for (const char* line :
       {"\"queue small\" -> \"alarm full\" [style=dotted];",
        "\"alarm full\" -> \"topic new\" [label=\"ALARM\"];",
        "\"alarm full\" -> \"service small\" [style=dashed, label=\"ALARM: start 4\"];",
        "full\\nApproximateNumberOfMessagesVisible > 100", "0 to 4 workers"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

TEST(Graph, graphviz_draws_it) {
  if (std::system("command -v dot > /dev/null 2>&1") != 0)
    GTEST_SKIP() << "graphviz is not installed";
  const Loaded loaded(kGoodConfig);
  ASSERT_TRUE(loaded.result) << loaded.text();
  std::FILE* dot = ::popen("dot -Tsvg > /dev/null", "w");
  ASSERT_NE(dot, nullptr);
  const std::string text = graph_text(loaded.pipeline());
  std::fwrite(text.data(), 1, text.size(), dot);
  EXPECT_EQ(::pclose(dot), 0) << text;
}

}  // namespace
}  // namespace sluice::core
