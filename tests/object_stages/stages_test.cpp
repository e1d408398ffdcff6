// object_get and object_put on a real directory, through the real host.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "directory/temporary_folder.hpp"
#include "object_stages/harness.hpp"

namespace sluice::test {
namespace {

class Stages : public testing::Test {
 protected:
  std::unique_ptr<core::Instance> put(std::string_view options) {
    return plugins_.make("stage", "object_put", "resize-16", options);
  }

  TemporaryFolder folder_;
  Plugins plugins_;
  core::Instance& bucket_ = plugins_.add_directory("graphics", folder_.path());
  Messages messages_;
  Receiver out_;
};

TEST_F(Stages, object_get_streams_the_object_that_the_message_names) {
  folder_.write("icons/a b.png", std::string(300'000, 'x') + "end");
  const auto stage = plugins_.make("stage", "object_get", "resize-16", R"({"bucket":"graphics"})");
  messages_.add("event", {{"s3.key", "icons/a b.png"}});

  EXPECT_EQ(messages_.process(*stage, out_), SLUICE_OK);

  ASSERT_EQ(out_.emitted.size(), 1U);
  EXPECT_TRUE(out_.emitted[0].streamed);
  EXPECT_TRUE(out_.emitted[0].body == std::string(300'000, 'x') + "end");
  EXPECT_TRUE(out_.outcomes.empty());
}

TEST_F(Stages, object_get_settles_each_message_by_itself) {
  folder_.write("there", "x");
  const auto stage = plugins_.make("stage", "object_get", "resize-16", R"({"bucket":"graphics"})");
  messages_.add("", {{"s3.key", "missing"}});
  messages_.add("test event", {});
  messages_.add("", {{"s3.key", "../etc/passwd"}});
  messages_.add("", {{"s3.key", "there"}});

  EXPECT_EQ(messages_.process(*stage, out_), SLUICE_OK);

  EXPECT_EQ(out_.outcomes[0].status, SLUICE_REJECT);
  EXPECT_EQ(out_.outcomes[0].reason, "object_not_found");
  EXPECT_NE(out_.outcomes[0].detail.find("missing"), std::string::npos);
  EXPECT_EQ(out_.ignored, std::vector<std::uint32_t>{1});
  EXPECT_EQ(out_.outcomes[2].status, SLUICE_REJECT);
  EXPECT_EQ(out_.outcomes[2].reason, "invalid_key");
  ASSERT_EQ(out_.emitted.size(), 1U);
  EXPECT_EQ(out_.emitted[0].parent, 3U);
}

TEST_F(Stages, object_put_writes_bodies_from_memory_and_streams) {
  const auto stage = put(R"({"bucket":"graphics","key":"out/{key_after_prefix}"})");
  const std::string large(700'001, 'y');
  messages_.add("small", {{"s3.key", "icons/a.png"}, {"s3.prefix", "icons/"}});
  messages_.add(large, {{"s3.key", "icons/b/c.png"}, {"s3.prefix", "icons/"}}, true);
  messages_.add("", {{"s3.key", "icons/empty"}, {"s3.prefix", "icons/"}});

  EXPECT_EQ(messages_.process(*stage, out_), SLUICE_OK);

  for (const auto& [index, outcome] : out_.outcomes)
    ADD_FAILURE() << outcome.reason << outcome.detail;
  EXPECT_EQ(folder_.read("out/a.png"), "small");
  EXPECT_TRUE(folder_.read("out/b/c.png") == large);
  EXPECT_TRUE(folder_.exists("out/empty"));
  EXPECT_EQ(folder_.read("out/empty"), "");
}

TEST_F(Stages, object_put_takes_values_from_a_streamed_body_and_still_writes_all_of_it) {
  const auto stage = put(R"({"bucket":"graphics","key":"{body:/user}/{worker}"})");
  const std::string body = R"({"user":"ann","rest":")" + std::string(300'000, 'z') + "\"}";
  messages_.add(body, {}, true);

  EXPECT_EQ(messages_.process(*stage, out_), SLUICE_OK);

  EXPECT_TRUE(folder_.read("ann/resize-16-1") == body);
}

TEST_F(Stages, object_put_rejects_what_can_never_be_written_and_goes_on) {
  const auto stage = put(R"({"bucket":"graphics","key":"{key}"})");
  messages_.add("x", {});
  messages_.add("x", {{"s3.key", "../outside"}});
  messages_.add("x", {{"s3.key", std::string(256, 'n')}});
  messages_.add("good", {{"s3.key", "good"}});

  EXPECT_EQ(messages_.process(*stage, out_), SLUICE_OK);

  EXPECT_EQ(out_.outcomes[0].status, SLUICE_REJECT);
  EXPECT_EQ(out_.outcomes[0].reason, "template_value_missing");
  EXPECT_EQ(out_.outcomes[0].detail, "the message has no attribute \"s3.key\"");
  EXPECT_EQ(out_.outcomes[1].status, SLUICE_REJECT);
  EXPECT_EQ(out_.outcomes[2].reason, "invalid_key");
  EXPECT_EQ(out_.outcomes.count(3), 0U);
  EXPECT_EQ(folder_.read("good"), "good");
}

TEST_F(Stages, object_put_and_object_get_retry_while_the_system_has_no_descriptors) {
  folder_.write("x", "x");
  const auto getting = plugins_.make("stage", "object_get", "get", R"({"bucket":"graphics"})");
  const auto putting = put(R"({"bucket":"graphics","key":"new/{key}"})");
  messages_.add("x", {{"s3.key", "x"}});
  Receiver put_out;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  messages_.process(*getting, out_);
  messages_.process(*putting, put_out);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

  EXPECT_EQ(out_.outcomes[0].status, SLUICE_RETRY);
  EXPECT_EQ(out_.outcomes[0].reason, "bucket_unavailable");
  EXPECT_EQ(put_out.outcomes[0].status, SLUICE_RETRY);
}

TEST_F(Stages, faults_of_templates_are_told_with_the_option) {
  const std::string fault =
      plugins_.faults("stage", "object_put", R"({"bucket":"graphics","key":"a/{body:/x~2}"})");
  EXPECT_EQ(fault.find("/key: "), 0U) << fault;
  EXPECT_NE(fault.find("no JSON pointer"), std::string::npos) << fault;
  EXPECT_NE(plugins_.faults("stage", "object_put", R"({"bucket":"graphics"})"), "");
  EXPECT_EQ(plugins_.faults("stage", "object_put",
                            R"({"bucket":"b","key":"{key}","content_type":"image/{key_ext}"})"),
            "");
}

}  // namespace
}  // namespace sluice::test
