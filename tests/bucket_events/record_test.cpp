#include "bucket_events/record.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::bucket_events {
namespace {

constexpr Object kIcon = {"icons/a b+\xc3\xbc.png", 1024, "400-18867251f555cd15",
                          1'767'225'600'123};

TEST(Records, hold_what_s3_writes_to_the_letter) {
  const RecordWriter writer("uploads", "graphics");
  const support::Uuid id = event_id("graphics", kIcon);
  const std::string id_text = support::to_text(id);
  std::string request_id;
  for (const char digit : id_text.substr(0, 18)) {
    if (digit != '-')
      request_id += static_cast<char>(std::toupper(digit));
  }

  EXPECT_EQ(
      writer.body(kIcon, sequencer_of(kIcon), id),
      R"({"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"local",)"
      R"("eventTime":"2026-01-01T00:00:00.123Z","eventName":"ObjectCreated:Put",)"
      R"("userIdentity":{"principalId":"sluice"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},)"
      R"("responseElements":{"x-amz-request-id":")" +
          request_id + R"(","x-amz-id-2":")" + id_text +
          R"("},)"
          R"("s3":{"s3SchemaVersion":"1.0","configurationId":"uploads","bucket":{"name":"graphics",)"
          R"("ownerIdentity":{"principalId":"sluice"},"arn":"arn:aws:s3:::graphics"},)"
          R"("object":{"key":"icons/a+b%2B%C3%BC.png","size":1024,"eTag":"400-18867251f555cd15",)"
          R"("sequencer":"18867251f555cd15"}}}]})");
}

TEST(Records, stay_json_whatever_the_names_are) {
  const RecordWriter writer("up\"loads\n", "gra\\phics");
  const Object odd = {"a\"b\\c\n\xff", 0, "0-1", 0};

  const auto json = nlohmann::json::parse(writer.body(odd, sequencer_of(odd), event_id("b", odd)));

  const auto& s3 = json["Records"][0]["s3"];
  EXPECT_EQ(s3["configurationId"], "up\"loads\n");
  EXPECT_EQ(s3["bucket"]["arn"], "arn:aws:s3:::gra\\phics");
  EXPECT_EQ(s3["object"]["key"], "a%22b%5Cc%0A%FF");
  EXPECT_EQ(s3["object"]["sequencer"], "0000000000000001");
}

// uuid5(bd1c57a0-f91e-5664-b24f-a90f58ed9739, "graphics\0icons/x.png\0" "5-1"), by Python's uuid
// module.
TEST(Records, the_id_follows_from_bucket_key_and_etag) {
  const Object object = {"icons/x.png", 5, "5-1", 0};
  EXPECT_EQ(support::to_text(event_id("graphics", object)), "847f9de5-532f-5e16-a464-93ea427f4cdf");
  EXPECT_NE(event_id("graphics", object), event_id("graphics", {"icons/x.png", 5, "5-2", 0}));
  EXPECT_NE(event_id("graphics", object), event_id("other", object));
}

TEST(Records, a_sequencer_comes_from_the_etag_or_else_from_the_time) {
  EXPECT_EQ(sequencer_of({"k", 1, "1-18867251f555cd15", 7}), "18867251f555cd15");
  EXPECT_EQ(sequencer_of({"k", 1, "1-5", 7}), "0000000000000005");
  EXPECT_EQ(sequencer_of({"k", 1, "foreign", 1}), "00000000000f4240");
  EXPECT_EQ(sequencer_of({"k", 1, "9b2c-xyz", 1}), "00000000000f4240");
}

TEST(Patterns, a_directory_meets_only_puts) {
  for (const char* pattern :
       {"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:*", "s3:ObjectCreated:P*"}) {
    EXPECT_TRUE(can_be_met(pattern)) << pattern;
  }
  for (const char* pattern :
       {"s3:ObjectCreated:Copy", "s3:ObjectRemoved:*", "s3:ObjectCreated", "ObjectCreated:Put", "",
        "*", "s3:ObjectCreated:CompleteMultipartUpload", "s3:objectcreated:*"}) {
    EXPECT_FALSE(can_be_met(pattern)) << pattern;
  }
}

}  // namespace
}  // namespace sluice::bucket_events
