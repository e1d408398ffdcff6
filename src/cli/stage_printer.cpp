#include "cli/stage_printer.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "cli/output.hpp"
#include "message/message_json.hpp"
#include "plugin/host.hpp"

namespace sluice::core {
namespace {

/// A JSON line must hold its body; this is the most of a streamed one.
constexpr uint64_t kStreamedLineBytesMax = uint64_t{1} << 30;

std::unexpected<Error> read_fault(int32_t status) {
  const sluice_str text = host().last_error();
  return fail(
      Errc::io,
      status == SLUICE_TOO_LARGE
          ? "a streamed body of more than 1 GiB does not fit a JSON line: leave out --jsonl"
          : fmt::format("reading a streamed body: {}", std::string_view(text.data, text.size)));
}

/// What a rejected part says of itself where its body is a JSON object, else the body.
std::string part_fields(const StageMessage& part) {
  const auto parsed = parse_json(part.body);
  if (!parsed || parsed->type != Json::Type::object)
    return ",\"body\":" + json_quote(part.body);
  std::string fields;
  for (const JsonMember& member : parsed->members) {
    if (member.name == "reason" || member.name == "detail" || member.name == "file")
      continue;
    fields += "," + json_quote(member.name) + ":" + to_text(member.value);
  }
  return fields;
}

std::string failure_start(const std::string& file, const std::string& reason,
                          const std::string& detail) {
  return fmt::format(
      R"({{"file":{},"reason":{}{}{})", json_quote(file), json_quote(reason),
      detail.empty() ? "" : ",\"detail\":", detail.empty() ? "" : json_quote(detail));
}

}  // namespace

int32_t StagePrinter::take(Emitted&& emitted) {
  if (jsonl_ && splits_ && emitted.reader == nullptr) {
    print(message_to_json(StageMessageView(emitted.message).get()) + "\n");
    return SLUICE_OK;
  }
  if (!jsonl_ && (single_ || !pending_.empty())) {
    several_ = true;
    (void)emitted.reader.release();  // not taken: it stays the stage's
    return SLUICE_CANCELLED;
  }
  pending_.push_back(std::move(emitted));
  return SLUICE_OK;
}

Result<void> StagePrinter::finish_message(bool succeeded) {
  std::vector<Emitted> pending = std::move(pending_);
  pending_.clear();
  if (!succeeded && !splits_)
    return {};
  for (Emitted& emitted : pending) {
    if (!jsonl_) {
      single_ = std::move(emitted);
    } else if (Result<void> printed = print_line(std::move(emitted)); !printed) {
      return printed;
    }
  }
  return {};
}

Result<void> StagePrinter::print_line(Emitted&& emitted) {
  if (emitted.reader != nullptr) {
    const int32_t status = read_all(*emitted.reader, kStreamedLineBytesMax, &emitted.message.body);
    if (status != SLUICE_OK)
      return read_fault(status);
  }
  print(message_to_json(StageMessageView(emitted.message).get()) + "\n");
  return {};
}

Result<void> StagePrinter::finish() {
  if (!single_)
    return {};
  if (single_->reader == nullptr) {
    print(single_->message.body);
    return {};
  }
  std::vector<uint8_t> buffer(1 << 16);
  for (;;) {
    uint64_t got = 0;
    const int32_t status = host().read(single_->reader.get(), buffer.data(), buffer.size(), &got);
    if (status != SLUICE_OK && status != SLUICE_END)
      return read_fault(status);
    print({reinterpret_cast<const char*>(buffer.data()), got});
    if (status == SLUICE_END)
      return {};
  }
}

void StagePrinter::part_failed(const std::string& file, const StageMessage& part,
                               const std::string& reason, const std::string& detail) {
  failed_ = true;
  print_raw_error(failure_start(file, reason, detail) + part_fields(part) + "}\n");
}

void StagePrinter::message_failed(const std::string& file, const Uuid& id, bool retry,
                                  const std::string& reason, const std::string& detail) {
  failed_ = true;
  print_raw_error(
      failure_start(file, reason, detail) +
      fmt::format(R"(,"outcome":"{}","id":"{}"}})", retry ? "retry" : "reject", to_text(id)) +
      "\n");
}

}  // namespace sluice::core
