#include "cli/stage_message.hpp"

#include <cstring>

namespace sluice::core {
namespace {

sluice_str str(const std::string& text) {
  return {text.data(), text.size()};
}

}  // namespace

StageMessageView::StageMessageView(const StageMessage& message) {
  for (const auto& [name, attribute] :
       message.attributes) {  // a map: sorted, as the contract wants it
    attributes_.push_back(
        {sizeof(sluice_attribute), attribute.type, str(name), str(attribute.value)});
  }
  for (const sluice_attribute& attribute : attributes_)
    pointers_.push_back(&attribute);
  view_.struct_size = sizeof view_;
  view_.receive_count = message.receive_count;
  std::memcpy(view_.id, message.id.bytes.data(), sizeof view_.id);
  view_.sent_ms = message.sent_ms;
  view_.body = reinterpret_cast<const uint8_t*>(message.body.data());
  view_.body_size = message.body.size();
  view_.group_id = str(message.group_id);
  view_.attribute_count = static_cast<std::uint32_t>(pointers_.size());
  view_.attributes = pointers_.data();
}

void StageMessageView::stream(sluice_reader* reader, std::uint64_t size) {
  view_.body = nullptr;
  view_.body_size = size;
  view_.reader = reader;
}

}  // namespace sluice::core
