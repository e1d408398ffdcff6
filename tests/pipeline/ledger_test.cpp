// The oracle judges a whole run: every message is tracked from its issue to its end (I1-I5). First the
// oracle itself: one that finds nothing wrong proves nothing.
#include "engine_fixture.hpp"
#include "support/ledger.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using End = Ledger::End;

std::span<const std::uint8_t> bytes(const std::string& body) { return {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}; }

TEST(Ledger, a_stamp_survives_and_a_changed_byte_does_not) {
  std::string body = stamped_body(3, 77, 100, 2);
  EXPECT_EQ(read_stamp(bytes(body))->sequence, 77u);
  EXPECT_EQ(read_stamp(bytes(body))->attempt, 2u);
  body[Stamp::kBytes + 50] ^= 1;
  EXPECT_FALSE(read_stamp(bytes(body)));
  EXPECT_FALSE(read_stamp(bytes("short")));
}

TEST(Ledger, a_sound_history_is_accepted_and_each_broken_rule_is_named) {
  const std::string body = stamped_body(1, 1, 10), stranger = stamped_body(1, 2, 10);
  auto judge = [&](const std::function<void(Ledger&)>& history) {
    Ledger ledger(1);
    ledger.issued(1, 1);
    history(ledger);
    std::vector<std::string> faults = ledger.judge(true);
    return faults.empty() ? std::string("sound") : faults.front().substr(0, 2);
  };
  auto deliver = [&](Ledger& ledger, std::uint32_t count, End end) {
    ledger.leased(0, bytes(body), count);
    ledger.ended(0, bytes(body), end);
  };
  EXPECT_EQ(judge([&](Ledger& l) { deliver(l, 1, End::retried); deliver(l, 2, End::deleted); l.acknowledged(1, 1); }), "sound");
  EXPECT_EQ(judge([&](Ledger&) {}), "I1") << "lost";
  EXPECT_EQ(judge([&](Ledger& l) { deliver(l, 1, End::deleted); }), "I1") << "never acknowledged";
  EXPECT_EQ(judge([&](Ledger& l) { l.acknowledged(1, 1); deliver(l, 1, End::deleted); }), "I1") << "acknowledged early";
  EXPECT_EQ(judge([&](Ledger& l) { l.leased(0, bytes(stranger), 1); deliver(l, 1, End::deleted); l.acknowledged(1, 1); }), "I2");
  EXPECT_EQ(judge([&](Ledger& l) { deliver(l, 1, End::deleted); deliver(l, 2, End::deleted); l.acknowledged(1, 1); }), "I3");
  EXPECT_EQ(judge([&](Ledger& l) { l.leased(0, bytes(body), 1); deliver(l, 2, End::deleted); l.acknowledged(1, 1); }), "I4");
  EXPECT_EQ(judge([&](Ledger& l) { deliver(l, 2, End::deleted); l.acknowledged(1, 1); }), "I5");
}

/// A stage of `branch` that retries and rejects by the message's own numbers.
std::unique_ptr<Script> judged_stage(Ledger& ledger, std::uint32_t branch, std::uint32_t flags) {
  return Script::stage("judged", flags, [&ledger, branch](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const sluice_message& message = *batch.messages[i];
      std::span<const std::uint8_t> body(message.body, message.body_size);
      ledger.leased(branch, body, message.receive_count);
      std::uint64_t sequence = read_stamp(body) ? read_stamp(body)->sequence : 0;
      if (message.receive_count < 3 && (sequence + branch) % 5 == 0) {
        ledger.ended(branch, body, End::retried);
        host().settle(out, i, SLUICE_RETRY, sequence % 3, str("again"), {});
      } else if ((sequence + branch) % 97 == 0) {
        ledger.ended(branch, body, End::dead_lettered);
        host().settle(out, i, SLUICE_REJECT, -1, str("bad"), {});
      } else {
        ledger.ended(branch, body, End::deleted);
      }
    }
    return int32_t{SLUICE_OK};
  });
}

TEST(Engine, the_oracle_finds_no_fault_in_a_run_with_retries_and_rejects_on_every_kind_of_thread) {
  Plan plan;
  constexpr std::uint32_t kBranches = 3;
  const std::uint64_t messages = scaled(4000);
  Ledger ledger(kBranches);
  auto source = Script::source("stamped", 0, [&](sluice_out* out) {
    for (std::uint64_t i = 0; i < messages; ++i) {
      ledger.issued(1, i);
      emit(out, 0, stamped_body(1, i, i * 131 % (i % 50 == 0 ? 20'000 : 300)), i);
      if (i % 13 == 0) {
        host().flush(out);
      }
    }
    return int32_t{SLUICE_END};
  }, [&](std::uint64_t cookie, int32_t) { ledger.acknowledged(1, cookie); });
  std::vector<std::unique_ptr<Script>> stages;
  std::vector<std::uint32_t> queues;
  for (std::uint32_t branch = 0; branch < kBranches; ++branch) {
    stages.push_back(judged_stage(ledger, branch, branch == 2 ? static_cast<std::uint32_t>(SLUICE_BLOCKS) : 0));
    queues.push_back(plan.queue_with_dead("q" + std::to_string(branch), 10));
    plan.pipeline().queues.back().capacity = branch == 1 ? 50 : 100'000;
  }
  plan.source(*source, plan.topic(queues));
  for (std::uint32_t branch = 0; branch < kBranches; ++branch) {
    core::ServiceDescription& service = plan.service("s" + std::to_string(branch), queues[branch], {stages[branch].get()});
    service.scaling.desired_capacity = 1 + branch;
    service.batch_size = branch == 0 ? 64 : 5;
  }
  core::Summary summary = plan.run(2);
  EXPECT_EQ(ledger.judge(true), std::vector<std::string>{});
  EXPECT_GT(ledger.ends(End::retried), messages / 5) << "the run was worth something";
  EXPECT_GT(ledger.ends(End::dead_lettered), messages / 97);
  EXPECT_EQ(summary.dead_letters, ledger.ends(End::dead_lettered));
  EXPECT_EQ(summary.exit, 0);
  expect_conservation(summary);
}

}  // namespace
}  // namespace sluice::test
