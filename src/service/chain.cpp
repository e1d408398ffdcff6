#include "service/chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sluice::core {
namespace {

/// DESIGN §2.4: what a stage may emit per message unless it SPLITS.
constexpr std::uint32_t kEmissionsMax = 64;
constexpr std::int64_t kPartsLookNs = 100'000'000;

std::string text_of(sluice_str text) { return text.size == 0 ? std::string() : std::string(text.data, text.size); }

/// Lets go of an emission's body when it is not kept.
int32_t refuse(const sluice_emission& emission, int32_t status) {
  if (emission.struct_size >= sizeof(sluice_emission) && emission.release != nullptr) {
    emission.release(emission.owner);
  }
  return status;
}

/// While it lives, the batch's origins may be named, where the batch is not given up.
class Emitting {
 public:
  explicit Emitting(Consumer& consumer)
      : consumer_(consumer),
        may_(consumer.begin_emission()) {}
  ~Emitting() {
    if (may_) {
      consumer_.end_emission();
    }
  }
  Emitting(const Emitting&) = delete;
  Emitting& operator=(const Emitting&) = delete;
  explicit operator bool() const { return may_; }

 private:
  Consumer& consumer_;
  const bool may_;
};

}  // namespace

Chain::Chain(std::vector<Instance> stages, Consumer& consumer, Publisher* publisher,
             ChainOptions options)
    : consumer_(consumer),
      publisher_(publisher),
      options_(std::move(options)) {
  for (Instance& instance : stages) {
    std::uint32_t flags = instance.component().descriptor->flags;
    bool splits = (flags & SLUICE_SPLITS) != 0;
    bool waits = splits || (flags & SLUICE_BLOCKS) != 0;
    blocks_ |= waits;
    const char* type = instance.component().descriptor->type;
    stages_.push_back({std::move(instance), type, !waits, splits, (flags & SLUICE_STREAMS) != 0,
                       (flags & SLUICE_SINK) != 0});
  }
}

void Chain::cancel() const {
  for (const Stage& stage : stages_) {
    stage.instance.cancel();
  }
}

int32_t Chain::run(const sluice_message* const* messages, std::uint32_t count) {
  messages_ = messages;
  roots_ = nullptr;
  count_ = count;
  for (stage_ = 0; stage_ < stages_.size() && count_ != 0; ++stage_) {
    if (int32_t status = run_stage(stage_); status != SLUICE_OK) {
      return status;
    }
    if (is_last() || consumer_.has_lost_all()) {
      break;
    }
    current_.swap(next_);
    current_roots_.swap(next_roots_);
    next_.clear();
    next_roots_.clear();
    if (!stages_[stage_ + 1].streams) {
      materialise(current_, current_roots_);
    }
    messages_ = current_.data();
    roots_ = current_roots_.data();
    count_ = static_cast<std::uint32_t>(current_.size());
  }
  if (publisher_ != nullptr) {
    publisher_->flush(false);
  }
  return SLUICE_OK;
}

int32_t Chain::run_stage(std::size_t index) {
  Stage& stage = stages_[index];
  ordinals_.clear();
  reserved_bytes_.reset();
  consumer_.set_stage(stage.type);
  sluice_batch batch{sizeof(sluice_batch), count_, consumer_.lease_until_ms(), messages_};
  int32_t status = process(stage, batch);
  if (status == SLUICE_CANCELLED && !aborting()) {
    retry_all("the stage answered CANCELLED, and nobody had cancelled it");
    return SLUICE_OK;
  }
  return status == SLUICE_OK || status == SLUICE_CANCELLED ? status : SLUICE_FATAL;
}

/// A stage that computes holds a permit, and what it takes is its service's. One that waits holds none.
int32_t Chain::process(Stage& stage, const sluice_batch& batch) {
  const auto call = [&] {
    ComponentScope scope(stage.type);
    return stage.instance.functions<sluice_stage>().process(stage.instance.self(), &batch, this);
  };
  if (options_.permits == nullptr) {
    return call();
  }
  if (!stage.computes) {
    give_core_back();
    return call();
  }
  take_core();
  const int32_t status = call();
  if (has_core_) {
    charge_core();
  }
  return status;
}

void Chain::take_core() {
  lends_core_ = false;
  if (has_core_) {
    return;
  }
  core_start_ = options_.share->start(options_.permits->now());
  options_.permits->acquire(core_start_);
  has_core_ = true;
  core_since_ns_ = options_.clock->steady_ns();
}

void Chain::give_way() {
  if (!has_core_) {
    return;
  }
  charge_core();
  if (options_.permits->wanted_before(core_start_)) {
    options_.permits->give_way(core_start_);
    core_since_ns_ = options_.clock->steady_ns();
  } else {
    options_.permits->advance_to(core_start_);
  }
}

void Chain::give_core_back() {
  if (has_core_) {
    charge_core();
    options_.permits->release();
    has_core_ = false;
  }
}

/// What it had since the last time; what comes next starts behind that.
void Chain::charge_core() {
  const std::int64_t now_ns = options_.clock->steady_ns();
  options_.share->charge(core_start_, now_ns - std::exchange(core_since_ns_, now_ns));
  core_start_ = options_.share->start(options_.permits->now());
}

void Chain::wait_begins() {
  lends_core_ = has_core_;
  give_core_back();
}

void Chain::wait_ends() {
  if (lends_core_) {
    take_core();
  }
}

/// All that reached the stage that runs now.
void Chain::retry_all(const char* reason) {
  for (std::uint32_t i = 0; i < count_; ++i) {
    fail(root_of(i), {Outcome::Status::retry, -1, stages_[stage_].type, reason, {}});
  }
}

int32_t Chain::read_body(sluice_reader& reader, std::string* body) {
  wait_begins();
  const int32_t status = read_all(reader, static_cast<std::uint64_t>(options_.max_body_bytes), body);
  wait_ends();
  return status;
}

/// Reads streamed bodies into memory for a stage that takes none; what cannot be read fails here.
void Chain::materialise(std::vector<const sluice_message*>& batch, std::vector<std::uint32_t>& roots) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const sluice_message* message = batch[i];
    if (message->reader != nullptr) {
      auto* body = new std::string;
      kept_.push_back({[](void* owner) { delete static_cast<std::string*>(owner); }, body});
      const int32_t status = read_body(*message->reader, body);
      if (status != SLUICE_OK) {
        bool again = status == SLUICE_UNAVAILABLE || status == SLUICE_RETRY || status == SLUICE_CANCELLED;
        std::string reason = status == SLUICE_TOO_LARGE ? "body too large" : "body cannot be read";
        std::string detail = status == SLUICE_TOO_LARGE
                                 ? fmt::format("over max_body_bytes of service '{}', {} bytes", options_.service, options_.max_body_bytes)
                                 : text_of(host().last_error());
        fail(roots[i], {again ? Outcome::Status::retry : Outcome::Status::reject, -1, stages_[stage_].type,
                        std::move(reason), std::move(detail)});
        continue;
      }
      auto* whole = new (arena_.take(sizeof(sluice_message))) sluice_message(*message);
      whole->reader = nullptr;
      whole->body = reinterpret_cast<const std::uint8_t*>(body->data());
      whole->body_size = body->size();
      message = whole;
    }
    batch[kept] = message;
    roots[kept] = roots[i];
    ++kept;
  }
  batch.resize(kept);
  roots.resize(kept);
  close_readers();  // of all of them: each may hold a descriptor
}

void Chain::close_readers() {
  for (sluice_reader* reader : readers_) {
    host().close(reader);
  }
  readers_.clear();
}

int32_t Chain::check_emission(const sluice_emission& emission) {
  if (emission.struct_size < sizeof(sluice_emission) || emission.parent >= count_ || stages_[stage_].sink ||
      (is_last() && publisher_ == nullptr) || (emission.reader != nullptr && emission.release != nullptr)) {
    return SLUICE_INVALID;
  }
  if (ordinals_.size() < count_) {
    ordinals_.assign(count_, 0);
  }
  if (ordinals_[emission.parent] >= kEmissionsMax && !stages_[stage_].splits) {
    return SLUICE_TOO_LARGE;
  }
  return aborting() ? SLUICE_CANCELLED : SLUICE_OK;
}

int32_t Chain::emit(const sluice_emission& emission, bool may_wait) {
  reserved_bytes_.reset();
  int32_t status = check_emission(emission);
  MessageParts parts;
  if (status == SLUICE_OK) {
    status = emission_reader_.read(emission, messages_[emission.parent], &parts);
  }
  if (status != SLUICE_OK) {
    return refuse(emission, status);
  }
  Uuid id;
  if (parts.id == nullptr) {
    id = derived_id(emission.parent, ordinals_[emission.parent]);
    parts.id = &id;
  }
  status = is_last() ? publish(emission, parts, may_wait) : keep_for_next(emission, parts);
  if (status == SLUICE_OK) {
    ++ordinals_[emission.parent];
  }
  return status;
}

/// DESIGN §2.5: UUIDv5(parent's id, service NUL stage index NUL ordinal).
Uuid Chain::derived_id(std::uint32_t parent, std::uint32_t ordinal) const {
  Uuid parent_id;
  std::memcpy(parent_id.bytes.data(), messages_[parent]->id, 16);
  fmt::memory_buffer name;  // on the stack: this is for each message
  fmt::format_to(std::back_inserter(name), "{}{}{}{}{}", options_.service, '\0', stage_, '\0', ordinal);
  return uuid5(parent_id, {name.data(), name.size()});
}

bool Chain::owns(const sluice_reader* reader) const { return std::ranges::find(readers_, reader) != readers_.end(); }

int32_t Chain::keep_for_next(const sluice_emission& emission, const MessageParts& parts) {
  auto* message = new (arena_.take(sizeof(sluice_message))) sluice_message{};
  message->struct_size = sizeof(sluice_message);
  const sluice_message& parent = *messages_[emission.parent];
  message->receive_count = parent.receive_count;
  message->sent_ms = parent.sent_ms;
  std::memcpy(message->id, parts.id->bytes.data(), 16);
  if (emission.reader != nullptr) {
    message->reader = emission.reader;
    message->body_size = emission.body_size;
    if (!owns(emission.reader)) {  // a stage may pass on the reader that it was given
      readers_.push_back(emission.reader);
    }
  } else if (emission.release != nullptr) {
    message->body = emission.body;
    message->body_size = emission.body_size;
    kept_.push_back({emission.release, emission.owner});
  } else {
    auto* body = static_cast<std::uint8_t*>(arena_.take(emission.body_size + 1));
    if (emission.body_size != 0) {
      std::memcpy(body, emission.body, emission.body_size);
    }
    message->body = body;
    message->body_size = emission.body_size;
  }
  // Attributes and group are copied: they belong to the emitter's call.
  auto copy_text = [this](sluice_str text) {
    auto* place = static_cast<char*>(arena_.take(text.size + 1));
    if (text.size != 0) {
      std::memcpy(place, text.data, text.size);
    }
    return sluice_str{place, text.size};
  };
  message->group_id = copy_text({parts.group_id.data(), parts.group_id.size()});
  message->attribute_count = parts.attribute_count;
  auto** pointers = arena_.take_array<const sluice_attribute*>(parts.attribute_count);
  for (std::uint32_t i = 0; i < parts.attribute_count; ++i) {
    const sluice_attribute& from = *parts.attributes[i];
    pointers[i] = new (arena_.take(sizeof(sluice_attribute)))
        sluice_attribute{sizeof(sluice_attribute), from.type, copy_text(from.name), copy_text(from.value)};
  }
  message->attributes = pointers;
  next_.push_back(message);
  next_roots_.push_back(root_of(emission.parent));
  return SLUICE_OK;
}

int32_t Chain::publish(const sluice_emission& emission, MessageParts& parts, bool may_wait) {
  Publisher::Item item;
  std::string streamed;
  if (emission.reader != nullptr) {
    if (const int32_t read = read_body(*emission.reader, &streamed); read != SLUICE_OK) {
      return read;
    }
    sluice_emission whole = emission;
    whole.body = reinterpret_cast<const std::uint8_t*>(streamed.data());
    whole.body_size = streamed.size();
    if (const int32_t status = take_body(whole, &item); status != SLUICE_OK) {
      return status;
    }
  } else if (int32_t status = take_body(emission, &item); status != SLUICE_OK) {
    return status;
  }
  item.parts = parts;
  item.delay_ms = emission.delay_ms;
  const Emitting emitting(consumer_);
  if (!emitting) {
    if (item.external != nullptr) {
      item.external->drop();
    }
    return SLUICE_STALE;
  }
  item.lineage = lineage_of_root(root_of(emission.parent));
  if (item.lineage.origin != nullptr) {
    item.lineage.origin->add_copy(item.lineage.message);
  }
  Admission admission = !options_.may_wait ? Admission::overdraw : may_wait ? Admission::wait : Admission::refuse;
  Publisher::Outcome outcome = publisher_->append(item, admission);
  if (outcome != Publisher::Outcome::ok && item.lineage.origin != nullptr) {
    item.lineage.origin->drop_copy(item.lineage.message);
  }
  if (outcome == Publisher::Outcome::ok && emission.reader != nullptr && !owns(emission.reader)) {
    host().close(emission.reader);  // it was the emitter's until now
  }
  return status_of(outcome);
}

int32_t Chain::reserve(uint64_t body_size, uint8_t** body) {
  if (body_size > kInlineBodyMax) {
    return SLUICE_TOO_LARGE;
  }
  // Never empty: the pointer must be one.
  reserved_.resize(std::max<std::size_t>({reserved_.size(), body_size, 1}));
  reserved_bytes_ = body_size;
  *body = reserved_.data();
  return SLUICE_OK;
}

int32_t Chain::commit(uint64_t body_size, const sluice_emission* emission) {
  if (!reserved_bytes_ || body_size > *reserved_bytes_) {
    return SLUICE_INVALID;
  }
  sluice_emission whole{};
  whole.struct_size = sizeof whole;
  if (emission != nullptr) {
    whole = *emission;
    whole.release = nullptr;
    whole.reader = nullptr;
  }
  whole.body = reserved_.data();
  whole.body_size = body_size;
  return emit(whole, true);
}

int32_t Chain::flush() {
  reserved_bytes_.reset();
  if (publisher_ != nullptr && is_last()) {
    publisher_->flush(false);
  }
  return aborting() ? SLUICE_CANCELLED : SLUICE_OK;
}

Lineage Chain::lineage_of_root(std::uint32_t root) const {
  for (const Lease& lease : consumer_.leases()) {
    if (root < lease.count) {
      std::uint64_t left = lease.taken.mask & ~lowest_bits(lease.taken.mask, root);
      return lease.taken.chunk->lineage_of(lowest_bit(left));
    }
    root -= lease.count;
  }
  return {};
}

/// OK: there is. The batch keeps its leases meanwhile.
int32_t Chain::wait_for_room_for_parts() {
  Credits& credits = consumer_.dead_letters().part_credits();
  while (!credits.available()) {
    if (aborting() || consumer_.is_given_up()) {
      return aborting() ? SLUICE_CANCELLED : SLUICE_STALE;
    }
    consumer_.extend();
    wait_begins();
    const std::uint32_t epoch = credits.announce_wait();
    if (!credits.available()) {
      credits.park(epoch, std::min(kPartsLookNs, consumer_.extends_every_ms() * 1'000'000));
    }
    credits.withdraw();
    wait_ends();
  }
  return SLUICE_OK;
}

int32_t Chain::reject_part(const sluice_emission& part, sluice_str reason, sluice_str detail) {
  reserved_bytes_.reset();
  if (part.struct_size < sizeof(sluice_emission) || part.parent >= count_ || reason.size == 0 || part.reader != nullptr) {
    return refuse(part, SLUICE_INVALID);
  }
  MessageParts parts;
  if (int32_t status = emission_reader_.read(part, messages_[part.parent], &parts); status != SLUICE_OK) {
    return refuse(part, status);
  }
  if (ordinals_.size() < count_) {
    ordinals_.assign(count_, 0);
  }
  if (ordinals_[part.parent] >= kEmissionsMax && !stages_[stage_].splits) {
    return refuse(part, SLUICE_TOO_LARGE);
  }
  rejects_parts_ = true;
  if (const int32_t status = options_.may_wait ? wait_for_room_for_parts() : SLUICE_OK; status != SLUICE_OK) {
    return refuse(part, status);
  }
  Uuid id;
  if (parts.id == nullptr) {
    id = derived_id(part.parent, ordinals_[part.parent]);
    parts.id = &id;
  }
  ++ordinals_[part.parent];
  const Emitting emitting(consumer_);
  if (!emitting) {
    return refuse(part, SLUICE_STALE);
  }
  consumer_.reject_part({part.body, part.body_size}, parts, lineage_of_root(root_of(part.parent)), stages_[stage_].type,
                        text_of(reason), text_of(detail));
  return refuse(part, SLUICE_OK);  // the body was copied
}

void Chain::fail(std::uint32_t root, Outcome outcome) {
  auto found = std::ranges::lower_bound(failures_, root, {}, &Failure::message);
  if (found == failures_.end() || found->message != root) {
    failures_.insert(found, {root, std::move(outcome)});
  } else if (outcome.status > found->outcome.status) {
    found->outcome = std::move(outcome);
  }
}

std::span<Failure> Chain::failures() { return failures_; }

int32_t Chain::settle(uint32_t index, int32_t status, int64_t retry_after_ms, sluice_str reason, sluice_str detail) {
  if (index >= count_ || (status != SLUICE_OK && status != SLUICE_RETRY && status != SLUICE_REJECT)) {
    return SLUICE_INVALID;
  }
  if (status == SLUICE_OK) {
    return SLUICE_OK;
  }
  Outcome outcome{status == SLUICE_RETRY ? Outcome::Status::retry : Outcome::Status::reject,
                  std::max<std::int64_t>(retry_after_ms, -1), stages_[stage_].type, text_of(reason), text_of(detail)};
  if (outcome.reason.empty() && status == SLUICE_REJECT) {
    outcome.reason = fmt::format("rejected by stage '{}' without a reason", stages_[stage_].type);
  }
  fail(root_of(index), std::move(outcome));
  return SLUICE_OK;
}

int32_t Chain::progress(uint32_t, uint64_t, uint64_t) {
  if (aborting()) {
    return SLUICE_CANCELLED;
  }
  return consumer_.extend() ? SLUICE_OK : SLUICE_STALE;
}

int32_t Chain::ignore(uint32_t index) {
  if (index >= count_) {
    return SLUICE_INVALID;
  }
  ++ignored_;
  return SLUICE_OK;
}

void Chain::finish() {
  close_readers();
  for (const Kept& kept : kept_) {
    kept.release(kept.owner);
  }
  kept_.clear();
  failures_.clear();
  current_.clear();
  current_roots_.clear();
  next_.clear();
  next_roots_.clear();
  ignored_ = 0;
  arena_.reset();
}

}  // namespace sluice::core
