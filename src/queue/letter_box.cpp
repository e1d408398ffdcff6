#include "queue/letter_box.hpp"

#include <vector>

#include "queue/letter_parts.hpp"

namespace sluice::core {

LetterBox::LetterBox(Queue& queue, LetterFile file, ChunkPool& pool)
    : queue_(queue), file_(std::move(file)), evacuator_(pool) {
  queue_.moved_in.fetch_add(file_.count(), std::memory_order_release);
  queue_.unloaded.fetch_add(file_.count(), std::memory_order_release);
}

bool LetterBox::deliver(const MessageText& text) {
  const LetterParts letter(text);
  Lineage lineage{};
  lineage.receive_count = text.receive_count;
  lineage.first_received_ms = text.dead_letter ? text.dead_letter->first_ms : 0;
  lineage.stored_in = &queue_;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.body.data());
  Evacuator::Copy copy = evacuator_.store({bytes, text.body.size()}, letter.parts, text.sent_ms, lineage);
  if (copy.chunk == nullptr) {
    return false;
  }
  queue_.credits().take(1, copy.chunk->charge_of(copy.index));
  queue_.put_letter({copy.chunk, std::uint64_t{1} << copy.index}, text.dead_letter ? text.dead_letter->last_ms : text.sent_ms);
  return true;
}

Result<void> LetterBox::load() {
  if (recalled_) {
    return {};  // resume() does it
  }
  Result<std::uint64_t> end = file_.for_each(read_offset_, [&](const LetterLine& letter) {
    if (is_in_use(letter.id)) {
      return true;
    }
    if (!queue_.credits().available() || !deliver(letter.message)) {
      return false;
    }
    loaded_.insert(letter.id);
    queue_.unloaded.fetch_sub(1, std::memory_order_release);
    return true;
  });
  if (!end) {
    return std::unexpected(end.error());
  }
  read_offset_ = *end;
  queue_.loading.store(false, std::memory_order_seq_cst);
  return {};
}

void LetterBox::add(Taken copy, std::int64_t moved_ms) {
  Uuid id = copy.chunk->id(lowest_bit(copy.mask));
  auto line = file_.letters().find(id);
  if (line == file_.letters().end()) {  // another copy of it came to its end meanwhile
    queue_.withdrawn.fetch_add(1, std::memory_order_release);
    queue_.purged.fetch_add(1, std::memory_order_release);
    queue_.moved_in.fetch_add(1, std::memory_order_release);
    release_chunk(copy.chunk, 1);
    return;
  }
  bool is_next = !recalled_ && queue_.unloaded.load(std::memory_order_acquire) == 0;
  if (is_next && queue_.credits().available()) {
    read_offset_ = line->second.end;
    loaded_.insert(id);
    queue_.credits().take(1, copy.chunk->charge_of_mask(copy.mask));
    queue_.moved_in.fetch_add(1, std::memory_order_release);
    queue_.put_letter(copy, moved_ms);
  } else {
    // seq_cst pairs with Consumer::idle: it gave credit back first and looks at `unloaded` then.
    queue_.unloaded.fetch_add(1, std::memory_order_seq_cst);
    queue_.moved_in.fetch_add(1, std::memory_order_release);
    release_chunk(copy.chunk, 1);
  }
}

void LetterBox::recall() {
  recalled_ = true;
  queue_.recall_letters([&](const Uuid& id) {
    loaded_.erase(id);
    queue_.unloaded.fetch_add(1, std::memory_order_release);
  });
}

Result<void> LetterBox::resume() {
  recalled_ = false;
  read_offset_ = 0;
  return load();
}

void LetterBox::note_redriven(const Uuid& id) {
  redriven_.insert(id);
  queue_.unloaded.fetch_sub(1, std::memory_order_release);
  queue_.withdrawn.fetch_add(1, std::memory_order_release);
  queue_.redriven.fetch_add(1, std::memory_order_release);
}

void LetterBox::forget(const Uuid& id) {
  loaded_.erase(id);
  redriven_.erase(id);
}

Result<std::uint64_t> LetterBox::purge_file() {
  std::vector<Uuid> unused;
  for (const auto& [id, place] : file_.letters()) {
    if (!is_in_use(id)) {
      unused.push_back(id);
    }
  }
  for (const Uuid& id : unused) {
    if (Result<void> appended = file_.append_removal(id); !appended) {
      return std::unexpected(appended.error());
    }
  }
  queue_.unloaded.fetch_sub(unused.size(), std::memory_order_release);
  queue_.withdrawn.fetch_add(unused.size(), std::memory_order_release);
  queue_.purged.fetch_add(unused.size(), std::memory_order_release);
  return unused.size();
}

}  // namespace sluice::core
