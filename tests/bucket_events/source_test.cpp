// The source on a real directory, through the real host; what settles is said by the test.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "bucket_events/record.hpp"
#include "directory/temporary_folder.hpp"
#include "object_stages/harness.hpp"

namespace sluice::test {
namespace {

class BucketEvents : public testing::Test {
 protected:
  BucketEvents() { plugins_.add_directory("graphics", folder_.path()); }

  /// Runs the source until it has told all that is there. `settle`: acknowledges each event.
  Receiver run(bool settle,
               std::string_view options = R"({"bucket":"graphics","prefix":"icons/"})") {
    Receiver out;
    const auto source = plugins_.make("source", "bucket_events", "uploads", options, state_.path());
    if (source == nullptr)
      return out;
    const auto& functions = source->functions<sluice_source>();
    if (settle) {
      out.on_emit = [&](const Receiver::Emitted& one) {
        functions.settled(source->self(), one.cookie, SLUICE_OK);
      };
    }
    out.on_exhausted = [&] { source->cancel(); };
    EXPECT_EQ(functions.run(source->self(), &out), SLUICE_CANCELLED);
    sluice_str error{};
    EXPECT_EQ(functions.finish(source->self(), &error), SLUICE_OK) << view(error);
    return out;
  }

  static std::set<std::string> keys(const Receiver& out) {
    std::set<std::string> result;
    for (const auto& one : out.emitted)
      result.insert(one.attributes.at("s3.key"));
    return result;
  }

  TemporaryFolder folder_;
  TemporaryFolder state_;
  Plugins plugins_;
};

using Keys = std::set<std::string>;

TEST_F(BucketEvents, each_object_under_the_prefix_is_one_event_with_its_attributes) {
  folder_.write("icons/a b.png", "12345");
  folder_.write("other/x", "x");
  folder_.touch("icons/a b.png", 1'767'225'600'123'456'789);

  const Receiver out = run(true);

  ASSERT_EQ(out.emitted.size(), 1U);
  EXPECT_EQ(out.emitted[0].attributes, (Attributes{{"s3.bucket", "graphics"},
                                                   {"s3.key", "icons/a b.png"},
                                                   {"s3.etag", "5-18867251f555cd15"},
                                                   {"s3.size", "5"},
                                                   {"s3.event_name", "ObjectCreated:Put"},
                                                   {"s3.sequencer", "18867251f555cd15"},
                                                   {"s3.prefix", "icons/"}}));
  EXPECT_EQ(out.emitted[0].types.at("s3.size"), std::uint32_t{SLUICE_NUMBER});
  EXPECT_EQ(out.emitted[0].types.at("s3.key"), std::uint32_t{SLUICE_STRING});
  const bucket_events::Object object{"icons/a b.png", 5, "5-18867251f555cd15", 1'767'225'600'123};
  const support::Uuid id = bucket_events::event_id("graphics", object);
  EXPECT_EQ(out.emitted[0].id, std::string(id.begin(), id.end()));
  EXPECT_EQ(
      out.emitted[0].body,
      bucket_events::RecordWriter("uploads", "graphics").body(object, "18867251f555cd15", id));
  EXPECT_EQ(out.exhausted_calls, 1);
  EXPECT_GE(out.flushes, 1);
}

TEST_F(BucketEvents, a_restart_tells_only_what_was_not_acknowledged_and_what_came_meanwhile) {
  folder_.write("icons/a", "x");
  folder_.write("icons/b", "x");
  EXPECT_EQ(keys(run(true)), (Keys{"icons/a", "icons/b"}));

  EXPECT_EQ(keys(run(true)), Keys{});
  folder_.write("icons/new", "x");
  folder_.write("icons/b", "changed");
  EXPECT_EQ(keys(run(false)), (Keys{"icons/b", "icons/new"}));
  EXPECT_EQ(keys(run(true)), (Keys{"icons/b", "icons/new"}));
  EXPECT_EQ(keys(run(true)), Keys{});
}

TEST_F(BucketEvents, an_acknowledgement_after_run_returned_is_kept) {
  folder_.write("icons/a", "x");
  {
    Receiver out;
    const auto source = plugins_.make("source", "bucket_events", "uploads",
                                      R"({"bucket":"graphics"})", state_.path());
    out.on_exhausted = [&] { source->cancel(); };
    const auto& functions = source->functions<sluice_source>();
    ASSERT_EQ(functions.run(source->self(), &out), SLUICE_CANCELLED);
    ASSERT_EQ(out.emitted.size(), 1U);
    functions.settled(source->self(), out.emitted[0].cookie, SLUICE_REJECT);
    sluice_str error{};
    EXPECT_EQ(functions.finish(source->self(), &error), SLUICE_OK) << view(error);
  }

  EXPECT_EQ(keys(run(true)), Keys{});
}

TEST_F(BucketEvents, an_event_that_the_host_does_not_take_comes_again) {
  folder_.write("icons/a", "x");
  Receiver out;
  out.emit_status = SLUICE_CANCELLED;
  {
    const auto source = plugins_.make("source", "bucket_events", "uploads",
                                      R"({"bucket":"graphics"})", state_.path());
    EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
  }
  EXPECT_EQ(out.emitted.size(), 0U);

  EXPECT_EQ(keys(run(true)), Keys{"icons/a"});
}

TEST_F(BucketEvents, new_objects_are_told_while_it_runs_and_acknowledged_from_other_threads) {
  Receiver out;
  const auto source = plugins_.make("source", "bucket_events", "uploads",
                                    R"({"bucket":"graphics"})", state_.path());
  const auto& functions = source->functions<sluice_source>();
  std::vector<std::thread> threads;
  out.on_exhausted = [&] {
    if (out.exhausted_calls == 1)
      folder_.write("later", "x");
    if (out.exhausted_calls == 2)
      source->cancel();
  };
  out.on_emit = [&](const Receiver::Emitted& one) {
    threads.emplace_back(
        [&, cookie = one.cookie] { functions.settled(source->self(), cookie, SLUICE_OK); });
  };
  folder_.write("first", "x");

  EXPECT_EQ(functions.run(source->self(), &out), SLUICE_CANCELLED);
  for (std::thread& thread : threads)
    thread.join();

  EXPECT_EQ(keys(out), (Keys{"first", "later"}));
  EXPECT_EQ(out.emitted.size(), 2U);
}

TEST_F(BucketEvents, cancelling_before_or_during_the_wait_ends_the_run) {
  for (const bool early : {true, false}) {
    Receiver out;
    const auto source = plugins_.make("source", "bucket_events", "uploads",
                                      R"({"bucket":"graphics"})", state_.path());
    std::atomic<bool> exhausted{false};
    out.on_exhausted = [&] {
      exhausted.store(true);
      exhausted.notify_one();
    };
    std::thread canceller([&] {
      if (!early)
        exhausted.wait(false);
      source->cancel();
    });
    if (early)
      canceller.join();
    EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
    if (!early)
      canceller.join();
  }
}

TEST_F(BucketEvents, a_suffix_chooses_and_names_that_are_no_text_are_binary) {
  folder_.write("a.png", "x");
  folder_.write("a.txt", "x");
  folder_.write("\xff.png", "x");

  const Receiver out = run(true, R"({"bucket":"graphics","suffix":".png"})");

  EXPECT_EQ(keys(out), (Keys{"a.png", "\xff.png"}));
  for (const auto& one : out.emitted) {
    const bool text = one.attributes.at("s3.key") == "a.png";
    EXPECT_EQ(one.types.at("s3.key"), std::uint32_t{text ? SLUICE_STRING : SLUICE_BINARY});
  }
}

TEST_F(BucketEvents, many_acknowledged_and_deleted_objects_leave_a_small_ledger) {
  for (int i = 0; i < 4200; ++i)
    folder_.write("d" + std::to_string(i % 50) + "/" + std::to_string(i), "x");
  EXPECT_EQ(run(true, R"({"bucket":"graphics"})").emitted.size(), 4200U);
  for (int i = 0; i < 49; ++i)
    std::filesystem::remove_all(folder_.at("d" + std::to_string(i)));

  EXPECT_EQ(run(true, R"({"bucket":"graphics"})").emitted.size(), 0U);

  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state_.path())) {
    if (entry.is_regular_file())
      bytes += entry.file_size();
  }
  EXPECT_EQ(bytes, 16U + 84U * 20U);
  EXPECT_EQ(run(true, R"({"bucket":"graphics"})").emitted.size(), 0U);
}

TEST_F(BucketEvents, patterns_that_never_happen_are_config_errors) {
  const auto faults = [&](std::string_view events) {
    return plugins_.faults("source", "bucket_events",
                           R"({"bucket":"graphics","events":)" + std::string(events) + "}");
  };
  EXPECT_EQ(faults(R"(["s3:ObjectCreated:Put"])"), "");
  EXPECT_NE(faults(R"(["s3:ObjectCreated:*","s3:ObjectRemoved:*"])")
                .find("/events: \"s3:ObjectRemoved:*\" never happens in a directory"),
            std::string::npos);
  for (const char* bad : {"[]", "{}", "\"s3:ObjectCreated:*\"", "[1]"})
    EXPECT_NE(faults(bad), "") << bad;
}

TEST_F(BucketEvents, a_prefix_that_no_key_can_have_is_an_error_of_the_start) {
  const auto made = plugins_.try_make("source", "bucket_events", "uploads",
                                      R"({"bucket":"graphics","prefix":"/icons"})", state_.path());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, core::Errc::config);
  EXPECT_NE(made.error().message.find("no key of a directory can begin with \"/icons\""),
            std::string::npos)
      << made.error().message;
}

}  // namespace
}  // namespace sluice::test
