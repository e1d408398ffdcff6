#include "service/source.hpp"

#include <fmt/format.h>

#include <cstddef>

namespace sluice::core {

Source::Source(SourceOptions options, Instance instance, Timers& timers, DeadLetters& dead_letters)
    : options_(std::move(options)),
      instance_(std::move(instance)),
      publisher_({.queues = options_.queues, .kind = Chunk::Kind::source, .listener = this,
                  .wait = {.keep_on = [this] { return !cancelled(); },
                           .parks = [this] { waits_.store(true, std::memory_order_release); },
                           .goes_on = [this] { waits_.store(false, std::memory_order_release); }}},
                 timers, dead_letters) {}

Source::~Source() = default;

void Source::start() {
  running_.store(true, std::memory_order_release);
  thread_ = Thread(fmt::format("{}", options_.name), [this] { run(); }, options_.core);
}

void Source::run() {
  ComponentScope scope(options_.name.c_str());
  int32_t status = instance_.functions<sluice_source>().run(instance_.self(), this);
  publisher_.close();
  if (status != SLUICE_OK && status != SLUICE_END && status != SLUICE_CANCELLED) {
    options_.failed(status, options_.name);
  }
  running_.store(false, std::memory_order_release);
}

void Source::cancel() {
  cancelled_.store(true, std::memory_order_seq_cst);
  instance_.cancel();
}

Result<void> Source::finish() {
  finished_.store(true, std::memory_order_seq_cst);
  const auto& functions = instance_.functions<sluice_source>();
  const bool offers = functions.struct_size >= offsetof(sluice_source, finish) + sizeof functions.finish;
  if (!offers || functions.finish == nullptr) {
    return {};
  }
  ComponentScope scope(options_.name.c_str());
  sluice_str error{};
  if (functions.finish(instance_.self(), &error) == SLUICE_OK) {
    return {};
  }
  return fail(Errc::io, fmt::format("source '{}': {}", options_.name, std::string_view(error.data, error.size)));
}

int32_t Source::emit(const sluice_emission& emission, bool may_wait) {
  MessageParts parts;
  int32_t status = cancelled() ? SLUICE_CANCELLED : emission_reader_.read(emission, nullptr, &parts);
  if (status == SLUICE_OK && (emission.parent != 0 || emission.reader != nullptr)) {
    status = SLUICE_INVALID;  // a source has no parent, and nothing streamed enters a queue
  }
  if (status != SLUICE_OK) {
    if (emission.struct_size >= sizeof(sluice_emission) && emission.release != nullptr) {
      emission.release(emission.owner);
    }
    return status;
  }
  reserved_ = false;
  Publisher::Item item;
  if (status = take_body(emission, &item); status != SLUICE_OK) {
    return status;
  }
  item.parts = parts;
  item.delay_ms = emission.delay_ms;
  item.cookie = emission.cookie;
  emits();
  return status_of(publisher_.append(item, may_wait ? Admission::wait : Admission::refuse));
}

int32_t Source::reserve(uint64_t body_size, uint8_t** body) {
  if (body_size > kInlineBodyMax) {
    return SLUICE_TOO_LARGE;
  }
  if (cancelled()) {
    return SLUICE_CANCELLED;
  }
  Publisher::Outcome outcome = Publisher::Outcome::ok;
  *body = publisher_.reserve(body_size, Admission::wait, &outcome);
  reserved_ = *body != nullptr;
  reserved_bytes_ = body_size;
  return status_of(outcome);
}

int32_t Source::commit(uint64_t body_size, const sluice_emission* emission) {
  if (!reserved_ || body_size > reserved_bytes_) {
    return SLUICE_INVALID;
  }
  reserved_ = false;
  emits();
  if (is_plain(emission)) {
    publisher_.commit_plain(body_size, emission != nullptr ? emission->cookie : 0);
    return SLUICE_OK;
  }
  return commit_with_parts(body_size, *emission);
}

/// Kept out of commit(), whose every instruction counts.
[[gnu::noinline]] int32_t Source::commit_with_parts(std::uint64_t body_size, const sluice_emission& emission) {
  Publisher::Item item;
  if (int32_t status = emission_reader_.read(emission, nullptr, &item.parts); status != SLUICE_OK) {
    return status;
  }
  item.delay_ms = emission.delay_ms;
  item.cookie = emission.cookie;
  return status_of(publisher_.commit(body_size, item, Admission::wait));
}

int32_t Source::flush() {
  reserved_ = false;
  publisher_.flush(true);
  return cancelled() ? SLUICE_CANCELLED : SLUICE_OK;
}

int32_t Source::exhausted() {
  reserved_ = false;
  publisher_.flush(true);
  exhausted_.store(true, std::memory_order_release);
  return SLUICE_OK;
}

void Source::settled(std::uint64_t cookie, bool rejected, std::uint32_t messages) {
  const auto& functions = instance_.functions<sluice_source>();
  if (finished_.load(std::memory_order_relaxed)) {
    return;
  }
  if (functions.settled != nullptr) {
    functions.settled(instance_.self(), cookie, rejected ? SLUICE_REJECT : SLUICE_OK);
  }
  acknowledged_.fetch_add(messages, std::memory_order_release);
}

}  // namespace sluice::core
