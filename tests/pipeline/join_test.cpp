// Two sources whose messages meet in one queue, and one of them dies in the middle of a cookie (reliability catalogue
// C5). Dies, where its run just ends: all that it emitted comes to its end, as what the other emits does. Dies of an
// error: the engine stops with 69, and what was not settled comes again at the next start.
#include <algorithm>
#include <array>
#include <condition_variable>
#include <latch>
#include <map>
#include <mutex>
#include <set>

#include "engine_fixture.hpp"
#include "support/ledger.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::Summary;

constexpr std::uint64_t kCookies = 200, kOfCookie = 3;  // of each source; messages
constexpr std::uint64_t kWays = 2;                      // from a source to the queue where they meet
constexpr std::uint32_t kLiving = 0, kDying = 1;        // the sources
constexpr std::uint64_t kDiesAfter = 100;               // messages: one of the 34th cookie's three
constexpr std::uint64_t kSettledBefore = 5;             // cookies, at least; the rest of what was emitted is under way
constexpr std::uint64_t kOtherEmitted = 300;            // messages of the other by then

/// A message's number among its source's.
using Message = std::pair<std::uint32_t, std::uint64_t>;

bool is_bad(std::uint64_t sequence) { return sequence % 11 == 0; }

/// What became of each cookie, over all starts.
class Cookies {
 public:
  /// What was not settled is emitted again, and comes to its end again.
  void start() {
    std::lock_guard lock(mutex_);
    for (auto& [key, cookie] : cookies_) {
      if (cookie.settled == 0) {
        cookie = {};
      }
    }
  }
  bool is_settled(std::uint32_t source, std::uint64_t cookie) {
    std::lock_guard lock(mutex_);
    return cookies_[{source, cookie}].settled != 0;
  }
  void emits(std::uint32_t source, std::uint64_t sequence) {
    std::lock_guard lock(mutex_);
    Cookie& cookie = cookies_[{source, sequence / kOfCookie}];
    ++cookie.emitted;
    cookie.bad += is_bad(sequence) ? 1 : 0;
  }
  void was_not_emitted(std::uint32_t source, std::uint64_t sequence) {
    std::lock_guard lock(mutex_);
    Cookie& cookie = cookies_[{source, sequence / kOfCookie}];
    --cookie.emitted;
    cookie.bad -= is_bad(sequence) ? 1 : 0;
  }
  void ended(const Stamp& stamp) {
    std::lock_guard lock(mutex_);
    Cookie& cookie = cookies_[{stamp.producer, stamp.sequence / kOfCookie}];
    ++cookie.ended;
    EXPECT_EQ(cookie.settled, 0u) << "something of it comes after it was settled";
    if (is_bad(stamp.sequence)) {
      rejected_.insert({stamp.producer, stamp.sequence});
    }
  }
  void settled(std::uint32_t source, std::uint64_t number, std::int32_t worst) {
    std::lock_guard lock(mutex_);
    Cookie& cookie = cookies_[{source, number}];
    EXPECT_EQ(++cookie.settled, 1u) << source << '/' << number;
    ++settled_;
    change_.notify_all();
    EXPECT_EQ(cookie.ended, cookie.emitted * kWays) << source << '/' << number << " is settled early";
    EXPECT_EQ(worst, cookie.bad != 0 ? SLUICE_REJECT : SLUICE_OK) << source << '/' << number;
  }
  bool some_are_settled() const {
    std::lock_guard lock(mutex_);
    return settled_ >= kSettledBefore;
  }
  void wait_until_some_are_settled() {
    std::unique_lock lock(mutex_);
    change_.wait(lock, [this] { return settled_ >= kSettledBefore; });
  }
  std::uint64_t count_settled(std::uint32_t source) const {
    std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& [key, cookie] : cookies_) {
      sum += key.first == source ? cookie.settled : 0;
    }
    return sum;
  }
  std::uint64_t messages_settled(std::uint32_t source) const {
    std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& [key, cookie] : cookies_) {
      sum += key.first == source && cookie.settled != 0 ? cookie.emitted : 0;
    }
    return sum;
  }
  /// Messages that were rejected, however often they came.
  std::uint64_t rejected() const {
    std::lock_guard lock(mutex_);
    return rejected_.size();
  }

 private:
  struct Cookie {
    std::uint64_t emitted = 0, bad = 0, ended = 0, settled = 0;
  };
  mutable std::mutex mutex_;
  std::condition_variable change_;
  std::uint64_t settled_ = 0;
  std::map<std::pair<std::uint32_t, std::uint64_t>, Cookie> cookies_;
  std::set<Message> rejected_;
};

/// The id of a message is the same whenever its source emits it.
int32_t emit_stamped(sluice_out* out, std::uint32_t source, std::uint64_t sequence) {
  const std::string body = stamped_body(source, sequence, 50);
  std::array<std::uint8_t, 16> id{};
  std::copy_n(body.begin(), id.size(), id.begin());  // producer and sequence
  sluice_emission made = emission(0, body);
  made.cookie = sequence / kOfCookie;
  made.id = id.data();
  return host().emit(out, &made);
}

/// One start: two sources, a topic of two ways to one queue, and the stage that judges there.
class Join {
 public:
  /// `status`: what the one source's run returns in the middle of its work; nullopt: none dies.
  Join(Cookies& cookies, std::optional<std::int32_t> status)
      : cookies_(cookies),
        status_(status),
        living_(source(kLiving)),
        dying_(source(kDying)),
        pool_way_(forwarding_stage()),
        thread_way_(forwarding_stage(SLUICE_BLOCKS)),
        judge_(Script::stage("judge", SLUICE_BLOCKS, [this](const sluice_batch& batch, sluice_out* out) { return judge(batch, out); })) {
    cookies_.start();
    const std::uint32_t joined = plan_.queue_with_dead("joined", 3), one = plan_.queue("one"), two = plan_.queue("two");
    const core::Target both = plan_.topic({one, two});
    plan_.source(*living_, both);
    plan_.source(*dying_, both);
    plan_.pipeline().sources.back().name = "dying";
    plan_.service("one", one, {pool_way_.get()}).publish_to = Plan::to(joined);
    plan_.service("two", two, {thread_way_.get()}).publish_to = Plan::to(joined);
    plan_.service("judge", joined, {judge_.get()}).scaling.desired_capacity = 2;
  }
  Plan& plan() { return plan_; }
  /// Lets go on what waits for the death of the one.
  void go_on() { door_.open(); }

 private:
  std::unique_ptr<Script> source(std::uint32_t number) {
    return Script::source("stamped", SLUICE_REPEATS, [this, number](sluice_out* out) { return run(number, out); },
                          [this, number](std::uint64_t cookie, int32_t worst) { cookies_.settled(number, cookie, worst); });
  }
  int32_t run(std::uint32_t number, sluice_out* out) {
    std::uint64_t emitted = 0;
    for (std::uint64_t cookie = 0; cookie < kCookies; ++cookie) {
      if (cookies_.is_settled(number, cookie)) {
        continue;
      }
      for (std::uint64_t sequence = cookie * kOfCookie; sequence < (cookie + 1) * kOfCookie; ++sequence, ++emitted) {
        if (status_ && number == kDying && emitted == kDiesAfter) {
          other_is_ahead_.wait();
          return *status_;
        }
        if (status_ && number == kLiving && emitted == kOtherEmitted) {
          host().flush(out);
          cookies_.wait_until_some_are_settled();
          other_is_ahead_.count_down();
        }
        cookies_.emits(number, sequence);
        if (const int32_t status = emit_stamped(out, number, sequence); status != SLUICE_OK) {
          cookies_.was_not_emitted(number, sequence);
          return status;
        }
      }
    }
    return SLUICE_END;
  }
  int32_t judge(const sluice_batch& batch, sluice_out* out) {
    if (status_ && cookies_.some_are_settled()) {
      door_.wait();
    }
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const sluice_message& message = *batch.messages[i];
      const std::optional<Stamp> stamp = read_stamp({message.body, message.body_size});
      if (!stamp) {
        return SLUICE_FATAL;
      }
      cookies_.ended(*stamp);
      if (is_bad(stamp->sequence)) {
        host().settle(out, i, SLUICE_REJECT, -1, str("bad"), {});
      }
    }
    return SLUICE_OK;
  }

  Cookies& cookies_;
  const std::optional<std::int32_t> status_;
  Plan plan_;
  Door door_;
  std::latch other_is_ahead_{1};
  std::unique_ptr<Script> living_, dying_, pool_way_, thread_way_, judge_;
};

TEST(Join, completes_the_cookies_of_a_source_whose_run_ends_in_the_middle_of_one_and_of_the_other) {
  LogLines quiet;
  Cookies cookies;
  Join join(cookies, SLUICE_END);
  join.go_on();
  const Summary summary = join.plan().run();
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(cookies.count_settled(kLiving), kCookies);
  EXPECT_EQ(cookies.count_settled(kDying), kDiesAfter / kOfCookie + 1) << "the last one with what there is of it";
  EXPECT_EQ(cookies.messages_settled(kDying), kDiesAfter);
  EXPECT_EQ(summary.sources[kLiving].acknowledged, kCookies * kOfCookie);
  EXPECT_EQ(summary.sources[kDying].acknowledged, kDiesAfter);
  EXPECT_EQ(summary.dead_letters, cookies.rejected() * kWays);
  expect_conservation(summary);
}

/// Runs until the one source has died, then lets the rest go on.
Summary run_until_death(Join& join) {
  auto engine = join.plan().start(true);
  EXPECT_TRUE(engine);
  while (!(*engine)->is_stopping()) {
    (void)(*engine)->wait_for_end(std::chrono::milliseconds(1));
  }
  join.go_on();
  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  return (*engine)->finish();
}

TEST(Join, whose_one_source_dies_of_an_error_settles_each_cookie_of_both_once_over_this_start_and_the_next) {
  LogLines quiet;
  Cookies cookies;
  Join first(cookies, SLUICE_UNAVAILABLE);
  const Summary died = run_until_death(first);
  EXPECT_EQ(died.exit, 69);
  for (const std::uint32_t source : {kLiving, kDying}) {
    EXPECT_EQ(died.sources[source].acknowledged, cookies.messages_settled(source));
    EXPECT_LT(died.sources[source].acknowledged, died.sources[source].events) << "something was under way";
  }
  EXPECT_EQ(died.sources[kDying].events, kDiesAfter);
  EXPECT_TRUE(cookies.some_are_settled()) << "something had come to its end";
  EXPECT_FALSE(died.threads_left);
  expect_conservation(died);

  Join again(cookies, std::nullopt);
  again.plan().pipeline().state = first.plan().pipeline_state();
  const Summary summary = again.plan().run();
  EXPECT_EQ(summary.exit, 0);
  for (const std::uint32_t source : {kLiving, kDying}) {
    EXPECT_EQ(cookies.count_settled(source), kCookies);
    EXPECT_EQ(cookies.messages_settled(source), kCookies * kOfCookie) << "none was cut in two by the death";
  }
  EXPECT_EQ(summary.dead_letters, cookies.rejected() * kWays) << "what is rejected again has its letter already";
  expect_conservation(summary);
}

}  // namespace
}  // namespace sluice::test
