// What the admin address writes, the command line reads.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "admin/queue_json.hpp"

namespace sluice::test {
namespace {

core::Json parsed(const std::string& text) {
  return *core::parse_json(text);
}

TEST(QueueJson, has_the_names_of_sqs) {
  core::QueueFacts queue;
  queue.name = "jobs";
  queue.visible = 1;
  queue.in_flight = 2;
  queue.delayed = 3;
  queue.sent = 4;
  queue.received = 5;
  queue.deleted = 6;
  queue.age_of_oldest_s = 7;
  const auto json = nlohmann::json::parse(core::queue_json(queue));
  EXPECT_EQ(json["ApproximateNumberOfMessages"], 1);
  EXPECT_EQ(json["ApproximateNumberOfMessagesNotVisible"], 2);
  EXPECT_EQ(json["ApproximateNumberOfMessagesDelayed"], 3);
  EXPECT_EQ(json["NumberOfMessagesSent"], 4);
  EXPECT_EQ(json["NumberOfMessagesReceived"], 5);
  EXPECT_EQ(json["NumberOfMessagesDeleted"], 6);
  EXPECT_EQ(json["ApproximateAgeOfOldestMessage"], 7);
}

TEST(QueueJson, is_read_as_it_was_written) {
  core::QueueFacts queue;
  queue.name = "jobs";
  queue.visible = 11;
  queue.purged = 12;
  queue.over_limit = 13;
  queue.redriven = 14;
  queue.age_of_oldest_s = 15;
  queue.capacity = 16;
  queue.keeps_letters = queue.has_service = queue.fifo = true;
  queue.dead_letter_queue = "jobs-dead";
  const std::string text = core::queue_json(queue);
  const core::Result<core::QueueFacts> back = core::read_queue(parsed(text));
  ASSERT_TRUE(back);
  EXPECT_EQ(parsed(text).find("fifo")->boolean, true);
  EXPECT_TRUE(back->fifo);
  EXPECT_EQ(core::queue_json(*back), text);
}

TEST(RedriveJson, is_read_as_it_was_written_in_every_state) {
  for (const core::RedriveState state :
       {core::RedriveState::running, core::RedriveState::completed, core::RedriveState::cancelling,
        core::RedriveState::cancelled, core::RedriveState::failed, core::RedriveState::marked}) {
    core::RedriveStatus status;
    status.request = {
        .to = "q", .reason = "a \"b\"\n\xff", .messages_per_second = 5, .dry_run = true};
    status.state = state;
    status.letters = 9;
    status.moved = 3;
    status.came_back = 2;
    status.marked = 4;
    status.moved_to = {{"q", 3}};
    status.marked_for = {{"q", 4}};
    status.started_ms = 1;
    status.ended_ms = 2;
    status.failure = "disk";
    const std::string text = core::redrive_json(status);
    const core::Result<core::RedriveStatus> back = core::read_redrive(parsed(text));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(core::redrive_json(*back), text);
    EXPECT_EQ(back->state, state);
    EXPECT_EQ(back->marked_for.at("q"), 4U);
  }
}

TEST(RedriveRequest, is_strict) {
  for (const char* text :
       {R"([])", R"("x")", R"({"to":5})", R"({"dry_run":"yes"})", R"({"messages_per_second":-1})",
        R"({"messages_per_second":0})", R"({"messages_per_second":1.5})",
        R"({"messages_per_second":99999999999})", R"({"too":"q"})"}) {
    const core::Result<core::RedriveRequest> request = core::read_request(parsed(text));
    ASSERT_FALSE(request) << text;
    EXPECT_EQ(request.error().code, core::Errc::bad_data);
  }
  EXPECT_TRUE(core::read_request(parsed("{}")));
}

}  // namespace
}  // namespace sluice::test
