// A stage that fails as its messages ask it to (attribute "fate") and at random; what it lets through
// tells in its attributes which run it was, which receive, and how long the lease was good for.
#pragma once

#include <poll.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <csignal>
#include <set>
#include <string>

namespace sluice::test {

class Unreliable {
 public:
  explicit Unreliable(const Config& config)
      : run_(std::to_string(config.integer("run"))),
        random_(static_cast<std::uint64_t>(config.integer("run") + 1) * 0x9e3779b97f4a7c15U),
        retries_one_in_(static_cast<std::uint64_t>(config.integer("retries_one_in"))),
        outstays_one_in_(static_cast<std::uint64_t>(config.integer("outstays_one_in"))),
        copies_(config.integer("copies")),
        ordered_(config.boolean("ordered")),
        mended_(config.boolean("mended")) {}

  void process(const Batch& batch, Out& out) {
    std::set<std::string_view> behind;  // groups of which one is retried: the rest waits for it
    std::int64_t outstays_ms = -1;
    bool swallows = false;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const std::string_view fate =
          mended_ ? std::string_view() : batch[i].attribute("fate").value_or("");
      const std::string_view group = view(batch[i]->group_id);
      if (fate == "crash")
        std::raise(SIGKILL);
      if (behind.contains(group) || fate == "retry" ||
          (batch[i]->receive_count < 3 && one_in(retries_one_in_))) {
        out.retry(i, fate == "retry" ? "poison" : "not yet", "",
                  static_cast<std::int64_t>(next() % 3));
        if (ordered_)
          behind.insert(group);
        continue;
      }
      if (fate == "reject") {
        out.reject(i, "poison", "damaged");
        continue;
      }
      swallows |= fate == "swallow";
      if (fate == "timeout")
        outstays_ms = kLateMs;
      else if (batch[i]->receive_count == 1 && one_in(outstays_one_in_))
        outstays_ms = std::max<std::int64_t>(outstays_ms, 0);
      hand_on(batch, i, fate == "part", out);
    }
    while (swallows && out.progress(0, 0, 0) == SLUICE_OK)
      ::poll(nullptr, 0, 1);
    while (outstays_ms >= 0 && host().now_ms() <= batch.get()->lease_until_ms + outstays_ms)
      ::poll(nullptr, 0, 1);
  }

 private:
  /// A result that comes a moment after the lease's end may still be taken; one that is so late is not.
  static constexpr std::int64_t kLateMs = 1000;

  void hand_on(const Batch& batch, std::uint32_t i, bool with_part, Out& out) const {
    const std::string attempt = std::to_string(batch[i]->receive_count),
                      received = std::to_string(host().now_ms()),
                      until = std::to_string(batch.get()->lease_until_ms);
    const sluice_attribute all[] = {attribute("run", run_), attribute("attempt", attempt),
                                    attribute("received", received), attribute("until", until)};
    const sluice_attribute* pointers[] = {&all[0], &all[1], &all[2], &all[3]};
    sluice_emission made = emission(i);
    made.body = batch[i]->body;
    made.body_size = batch[i]->body_size;
    if (with_part)
      check(host().reject_part(out.get(), &made, str("bad part"), {}));
    made.group_id = batch[i]->group_id;
    made.attribute_count = 4;
    made.attributes = pointers;
    for (std::int64_t copy = 0; copy < copies_; ++copy)
      check(out.emit(made));
  }
  /// splitmix64
  std::uint64_t next() {
    std::uint64_t z = random_ += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
  }
  bool one_in(std::uint64_t n) { return n != 0 && next() % n == 0; }

  const std::string run_;
  std::uint64_t random_;
  const std::uint64_t retries_one_in_, outstays_one_in_;
  const std::int64_t copies_;
  const bool ordered_, mended_;
};

constexpr sluice_option kRun = option({.name = "run",
                                       .type = "int",
                                       .default_json = "0",
                                       .help = "Which start of the engine this is: its seed."});
constexpr sluice_option kRetriesOneIn =
    option({.name = "retries_one_in",
            .type = "int",
            .default_json = "0",
            .help = "At random, at the first and second receive; 0: never."});
constexpr sluice_option kOutstaysOneIn =
    option({.name = "outstays_one_in",
            .type = "int",
            .default_json = "0",
            .help = "At random, at the first receive: holds the batch beyond its lease."});
constexpr sluice_option kCopies =
    option({.name = "copies", .type = "int", .default_json = "1", .help = "Emissions of each."});
constexpr sluice_option kOrdered =
    option({.name = "ordered",
            .type = "bool",
            .default_json = "false",
            .help = "Retries what follows a retried message in its group, as who wants order does."});
constexpr sluice_option kMended = option({.name = "mended",
                                          .type = "bool",
                                          .default_json = "false",
                                          .help = "Lets everything through, whatever its fate."});
constexpr const sluice_option* kUnreliableOptions[] = {&kRun,    &kRetriesOneIn, &kOutstaysOneIn,
                                                       &kCopies, &kOrdered,      &kMended,       nullptr};

inline const sluice_component kUnreliable = stage<Unreliable>(
    "unreliable", "Fails as its messages ask it to, and at random; else hands them on.",
    SLUICE_BLOCKS | SLUICE_MAY_RETRY, kUnreliableOptions);

}  // namespace sluice::test
