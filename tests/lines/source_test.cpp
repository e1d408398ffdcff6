// The source on real files and FIFOs, through the real host; what settles is said by the test.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "directory/temporary_folder.hpp"
#include "object_stages/harness.hpp"
#include "support/file_limit.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using Words = std::vector<std::string>;

class LinesSource : public testing::Test {
 protected:
  std::unique_ptr<core::Instance> make(const std::string& more = {},
                                       const std::string& path = "in") {
    return plugins_.make("source", "lines", "events",
                         R"({"path":")" + folder_.at(path) + "\"" + more + "}", state_.path());
  }

  /// Runs it to the end of its input. `settles` says of each body whether it is acknowledged.
  Receiver run(const std::string& more = {}, std::function<bool(const std::string&)> settles = {}) {
    Receiver out;
    const auto source = make(more);
    if (source == nullptr)
      return out;
    const auto& functions = source->functions<sluice_source>();
    out.on_emit = [&](const Receiver::Emitted& one) {
      if (!settles || settles(one.body))
        functions.settled(source->self(), one.cookie, SLUICE_OK);
    };
    out.on_exhausted = [&] { source->cancel(); };
    status_ = functions.run(source->self(), &out);
    sluice_str error{};
    EXPECT_EQ(functions.finish(source->self(), &error), SLUICE_OK) << view(error);
    return out;
  }

  static Words bodies(const Receiver& out) {
    Words result;
    for (const auto& one : out.emitted)
      result.push_back(one.body);
    return result;
  }

  void append(std::string_view text) {
    folder_.write("in", folder_.read("in") + std::string(text));
  }

  LogLines log_;
  TemporaryFolder folder_, state_;
  Plugins plugins_;
  std::int32_t status_ = -1;
};

const std::string kText = R"(,"format":"text")";
const std::string kLeftBehind = "components/events/unsettled.jsonl";  // in the state folder
const std::string kDamaged = "components/events/unsettled.damaged.jsonl";
const std::string kDamagedNext = "components/events/unsettled.damaged-2.jsonl";

TEST_F(LinesSource, each_line_is_a_message_with_its_attributes_and_its_id) {
  folder_.write(
      "in",
      R"({"id":"bd1c57a0-f91e-5664-b24f-a90f58ed9739","body":"a","attributes":{"n":5,"s":"x"}})"
      "\n\n"
      R"({"body_base64":"/wA="})"
      "\r\n"
      R"({"body":{"k":[1]}})");

  const Receiver out = run();

  ASSERT_EQ(bodies(out), (Words{"a", std::string("\xff\0", 2), R"({"k":[1]})"}));
  EXPECT_EQ(out.emitted[0].id.substr(0, 4), "\xbd\x1c\x57\xa0");
  EXPECT_EQ(out.emitted[0].attributes, (Attributes{{"n", "5"}, {"s", "x"}}));
  EXPECT_EQ(out.emitted[0].types.at("n"), std::uint32_t{SLUICE_NUMBER});
  EXPECT_EQ(out.exhausted_calls, 1);
  EXPECT_GE(out.flushes, 1);
}

TEST_F(LinesSource, a_line_may_have_a_delay_of_its_own) {
  folder_.write("in", R"({"body":"later","delay":"90s"})"
                      "\n"
                      R"({"body":"at once","delay":"0s"})"
                      "\n"
                      R"({"body":"as its queue says"})"
                      "\n"
                      R"({"body":"too late","delay":"16m"})"
                      "\n");
  const Receiver out = run();
  ASSERT_EQ(bodies(out), (Words{"later", "at once", "as its queue says"}));
  EXPECT_EQ(out.emitted[0].delay_ms, 90'000);
  EXPECT_EQ(out.emitted[1].delay_ms, -1);
  EXPECT_EQ(out.emitted[2].delay_ms, 0);
  EXPECT_EQ(log_.with(folder_.at("in") + ":4: \"delay\" is 16m, and at most 15m are possible").size(), 1U);
}

TEST_F(LinesSource, without_an_id_the_same_line_at_the_same_place_has_the_same_one) {
  folder_.write("in", "x\nx\n");
  const Receiver first = run(kText, [](const std::string&) { return false; });
  const Receiver again = run(kText);
  ASSERT_EQ(first.emitted.size(), 2U);
  ASSERT_EQ(again.emitted.size(), 2U);
  EXPECT_NE(first.emitted[0].id, first.emitted[1].id);
  EXPECT_EQ(first.emitted[0].id, again.emitted[0].id);
  EXPECT_EQ(first.emitted[1].id, again.emitted[1].id);
}

TEST_F(LinesSource, in_text_each_line_is_a_body_as_it_is) {
  folder_.write("in",
                "\xEF\xBB\xBF"
                "first\n\n{\"body\":1}\nlast");
  EXPECT_EQ(bodies(run(kText)), (Words{"first", "", "{\"body\":1}", "last"}));
}

TEST_F(LinesSource, a_restart_reads_only_what_was_not_acknowledged_and_what_came_meanwhile) {
  folder_.write("in", "a\nb\nc\nd\n");
  EXPECT_EQ(bodies(run(kText, [](const std::string& body) { return body != "b"; })),
            (Words{"a", "b", "c", "d"}));
  EXPECT_EQ(bodies(run(kText, [](const std::string&) { return false; })), Words{"b"});
  append("e\n");
  EXPECT_EQ(bodies(run(kText)), (Words{"b", "e"}));
  EXPECT_EQ(bodies(run(kText)), Words{});
  EXPECT_EQ(log_.with("warning"), Words{});
}

TEST_F(LinesSource,
       after_an_end_in_order_no_acknowledged_line_comes_again_however_many_others_lie_between) {
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += std::to_string(i) + '\n';
  append(text);
  run(kText, [](const std::string& body) { return std::stoi(body) % 2 == 0; });
  const Receiver again = run(kText, [](const std::string& body) { return body != "1"; });
  EXPECT_EQ(again.emitted.size(), 2500U);
  EXPECT_EQ(bodies(run(kText)), Words{"1"});
}

TEST_F(LinesSource, a_file_that_was_replaced_or_truncated_is_read_from_its_beginning) {
  folder_.write("in", "a\nb\n");
  run(kText);
  folder_.write("in", "c\n");
  EXPECT_EQ(bodies(run(kText)), Words{"c"});
  folder_.write("in", "d\ne\nf\n");
  EXPECT_EQ(bodies(run(kText)), (Words{"d", "e", "f"}));
  EXPECT_EQ(log_.with("was replaced or truncated").size(), 2U);
}

/// The first line was in hand when it stopped: nothing is before it that could tell.
TEST_F(LinesSource, a_file_that_was_replaced_is_read_whole_though_only_later_lines_were_done) {
  folder_.write("in", "1\n2\n3\n");
  run(kText, [](const std::string& body) { return body != "1"; });
  folder_.write("in", "4\n5\n6\n");
  EXPECT_EQ(bodies(run(kText)), (Words{"4", "5", "6"}));
}

TEST_F(LinesSource, a_last_line_that_got_its_end_since_it_was_acknowledged_comes_once) {
  folder_.write("in", "A\nB\nC");
  run(kText, [](const std::string& body) { return body != "A"; });
  append("\nD\n");
  EXPECT_EQ(bodies(run(kText)), (Words{"A", "D"}));
}

TEST_F(LinesSource, a_file_that_changed_behind_a_line_that_had_become_longer_is_read_whole) {
  folder_.write("in", "A\nB\nC");
  run(kText, [](const std::string& body) { return body != "A"; });
  append("DEF\n");
  EXPECT_EQ(bodies(run(kText)), (Words{"A", "CDEF"}));
  folder_.write("in", "A\nB\nCxy\nnew line\n");
  EXPECT_EQ(bodies(run(kText)), (Words{"A", "B", "Cxy", "new line"}));
}

TEST_F(LinesSource, a_file_that_is_truncated_while_it_is_read_is_read_anew_at_the_next_start) {
  folder_.write("in", "a long line\nanother\n");
  {
    Receiver out;
    const auto source = make(kText);
    const auto& functions = source->functions<sluice_source>();
    out.on_exhausted = [&] {
      folder_.write("in", "new\n");
      for (const auto& one : out.emitted)
        functions.settled(source->self(), one.cookie, SLUICE_OK);
    };
    EXPECT_EQ(functions.run(source->self(), &out), SLUICE_END);
    sluice_str error{};
    EXPECT_EQ(functions.finish(source->self(), &error), SLUICE_OK) << view(error);
  }
  EXPECT_EQ(log_.with("was truncated while it was read").size(), 1U);

  EXPECT_EQ(bodies(run(kText)), Words{"new"});
}

TEST_F(LinesSource, a_damaged_checkpoint_repeats_and_loses_nothing) {
  folder_.write("in", "a\n");
  run(kText);
  std::filesystem::path checkpoint;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state_.path())) {
    if (entry.path().filename() == "checkpoint")
      checkpoint = entry.path();
  }
  for (const char* damage : {"", "{", "[]", R"({"offset":-5,"line":"x"})", R"({"offset":1})"}) {
    std::ofstream(checkpoint) << damage;
    EXPECT_EQ(bodies(run(kText)), Words{"a"}) << damage;
  }
  EXPECT_EQ(log_.with("is damaged").size(), 5U);
}

TEST_F(LinesSource, a_line_that_cannot_be_read_is_told_with_its_place_and_passed_over) {
  folder_.write("in", "{\"body\":\"a\"}\noops\n{\"body\":\"" + std::string(100, 'x') +
                          "\"}\n{\"body\":\"b\"}\n");
  EXPECT_EQ(bodies(run(R"(,"max_line_bytes":"64B")")), (Words{"a", "b"}));
  EXPECT_EQ(log_.with("/in:2: ").size(), 1U);
  EXPECT_EQ(log_.with("/in:3: longer than max_line_bytes, 64 bytes").size(), 1U);
  EXPECT_EQ(log_.with("2 lines were passed over").size(), 1U);

  append("{\"body\":\"c\"}\nworse\n");
  EXPECT_EQ(bodies(run()), Words{"c"});
  EXPECT_EQ(log_.with("/in:6: ").size(), 1U);  // the number is kept over restarts
}

TEST_F(LinesSource, many_bad_lines_are_counted_and_not_told_one_by_one) {
  std::string text;
  for (int i = 0; i < 500; ++i)
    text += "oops\n";
  folder_.write("in", text);
  EXPECT_EQ(bodies(run()), Words{});
  EXPECT_LT(log_.all().size(), 20U);
  EXPECT_EQ(log_.with("500 lines were passed over").size(), 1U);
}

TEST_F(LinesSource, on_error_stop_ends_the_run_and_a_restart_meets_the_line_again) {
  folder_.write("in", "{\"body\":\"a\"}\noops\n{\"body\":\"b\"}\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(bodies(run(R"(,"on_error":"stop")")), i == 0 ? Words{"a"} : Words{});
    EXPECT_EQ(status_, SLUICE_INVALID);
  }
  EXPECT_EQ(log_.with("/in:2: ").size(), 2U);
  folder_.write("in", "{\"body\":\"a\"}\n{\"body\":\"mended\"}\n{\"body\":\"b\"}\n");
  EXPECT_EQ(bodies(run(R"(,"on_error":"stop")")), (Words{"mended", "b"}));
}

TEST_F(LinesSource, half_a_message_at_the_end_is_read_once_it_is_whole) {
  folder_.write("in", "{\"body\":\"a\"}\n{\"bo");
  EXPECT_EQ(bodies(run()), Words{"a"});
  append("dy\":\"b\"}\n");
  EXPECT_EQ(bodies(run()), Words{"b"});
}

TEST_F(LinesSource, an_acknowledgement_while_it_waits_at_the_end_of_the_file_is_kept) {
  folder_.write("in", "a\n");
  Receiver out;
  const auto source = make(kText);
  const auto& functions = source->functions<sluice_source>();
  std::atomic<bool> exhausted{false};
  out.on_exhausted = [&] {
    exhausted.store(true);
    exhausted.notify_one();
  };
  std::thread settling([&] {
    exhausted.wait(false);
    functions.settled(source->self(), out.emitted.at(0).cookie, SLUICE_OK);
  });
  EXPECT_EQ(functions.run(source->self(), &out), SLUICE_END);
  settling.join();
  EXPECT_EQ(bodies(run(kText)), Words{});  // no finish(): as after kill -9
}

TEST_F(LinesSource, a_message_that_the_host_does_not_take_comes_again) {
  folder_.write("in", "a\nb\n");
  {
    Receiver out;
    out.emit_status = SLUICE_CANCELLED;
    const auto source = make(kText);
    EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
    sluice_str error{};
    EXPECT_EQ(source->functions<sluice_source>().finish(source->self(), &error), SLUICE_OK);
  }
  EXPECT_EQ(bodies(run(kText)), (Words{"a", "b"}));
}

TEST_F(LinesSource, a_message_that_no_queue_can_hold_is_a_bad_line) {
  folder_.write("in", "a\n");
  Receiver out;
  out.emit_status = SLUICE_TOO_LARGE;
  const auto source = make(kText);
  EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_END);
  EXPECT_EQ(log_.with("/in:1: ").size(), 1U);
}

/// A FIFO and its writers.
class LinesFifo : public LinesSource {
 protected:
  LinesFifo() { EXPECT_EQ(mkfifo(folder_.at("in").c_str(), 0600), 0); }

  int open_writer() const { return ::open(folder_.at("in").c_str(), O_WRONLY); }
  static void write(int writer, std::string_view text) {
    EXPECT_EQ(::write(writer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  /// A process that is given `text` and ends; it acknowledges these bodies.
  Receiver through(std::string_view text, const std::set<std::string>& settles,
                   std::int32_t emit_status = SLUICE_OK, const std::string& more = kText) {
    Receiver out;
    out.emit_status = emit_status;
    const auto source = make(more);
    const auto& functions = source->functions<sluice_source>();
    out.on_emit = [&](const Receiver::Emitted& one) {
      if (settles.contains(one.body))
        functions.settled(source->self(), one.cookie, SLUICE_OK);
    };
    out.on_exhausted = [&] { source->cancel(); };
    if (text.empty()) {
      source->cancel();
    } else {
      const int writer = open_writer();
      write(writer, text);
      ::close(writer);
    }
    EXPECT_EQ(functions.run(source->self(), &out), SLUICE_CANCELLED);
    sluice_str error{};
    EXPECT_EQ(functions.finish(source->self(), &error), SLUICE_OK) << view(error);
    return out;
  }
  static Words ids(const Receiver& out) {
    Words result;
    for (const auto& one : out.emitted)
      result.push_back(one.id);
    return result;
  }
};

TEST_F(LinesFifo, writers_come_and_go_and_the_source_waits_for_the_next) {
  Receiver out;
  const auto source = make(kText);
  std::atomic<int> exhausted{0};
  out.on_exhausted = [&] {
    ++exhausted;
    exhausted.notify_all();
  };
  std::thread writing([&] {
    for (int i = 0; i < 3; ++i) {
      const int writer = open_writer();
      write(writer, "line " + std::to_string(i) + "\nrest");
      ::close(writer);
      for (int seen = exhausted.load(); seen <= i; seen = exhausted.load())
        exhausted.wait(seen);
    }
    source->cancel();
  });
  EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
  writing.join();
  EXPECT_EQ(bodies(out), (Words{"line 0", "rest", "line 1", "rest", "line 2", "rest"}));
}

TEST_F(LinesFifo, a_writer_that_comes_and_goes_while_the_end_of_another_is_told_is_read_to_its_end) {
  Receiver out;
  const auto source = make(kText);
  const auto write_all = [&](const std::string& text) {
    const int writer = open_writer();
    write(writer, text);
    ::close(writer);
  };
  int ends = 0;
  out.on_exhausted = [&] {
    if (++ends == 1)
      write_all("line 1\nrest");
    else
      source->cancel();
  };
  write_all("line 0\n");
  EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
  EXPECT_EQ(bodies(out), (Words{"line 0", "line 1", "rest"}));
}

TEST_F(LinesFifo, cancelling_before_or_while_it_waits_for_a_writer_or_its_bytes_ends_the_run) {
  for (const bool with_writer : {false, true}) {
    for (const bool early : {true, false}) {
      Receiver out;
      const auto source = make();
      const int writer = with_writer ? open_writer() : -1;
      if (early)
        source->cancel();
      std::thread cancelling([&] {
        if (!early)
          source->cancel();
      });
      EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
      cancelling.join();
      ::close(writer);
    }
  }
}

TEST_F(LinesFifo, equal_lines_are_different_messages) {
  Receiver out;
  const auto source = make(kText);
  out.on_exhausted = [&] { source->cancel(); };
  const int writer = open_writer();
  write(writer, "x\nx\n");
  ::close(writer);
  source->functions<sluice_source>().run(source->self(), &out);
  ASSERT_EQ(out.emitted.size(), 2U);
  EXPECT_EQ(out.emitted[0].id.size(), 16U);
  EXPECT_NE(out.emitted[0].id, out.emitted[1].id);
}

TEST_F(LinesFifo, what_was_not_acknowledged_at_the_end_comes_again_with_its_id) {
  const Receiver first = through("a\nb\n\xff\n", {});
  EXPECT_EQ(bodies(first), (Words{"a", "b", "\xff"}));

  const Receiver second = through("", {"b"});
  EXPECT_EQ(ids(second), ids(first));
  const Receiver third = through("c\n", {"a", "\xff"});
  EXPECT_EQ(bodies(third), (Words{"a", "\xff", "c"}));
  EXPECT_EQ(third.emitted[0].id, first.emitted[0].id);
  EXPECT_EQ(bodies(through("", {"c"})), Words{"c"});
  EXPECT_EQ(bodies(through("", {})), Words{});
}

TEST_F(LinesFifo, what_comes_again_has_its_delay_and_its_deduplication_id_again) {
  through(R"({"body":"a","delay":"90s","deduplication_id":"one \"1\""})"
          "\n"
          R"({"body":"b","delay":"0s"})"
          "\n",
          {}, SLUICE_OK, "");
  const Receiver again = through("", {"a", "b"}, SLUICE_OK, "");
  ASSERT_EQ(bodies(again), (Words{"a", "b"}));
  EXPECT_EQ(again.emitted[0].delay_ms, 90'000);
  EXPECT_EQ(again.emitted[0].deduplication_id, "one \"1\"");
  EXPECT_EQ(again.emitted[1].delay_ms, -1);
  EXPECT_EQ(again.emitted[1].deduplication_id, "");
}

TEST_F(LinesFifo, what_was_taken_from_it_and_not_emitted_comes_at_the_next_start) {
  EXPECT_EQ(bodies(through("a\nb\n", {}, SLUICE_CANCELLED)), Words{});
  EXPECT_EQ(bodies(through("", {"a", "b"})), (Words{"a", "b"}));
  EXPECT_EQ(bodies(through("", {})), Words{});
}

TEST_F(LinesFifo, lines_left_behind_that_cannot_be_read_are_told_with_their_place_and_kept) {
  through("a\nb\n", {});
  state_.write(kLeftBehind, state_.read(kLeftBehind) + "was a message\n" + R"({"body":"torn)");

  EXPECT_EQ(bodies(through("", {"a"})), (Words{"a", "b"}));
  EXPECT_EQ(log_.with(state_.at(kLeftBehind) + ":3: ").size(), 1U);
  EXPECT_EQ(log_.with(state_.at(kLeftBehind) + ":4: ").size(), 1U);
  EXPECT_EQ(log_.with("kept in \"" + state_.at(kDamaged) + "\"").size(), 1U);
  EXPECT_EQ(state_.read(kDamaged), "was a message\n{\"body\":\"torn\n");

  EXPECT_EQ(bodies(through("", {"b"})), Words{"b"});
  EXPECT_FALSE(state_.exists(kLeftBehind));
}

TEST_F(LinesFifo, damaged_lines_never_take_the_place_of_earlier_ones) {
  through("a\n", {});
  for (const char* damaged : {"first\n", "second\n"}) {
    state_.write(kLeftBehind, damaged);
    through("", {});
  }
  EXPECT_FALSE(state_.exists(kLeftBehind));
  EXPECT_EQ(state_.read(kDamaged), "first\n");
  EXPECT_EQ(state_.read(kDamagedNext), "second\n");
}

TEST_F(LinesFifo, a_damaged_file_is_left_as_it_is_until_what_stands_in_it_is_acknowledged) {
  through("a\n", {});
  const std::string left = state_.read(kLeftBehind) + "was a message\n";
  state_.write(kLeftBehind, left);
  {
    Receiver out;
    const auto source = make(kText);
    source->cancel();
    EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
    EXPECT_EQ(bodies(out), Words{"a"});
  }  // no finish(): as after kill -9
  EXPECT_EQ(state_.read(kLeftBehind), left);
  EXPECT_FALSE(state_.exists(kDamaged));
}

TEST_F(LinesFifo, the_last_line_left_behind_may_lack_its_end) {
  through("a\n", {});
  std::string left = state_.read(kLeftBehind);
  left.pop_back();
  state_.write(kLeftBehind, left);
  EXPECT_EQ(bodies(through("", {"a"})), Words{"a"});
  EXPECT_FALSE(state_.exists(kLeftBehind));
}

TEST_F(LinesFifo, a_message_left_behind_that_no_queue_can_hold_is_kept_as_a_damaged_line) {
  through("a\n", {});
  const std::string left = state_.read(kLeftBehind);
  through("", {}, SLUICE_TOO_LARGE, kText + R"(,"on_error":"stop")");
  EXPECT_EQ(log_.with(state_.at(kLeftBehind) + ":1: ").size(), 1U);
  EXPECT_EQ(state_.read(kDamaged), left);
  EXPECT_FALSE(state_.exists(kLeftBehind));
}

TEST_F(LinesFifo, on_a_full_disk_the_messages_that_are_lost_are_counted_and_no_half_file_stays) {
  through("a\n", {});
  const std::string left = state_.read(kLeftBehind);
  {
    Receiver out;
    const auto source = make(kText);
    const auto& functions = source->functions<sluice_source>();
    out.on_exhausted = [&] { source->cancel(); };
    const int writer = open_writer();
    write(writer, "b\nc\n");
    ::close(writer);
    EXPECT_EQ(functions.run(source->self(), &out), SLUICE_CANCELLED);
    EXPECT_EQ(bodies(out), (Words{"a", "b", "c"}));

    const FileLimit full(left.size() + 1);
    sluice_str error{};
    EXPECT_EQ(functions.finish(source->self(), &error), SLUICE_IO);
    EXPECT_NE(view(error).find("could not be kept: 2;"), std::string::npos) << view(error);
  }
  EXPECT_FALSE(state_.exists(kLeftBehind + ".new"));
  EXPECT_EQ(state_.read(kLeftBehind), left);
}

TEST_F(LinesSource, a_missing_file_or_a_folder_is_an_error_of_the_start) {
  for (const char* path : {"/nowhere/in", "/tmp"}) {
    const auto made = plugins_.try_make("source", "lines", "events",
                                        R"({"path":")" + std::string(path) + "\"}", state_.path());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, core::Errc::missing_input);
    EXPECT_NE(made.error().message.find(path), std::string::npos) << made.error().message;
  }
}

TEST_F(LinesSource, options_that_make_no_sense_are_config_errors) {
  for (const char* options :
       {"{}", R"({"path":""})", R"({"path":"x","format":"csv"})",
        R"({"path":"x","on_error":"retry"})", R"({"path":"x","max_line_bytes":"1B"})",
        R"({"path":"x","max_line_bytes":"65MiB"})"}) {
    EXPECT_NE(plugins_.faults("source", "lines", options), "") << options;
  }
}

}  // namespace
}  // namespace sluice::test
