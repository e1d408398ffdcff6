#include "queue/letter_box.hpp"

#include <algorithm>
#include <limits>

#include "queue/letter_parts.hpp"

namespace sluice::core {

LetterBox::LetterBox(Queue& queue, LetterFile file, ChunkPool& pool)
    : queue_(queue), file_(std::move(file)), evacuator_(pool) {
  queue_.moved_in.fetch_add(file_.count(), std::memory_order_release);
  queue_.unloaded.fetch_add(file_.count(), std::memory_order_release);
}

const LetterPlace& LetterBox::place(std::string_view source) {
  const std::string* own = file_.key({}, source).source;
  return places_.try_emplace(own, LetterPlace{&queue_, own}).first->second;
}

bool LetterBox::deliver(const LetterLine& letter) {
  const MessageText& text = letter.message;
  const LetterParts parts(text);
  Lineage lineage{};
  lineage.first_received_ms = text.dead_letter ? text.dead_letter->first_ms : 0;
  lineage.redrive_count = as_far_as_counted<std::uint8_t>(text.dead_letter ? text.dead_letter->redrive_count : 0);
  lineage.stored_in = &place(*letter.key.source);
  enter(lineage, text.receive_count, text.dead_letter ? text.dead_letter->last_ms : text.sent_ms);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.body.data());
  Evacuator::Copy copy = evacuator_.store({bytes, text.body.size()}, parts.parts, text.sent_ms, lineage);
  if (copy.chunk == nullptr) {
    return false;
  }
  queue_.credits().take(1, copy.chunk->charge_of(copy.index));
  queue_.put_back({copy.chunk, std::uint64_t{1} << copy.index}, false);
  return true;
}

/// Receives count on, but not against the queue's own max_receive_count. The retention of a FIFO queue's dead letter begins
/// when it became one (SQS developer guide, dead-letter queues).
void LetterBox::enter(Lineage& lineage, std::uint64_t receives, std::int64_t moved_ms) const {
  lineage.received_before = as_far_as_counted<std::uint16_t>(receives);
  lineage.receive_count = 0;
  lineage.moved_ms = moved_ms;
  lineage.is_kept_anew = queue_.fifo() != nullptr && moved_ms != 0;
}

Result<void> LetterBox::load() {
  if (recalled_) {
    return {};  // resume() does it
  }
  Result<std::uint64_t> end = file_.for_each(read_offset_, [&](const LetterLine& letter) {
    if (is_in_use(letter.key)) {
      return true;
    }
    if (!queue_.credits().available() || !deliver(letter)) {
      return false;
    }
    loaded_.insert(letter.key);
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
  const std::uint32_t index = lowest_bit(copy.mask);
  const LetterKey key{copy.chunk->id(index), copy.chunk->lineage[index].stored_in->source};
  auto line = file_.letters().find(key);
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
    loaded_.insert(key);
    queue_.credits().take(1, copy.chunk->charge_of_mask(copy.mask));
    Lineage& lineage = copy.chunk->lineage[index];
    enter(lineage, lineage.receives(), moved_ms);
    queue_.moved_in.fetch_add(1, std::memory_order_release);
    queue_.put_back(copy, false);
  } else {
    // seq_cst pairs with Consumer::idle: it gave credit back first and looks at `unloaded` then.
    queue_.unloaded.fetch_add(1, std::memory_order_seq_cst);
    queue_.moved_in.fetch_add(1, std::memory_order_release);
    release_chunk(copy.chunk, 1);
  }
}

void LetterBox::recall() {
  recalled_ = true;
  std::int64_t oldest_ms = AgeWindow::kNone;
  queue_.recall_letters([&](const Uuid& id, const LetterPlace& place, std::int64_t since_ms) {
    loaded_.erase({id, place.source});
    oldest_ms = std::min(oldest_ms, since_ms);
    queue_.recalled_since_ms.store(oldest_ms, std::memory_order_relaxed);
    queue_.unloaded.fetch_add(1, std::memory_order_release);
  });
}

std::unordered_set<LetterKey, LetterKeyHash> LetterBox::waiting(std::int64_t now_ms) {
  std::unordered_set<LetterKey, LetterKeyHash> keys;
  queue_.peek(std::numeric_limits<std::uint32_t>::max(), now_ms, [&](const Chunk& chunk, std::uint64_t mask) {
    for (std::uint64_t left = mask; left != 0 && chunk.kind == Chunk::Kind::evacuated; left &= left - 1) {
      const std::uint32_t index = lowest_bit(left);
      if (const LetterPlace* place = chunk.lineage[index].stored_in; place != nullptr && place->queue == &queue_) {
        keys.insert({chunk.id(index), place->source});
      }
    }
  });
  return keys;
}

Result<void> LetterBox::resume() {
  recalled_ = false;
  read_offset_ = 0;
  Result<void> loaded = load();
  queue_.recalled_since_ms.store(AgeWindow::kNone, std::memory_order_relaxed);
  return loaded;
}

void LetterBox::note_redriven(const LetterKey& key) {
  redriven_.insert(key);
  queue_.unloaded.fetch_sub(1, std::memory_order_release);
  queue_.withdrawn.fetch_add(1, std::memory_order_release);
  queue_.redriven.fetch_add(1, std::memory_order_release);
}

void LetterBox::forget(const LetterKey& key) {
  loaded_.erase(key);
  redriven_.erase(key);
}

Result<void> LetterBox::compact() {
  read_offset_ = 0;
  return file_.compact();
}

Result<std::uint64_t> LetterBox::purge_file() {
  Result<std::uint64_t> removed = loaded_.empty() && redriven_.empty()
                                      ? file_.clear()
                                      : file_.append_removals([&](const LetterKey& key) { return !is_in_use(key); });
  if (!removed) {
    return removed;
  }
  queue_.unloaded.fetch_sub(*removed, std::memory_order_release);
  queue_.withdrawn.fetch_add(*removed, std::memory_order_release);
  queue_.purged.fetch_add(*removed, std::memory_order_release);
  return removed;
}

}  // namespace sluice::core
