// A plugin in C++20 over plugin.hpp alone: the stage `reverse` turns bodies round. Built by the
// tests outside of the tree.
#include <sluice/plugin.hpp>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace {

class Reverse {
 public:
  explicit Reverse(const sluice::Config& config)
      : reject_(config.find_text("reject").value_or("")) {}

  void process(const sluice::Batch& batch, sluice::Out& out) {
    for (uint32_t i = 0; i < batch.size(); ++i) {
      const auto body = batch[i].body();
      if (batch[i].text() == reject_) {
        out.reject(i, "unwanted");
        continue;
      }
      if (batch[i].text() == "throw") {
        throw std::runtime_error("the author's bug");
      }
      const std::vector<uint8_t> reversed(body.rbegin(), body.rend());
      if (out.emit(i, reversed) != SLUICE_OK) {
        throw sluice::Failure(SLUICE_FATAL, "cannot emit");
      }
    }
  }

 private:
  std::string reject_;
};

constexpr sluice_option kReject =
    sluice::option({.name = "reject", .type = "string", .help = "A body that is rejected."});
const sluice_option* const kOptions[] = {&kReject, nullptr};
const sluice_component kReverse =
    sluice::stage<Reverse>("reverse", "Turns bodies round.", 0, kOptions);

}  // namespace

SLUICE_PLUGIN("org.example.reverse", "1.0.0", &kReverse)
