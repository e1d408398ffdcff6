// The admin address's requests and their answers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "admin/routes.hpp"
#include "stored.hpp"

namespace sluice::test {
namespace {

class Routes : public testing::Test {
 protected:
  core::AdminAnswer ask(std::string_view method, std::string_view target,
                        std::string_view body = {}) {
    return core::answer(subject, {method, target, "127.0.0.1:9640", {}, body});
  }
  nlohmann::json json(std::string_view method, std::string_view target,
                      std::string_view body = {}) {
    return nlohmann::json::parse(ask(method, target, body).body);
  }

  Stored stored;
  bool stopping = false;
  core::Snapshot snapshot;
  StoppedServices services;
  core::AdminSubject subject{"p", *stored.queues, services, [this] { return snapshot; }, true,
                             [this] { return stopping; }};
};

TEST_F(Routes, health_is_ok_until_the_engine_stops) {
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  stopping = true;
  EXPECT_EQ(ask("GET", "/healthz").status, 503);
}

TEST_F(Routes, alarms_are_listed_with_their_states_and_reasons) {
  snapshot.alarms = {{.name = "full", .queue = "jobs", .metric_name = "NumberOfMessagesSent",
                      .state = core::AlarmState::alarm, .reason = "Threshold Crossed", .since_ms = 7, .value = 101},
                     {.name = "new"}};
  const auto all = json("GET", "/api/v1/alarms");
  EXPECT_EQ(all["pipeline"], "p");
  ASSERT_EQ(all["alarms"].size(), 2u);
  EXPECT_EQ(all["alarms"][0], nlohmann::json({{"name", "full"}, {"queue", "jobs"}, {"metric_name", "NumberOfMessagesSent"},
                                              {"state", "ALARM"}, {"reason", "Threshold Crossed"}, {"since", 7}, {"value", 101.0}}));
  EXPECT_EQ(all["alarms"][1]["state"], "INSUFFICIENT_DATA");
  EXPECT_TRUE(all["alarms"][1]["value"].is_null());
  EXPECT_EQ(ask("POST", "/api/v1/alarms").status, 405);
}

TEST_F(Routes, workers_are_started_and_stopped) {
  const auto started = json("POST", "/api/v1/services/drain/start", R"({"count":3})");
  EXPECT_EQ(started, nlohmann::json({{"service", "drain"}, {"before", 0}, {"workers", 3}}));
  EXPECT_EQ(json("POST", "/api/v1/services/drain/stop")["workers"], 2) << "one, where no number is given";
  EXPECT_EQ(json("POST", "/api/v1/services/drain/start", "{}")["workers"], 3) << "nor here";
  EXPECT_EQ(json("POST", "/api/v1/services/drain/stop", "{}")["workers"], 2);
  EXPECT_EQ(ask("POST", "/api/v1/services/other/start").status, 404);
  for (const char* body : {"x", "[]", "0", R"({"count":0})", R"({"count":1001})", R"({"count":1.5})", R"({"count":1,"more":2})"}) {
    EXPECT_EQ(ask("POST", "/api/v1/services/drain/start", body).status, 400) << body;
  }
  EXPECT_EQ(services.workers, 2u);
  EXPECT_EQ(ask("GET", "/api/v1/services/drain/start").status, 405);
  EXPECT_EQ(ask("POST", "/api/v1/services/drain/restart").status, 404);
}

TEST_F(Routes, queues_are_listed_and_told_one_by_one) {
  const auto all = json("GET", "/api/v1/queues");
  EXPECT_EQ(all["pipeline"], "p");
  ASSERT_EQ(all["queues"].size(), 2u);
  EXPECT_EQ(all["queues"][0]["dead_letter_queue"], "jobs-dead");
  const auto dead = json("GET", "/api/v1/queues/jobs-dead");
  EXPECT_EQ(dead["ApproximateNumberOfMessages"], 2);
  EXPECT_EQ(dead["ApproximateAgeOfOldestMessage"], 60);
  EXPECT_EQ(dead["is_dead_letter_queue"], true);
}

TEST_F(Routes, services_are_listed_with_the_last_decision_on_those_that_scale) {
  core::ScalingFacts facts{.reason = "metric 450 is above the target of 100",
                           .time_ms = 5,
                           .visible = 21,
                           .in_flight = 3};
  facts.decision.action = core::ScalingDecision::Action::out;
  facts.decision.count = 1;
  facts.decision.desired = 5;
  facts.decision.metric = 450;
  facts.decision.scale_out_cooldown_left_ms = 60'000;
  snapshot.services = {{.name = "fixed", .processed = 7, .workers = 2, .workers_max = 2},
                       {.name = "scales", .workers = 5, .workers_max = 5, .scaling = facts}};
  const auto all = json("GET", "/api/v1/services");
  EXPECT_EQ(all["pipeline"], "p");
  ASSERT_EQ(all["services"].size(), 2u);
  EXPECT_EQ(all["services"][0]["name"], "fixed");
  EXPECT_EQ(all["services"][0]["workers"], 2);
  EXPECT_EQ(all["services"][0]["processed"], 7);
  EXPECT_FALSE(all["services"][0].contains("scaling"));
  const auto& scaling = all["services"][1]["scaling"];
  EXPECT_EQ(scaling["metric"], 450);
  EXPECT_EQ(scaling["count"], 1);
  EXPECT_EQ(scaling["desired"], 5);
  EXPECT_EQ(scaling["action"], "out");
  EXPECT_EQ(scaling["visible"], 21);
  EXPECT_EQ(scaling["in_flight"], 3);
  EXPECT_EQ(scaling["scale_out_cooldown_left"], 60);
  EXPECT_EQ(scaling["reason"], facts.reason);
  EXPECT_EQ(ask("POST", "/api/v1/services").status, 405);
}

TEST_F(Routes, metrics_are_what_prometheus_reads) {
  snapshot.dead_letters = 2;
  snapshot.sources = {{"up\"loads", 7, 5}};
  core::ServiceNumbers scaled, fixed;
  scaled.name = "resize";
  scaled.processed = 4;
  scaled.workers = 2;
  scaled.scaling.emplace();
  scaled.scaling->decision.metric = 166.5;
  scaled.scaling->decision.desired = 5;
  scaled.scaling->decision.scale_out_cooldown_left_ms = 1500;
  fixed.name = "mail";
  snapshot.services = {scaled, fixed};
  snapshot.alarms = {{.name = "full", .queue = "jobs", .metric_name = "x", .state = core::AlarmState::alarm, .reason = "r"}};

  const core::AdminAnswer answer = ask("GET", "/metrics");

  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.type, "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line : {
           "# TYPE sluice_source_events_total counter\n",
           "sluice_source_events_total{source=\"up\\\"loads\"} 7\n",
           "sluice_source_acknowledged_total{source=\"up\\\"loads\"} 5\n",
           "# TYPE sluice_queue_messages gauge\n",
           "sluice_queue_messages{queue=\"jobs-dead\",state=\"visible\"} 2\n",
           "sluice_queue_age_of_oldest_seconds{queue=\"jobs-dead\"} 60\n",
           "sluice_queue_ended_total{queue=\"jobs\",how=\"moved_to_dead_letter\"} 0\n",
           "sluice_queue_ended_because_total{queue=\"jobs\",why=\"redriven\"} 0\n",
           "sluice_queue_ended_because_total{queue=\"jobs\",why=\"deduplicated\"} 0\n",
           "sluice_queue_ended_because_total{queue=\"jobs\",why=\"ack_deadline_exceeded\"} 0\n",
           "sluice_queue_over_in_flight_max_total{queue=\"jobs\"} 0\n",
           "sluice_service_messages_total{service=\"resize\",outcome=\"processed\"} 4\n",
           "sluice_service_workers{service=\"resize\",state=\"running\"} 2\n",
           "sluice_service_scaling_metric{service=\"resize\"} 166.5\n",
           "sluice_service_desired_workers{service=\"resize\"} 5\n",
           "sluice_service_scale_out_cooldown_seconds{service=\"resize\"} 1.5\n",
           "sluice_alarm_state{alarm=\"full\",state=\"ALARM\"} 1\n",
           "sluice_alarm_state{alarm=\"full\",state=\"OK\"} 0\n",
           "\nsluice_dead_letters 2\n",
       }) {
    EXPECT_NE(answer.body.find(line), std::string::npos) << line << answer.body;
  }
  EXPECT_EQ(answer.body.find("desired_workers{service=\"mail\"}"), std::string::npos) << "it has no policy";
  EXPECT_EQ(answer.body.find("sluice_alarm_value"), std::string::npos) << "it has no datapoint";
  EXPECT_EQ(ask("POST", "/metrics").status, 405);
}

TEST_F(Routes, a_peek_shows_messages_with_their_reasons) {
  EXPECT_EQ(json("GET", "/api/v1/queues/jobs-dead/messages")["messages"].size(), 2u);
  const auto one = json("GET", "/api/v1/queues/jobs-dead/messages?limit=1")["messages"];
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0]["body"], "body 1");
  EXPECT_EQ(one[0]["dead_letter"]["reason"], "damaged");
}

TEST_F(Routes, a_peek_shows_a_message_that_is_too_long_by_its_size) {
  std::string text = stored.file();
  text.replace(text.find("body 1"), 6, std::string(2 << 20, 'x'));
  stored.storage.put("state/dead-letters/jobs-dead.jsonl", text);
  const core::AdminAnswer answer = ask("GET", "/api/v1/queues/jobs-dead/messages");
  EXPECT_LT(answer.body.size(), 1000u);
  const auto shown = nlohmann::json::parse(answer.body);
  ASSERT_EQ(shown["messages"].size(), 2u);
  EXPECT_FALSE(shown["messages"][0].contains("body"));
  EXPECT_EQ(shown["messages"][0]["body_bytes"], 2 << 20);
  EXPECT_EQ(shown["messages"][0]["dead_letter"]["reason"], "damaged");
  EXPECT_EQ(shown["messages"][1]["body"], "body 2");
  EXPECT_FALSE(shown.contains("more"));
}

TEST_F(Routes, a_redrive_is_begun_asked_after_and_cancelled) {
  EXPECT_EQ(ask("GET", "/api/v1/queues/jobs-dead/redrive").status, 404);
  const core::AdminAnswer begun =
      ask("POST", "/api/v1/queues/jobs-dead/redrive", R"({"reason":"denied"})");
  EXPECT_EQ(begun.status, 202);
  EXPECT_EQ(nlohmann::json::parse(begun.body)["status"], "MARKED");
  EXPECT_EQ(nlohmann::json::parse(begun.body)["marked"], 1);
  EXPECT_NE(
      stored.file().find(
          R"({"redrive":"00000002-0000-4000-8000-000000000000","source_queue":"jobs","to":"jobs"})"),
      std::string::npos);
  EXPECT_EQ(json("GET", "/api/v1/queues/jobs-dead/redrive")["marked_for"]["jobs"], 1);
  EXPECT_EQ(json("DELETE", "/api/v1/queues/jobs-dead/redrive")["status"], "CANCELLED");
  EXPECT_EQ(ask("GET", "/api/v1/queues/jobs-dead/redrive").status, 404);
}

TEST_F(Routes, a_purge_deletes_every_letter) {
  EXPECT_EQ(json("POST", "/api/v1/queues/jobs-dead/purge")["purged"], 2);
  EXPECT_EQ(json("POST", "/api/v1/queues/jobs-dead/purge")["purged"], 0);
  EXPECT_EQ(json("POST", "/api/v1/queues/jobs/purge")["purged"], 0);
}

TEST_F(Routes, what_is_changed_is_written_behind_whole_lines) {
  stored.storage.put("state/dead-letters/jobs-dead.jsonl", stored.file() + R"({"id":"torn)");
  EXPECT_EQ(json("POST", "/api/v1/queues/jobs-dead/redrive")["marked"], 2);
  EXPECT_EQ(json("GET", "/api/v1/queues/jobs-dead/redrive")["marked"], 2);
  EXPECT_EQ(json("POST", "/api/v1/queues/jobs-dead/purge")["purged"], 2);
  EXPECT_EQ(json("GET", "/api/v1/queues/jobs-dead")["ApproximateNumberOfMessages"], 0);
}

TEST_F(Routes, what_cannot_be_is_refused_with_a_reason) {
  const struct {
    const char *method, *target, *body;
    int status;
    const char* says;
  } cases[] = {
      {"GET", "/", "", 404, "/healthz"},
      {"GET", "/api/v1/queuesX", "", 404, "nothing"},
      {"GET", "/api/v1/queues/", "", 404, "nothing"},
      {"GET", "/api/v1/queues/job", "", 404, "did you mean \\\"jobs\\\""},
      {"GET", "/api/v1/queues/job/messages", "", 404, "did you mean"},
      {"GET", "/api/v1/queues/../../etc/passwd", "", 404, ""},
      {"POST", "/healthz", "", 405, "GET"},
      {"POST", "/api/v1/queues", "", 405, "GET"},
      {"GET", "/api/v1/queues/jobs/purge", "", 405, "POST"},
      {"POST", "/api/v1/queues/jobs/purge", R"({"dry_run":true})", 400, "a purge takes no body"},
      {"POST", "/api/v1/queues/jobs/purge?dry_run=true", "", 400, "only messages takes parameters"},
      {"POST", "/api/v1/queues/jobs-dead/redrive?dry_run=true", "", 400, "only messages takes parameters"},
      {"PUT", "/api/v1/queues/jobs-dead/redrive", "", 405, "DELETE"},
      {"GET", "/api/v1/queues/jobs/messages?limit=0", "", 400, "1 to 10000"},
      {"GET", "/api/v1/queues/jobs/messages?limit=10001", "", 400, "limit"},
      {"GET", "/api/v1/queues/jobs/messages?limit=1x", "", 400, "limit"},
      {"GET", "/api/v1/queues/jobs/messages?n=1", "", 400, "limit"},
      {"POST", "/api/v1/queues/jobs-dead/redrive", "{", 400, "JSON"},
      {"POST", "/api/v1/queues/jobs-dead/redrive", "[]", 400, "object"},
      {"POST", "/api/v1/queues/jobs-dead/redrive", R"({"to":"job"})", 404, "did you mean"},
      {"POST", "/api/v1/queues/jobs-dead/redrive", R"({"to":"jobs-dead"})", 400,
       "cannot be redriven"},
      {"POST", "/api/v1/queues/jobs/redrive", "", 400, "no dead-letter queue"},
      {"GET", "/api/v1/queues/jobs/delete", "", 404, "messages, redrive or purge"},
  };
  for (const auto& each : cases) {
    const core::AdminAnswer answer = ask(each.method, each.target, each.body);
    EXPECT_EQ(answer.status, each.status)
        << each.method << " " << each.target << ": " << answer.body;
    EXPECT_NE(answer.body.find(each.says), std::string::npos) << each.target << ": " << answer.body;
    EXPECT_TRUE(nlohmann::json::parse(answer.body).contains("exit"));
    EXPECT_EQ(answer.allow.empty(), answer.status != 405) << each.target;
  }
}

TEST_F(Routes, a_whole_address_as_the_target_is_taken_with_its_host) {
  EXPECT_EQ(ask("GET", "http://127.0.0.1:9640/healthz").status, 200);
  EXPECT_EQ(ask("GET", "HTTP://localhost:9640/api/v1/queues/jobs-dead/messages?limit=1").status, 200);
  EXPECT_EQ(ask("GET", "http://evil.example/healthz").status, 403) << "though the header says 127.0.0.1";
  EXPECT_EQ(ask("GET", "http://127.0.0.1:9640").status, 404);
  EXPECT_EQ(ask("GET", "http://127.0.0.1:9640?limit=1").status, 404);
  EXPECT_EQ(ask("GET", "http://").status, 404);
}

TEST_F(Routes, pages_of_other_sites_are_refused) {
  const auto status = [&](std::string_view host, std::string_view origin) {
    return core::answer(subject, {"GET", "/healthz", host, origin, {}}).status;
  };
  EXPECT_EQ(status("127.0.0.1:9640", ""), 200);
  EXPECT_EQ(status("localhost:9640", ""), 200);
  EXPECT_EQ(status("[::1]:9640", ""), 200);
  EXPECT_EQ(status("LocalHost:9640", "HTTP://localhost:9640"), 200);
  EXPECT_EQ(status("127.0.0.1", ""), 200);
  EXPECT_EQ(status("127.0.0.1:9640", "http://127.0.0.1:9640"), 200);
  EXPECT_EQ(status("evil.example:9640", ""), 403) << "a name that resolves to this machine";
  EXPECT_EQ(status("127.0.0.1:9640", "http://evil.example"), 403);
  EXPECT_EQ(status("127.0.0.1:9640", "null"), 403);
  subject.on_loopback = false;
  EXPECT_EQ(status("sluice.internal:9640", ""), 200) << "who listens for others is known by names";
  EXPECT_EQ(status("sluice.internal:9640", "http://evil.example"), 403);
}

}  // namespace
}  // namespace sluice::test
