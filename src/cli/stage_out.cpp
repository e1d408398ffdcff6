#include "cli/stage_out.hpp"

#include <cstring>

#include "base/json.hpp"
#include "base/utf8.hpp"
#include "plugin/host.hpp"

namespace sluice::core {
namespace {

constexpr uint64_t kReservedBytesMax = 8192;  // plugin.h: reserve
constexpr uint64_t kEmissionsMax = 64;        // plugin.h: emit
constexpr uint64_t kBodyBytesMax = uint64_t{1} << 30;

std::string text(sluice_str value) {
  return value.size == 0 ? std::string() : std::string(value.data, value.size);
}

bool valid_attribute(const sluice_attribute& attribute) {
  if (attribute.struct_size < sizeof(sluice_attribute) || attribute.name.size == 0)
    return false;
  if (attribute.type < SLUICE_STRING || attribute.type > SLUICE_BINARY)
    return false;
  if (!is_utf8(text(attribute.name)) ||
      (attribute.type != SLUICE_BINARY && !is_utf8(text(attribute.value))))
    return false;
  if (attribute.type != SLUICE_STRING_ARRAY)
    return true;
  const auto parsed = parse_json(text(attribute.value));
  return parsed && parsed->type == Json::Type::array;
}

/// Gives a body back to its owner, whatever becomes of the emission.
struct Release {
  const sluice_emission& emission;
  ~Release() {
    if (emission.release != nullptr)
      emission.release(emission.owner);
  }
};

}  // namespace

void CloseReader::operator()(sluice_reader* reader) const {
  host().close(reader);
}

void StageOut::begin(const StageMessage& parent) {
  parent_ = parent;
  parent_.body.clear();  // only what emissions inherit is kept
  reserved_.clear();
  emitted_ = 0;
  status_ = SLUICE_OK;
  reason_.clear();
  detail_.clear();
}

int32_t StageOut::emit(const sluice_emission& emission, bool /*may_wait*/) {
  if (emission.struct_size < sizeof(sluice_emission))
    return SLUICE_INVALID;
  const Release release{emission};
  if (emission.reader != nullptr)
    return pass(emission, {}, emission.reader);
  if (emission.body == nullptr && emission.body_size != 0)
    return SLUICE_INVALID;
  if (emission.body_size > kBodyBytesMax)
    return SLUICE_TOO_LARGE;
  return pass(emission,
              std::string(reinterpret_cast<const char*>(emission.body), emission.body_size),
              nullptr);
}

int32_t StageOut::reserve(uint64_t body_size, uint8_t** body) {
  if (body_size > kReservedBytesMax)
    return SLUICE_TOO_LARGE;
  reserved_.assign(body_size + 1, 0);  // never empty: the pointer must be one
  *body = reserved_.data();
  return SLUICE_OK;
}

int32_t StageOut::commit(uint64_t body_size, const sluice_emission* emission) {
  if (body_size + 1 > reserved_.size())
    return SLUICE_INVALID;
  std::string body(reinterpret_cast<const char*>(reserved_.data()), body_size);
  reserved_.clear();
  sluice_emission plain{};
  plain.struct_size = sizeof plain;
  return pass(emission == nullptr ? plain : *emission, std::move(body), nullptr);
}

int32_t StageOut::pass(const sluice_emission& emission, std::string body, sluice_reader* reader) {
  if (emitted_ >= kEmissionsMax && !splits_)
    return SLUICE_TOO_LARGE;
  StageMessage message;
  const int32_t status = make(emission, std::move(body), &message);
  if (status != SLUICE_OK)
    return status;
  ++emitted_;
  return receive_({std::move(message), std::unique_ptr<sluice_reader, CloseReader>(reader)});
}

int32_t StageOut::make(const sluice_emission& emission, std::string body, StageMessage* message) {
  if (emission.parent != 0 || !is_utf8(text(emission.group_id)))
    return SLUICE_INVALID;
  for (uint32_t i = 0; i < emission.attribute_count; ++i) {
    if (!valid_attribute(*emission.attributes[i]))
      return SLUICE_INVALID;
  }
  message->body = std::move(body);
  message->attributes = parent_.attributes;
  for (uint32_t i = 0; i < emission.attribute_count; ++i) {
    const sluice_attribute& attribute = *emission.attributes[i];
    message->attributes[text(attribute.name)] = {attribute.type, text(attribute.value)};
  }
  message->group_id = emission.group_id.size == 0 ? parent_.group_id : text(emission.group_id);
  message->sent_ms = host().now_ms();
  if (emission.id != nullptr) {
    std::memcpy(message->id.bytes.data(), emission.id, message->id.bytes.size());
  } else {
    // DESIGN §2.5: service NUL stage index NUL ordinal. The stage stands for its service here.
    message->id = uuid5(parent_.id, stage_ + '\0' + "0" + '\0' + std::to_string(emitted_));
  }
  return SLUICE_OK;
}

int32_t StageOut::reject_part(const sluice_emission& part, sluice_str reason, sluice_str detail) {
  if (part.struct_size < sizeof(sluice_emission) || reason.size == 0)
    return SLUICE_INVALID;
  const Release release{part};
  if (part.reader != nullptr || part.body_size > kBodyBytesMax)
    return SLUICE_INVALID;
  StageMessage message;
  const int32_t status =
      make(part, std::string(reinterpret_cast<const char*>(part.body), part.body_size), &message);
  if (status == SLUICE_OK)
    receive_part_(message, text(reason), text(detail));
  return status;
}

int32_t StageOut::settle(uint32_t index, int32_t status, int64_t /*retry_after_ms*/,
                         sluice_str reason, sluice_str detail) {
  if (index != 0)
    return SLUICE_INVALID;
  if (status != SLUICE_OK && status != SLUICE_RETRY && status != SLUICE_REJECT)
    return SLUICE_INVALID;
  const auto rank = [](int32_t s) { return s == SLUICE_RETRY ? 2 : s == SLUICE_REJECT ? 1 : 0; };
  if (rank(status) <= rank(status_))
    return SLUICE_OK;
  status_ = status;
  reason_ = reason.size == 0 ? "the stage gave no reason" : text(reason);
  detail_ = text(detail);
  return SLUICE_OK;
}

int32_t StageOut::progress(uint32_t index, uint64_t /*done*/, uint64_t /*total*/) {
  return index == 0 ? SLUICE_OK : SLUICE_INVALID;
}

int32_t StageOut::ignore(uint32_t index) {
  return index == 0 ? SLUICE_OK : SLUICE_INVALID;
}

}  // namespace sluice::core
