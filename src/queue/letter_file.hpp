// The file of a dead-letter queue, one JSON line each:
//
//   a letter          message_json.hpp; a later line of the same key takes its place
//   {"deleted":ID,"source_queue":FROM}               it left the queue for good
//   {"redrive":ID,"source_queue":FROM,"to":QUEUE}    asked for while no engine ran: it goes back to QUEUE at
//                     the next start; an empty QUEUE takes that back
//
// A letter is known by its id and the queue that it came from: branches of a topic have messages of the same
// id, and may share a dead-letter queue, whose letters may go on to another. FROM is letter_source() of that; empty, or
// left out, for a rejected part.
//
// A line that is none of these, or that no message can be made of, stays in the file; it is neither
// counted nor delivered. A torn last line counts as not written; one that lacks nothing but its end as written.
//
// Thread safety: one thread at a time. Several may read a file that one appends to, each with a
// LetterFile of its own.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/id.hpp"
#include "base/storage.hpp"
#include "message/message_json.hpp"
#include "queue/peeked.hpp"

namespace sluice::core {

/// Which letter; of one LetterFile.
struct LetterKey {
  Uuid id;
  const std::string* source;  ///< letter_source(): the file's own copy
  bool operator==(const LetterKey&) const = default;
};
struct LetterKeyHash {
  std::size_t operator()(const LetterKey& key) const {
    return UuidHash{}(key.id) ^ std::hash<const void*>{}(key.source);
  }
};

/// Where a letter came from, as its key has it. `letter_of`: as in its DeadLetterNote.
std::string letter_source(std::string_view queue, std::string_view letter_of);
/// Its inverse: what `source` has as letter_of, where it is of that queue; else empty.
std::string_view letter_of(std::string_view source, std::string_view queue);

/// A letter as its line says. Borrows the line.
struct LetterLine {
  LetterKey key;
  MessageText message;
  std::string_view text;  ///< without its end
  std::uint64_t end;      ///< offset behind the line
};

class LetterFile {
 public:
  /// Memory that each letter takes, however long it is.
  static constexpr std::int64_t kIndexBytes = 72;
  static constexpr std::size_t kFaultsMax = 10;

  /// Opens (and creates) the file and reads it once. Errors: io.
  static Result<LetterFile> open(Storage& storage, std::string path);

  const std::string& path() const { return path_; }
  /// Letters that are not deleted.
  std::uint64_t count() const { return letters_.size(); }
  /// The key of a letter that is there, or may be.
  LetterKey key(const Uuid& id, std::string_view source);
  bool holds(const LetterKey& key) const { return letters_.contains(key); }
  /// Where the line of each begins and ends.
  struct Place {
    std::uint64_t begin, end;
  };
  const std::unordered_map<LetterKey, Place, LetterKeyHash>& letters() const { return letters_; }
  /// Whether a letter's body is this one. REQUIRES: holds(key). Errors: io.
  Result<bool> has_body(const LetterKey& key, std::string_view body);
  std::uint64_t end() const { return file_->size() + pending_.size(); }
  /// A line that is no letter, in the file as it was opened, or written anew since.
  struct Fault {
    std::uint64_t line;    ///< from 1
    std::uint64_t offset;  ///< of its first byte
    std::string why;       ///< no letter can be read from it
  };
  /// How many there are, and the first kFaultsMax of them.
  std::uint64_t foreign() const { return foreign_; }
  const std::vector<Fault>& faults() const { return faults_; }
  /// Letters that are to go back to a queue, by name.
  const std::unordered_map<LetterKey, std::string, LetterKeyHash>& marked() const { return marked_; }

  /// Before anything is appended: ends a last line that lacks nothing but its end, cuts off a torn one, and compacts.
  Result<void> prepare();
  /// Writes the file anew without what is deleted or replaced, if there is any; what was appended is durable then, offsets
  /// are others. Where the new file cannot be written, most likely for want of room, the old one goes on, which is told,
  /// and is mostly garbage when it has twice as much of it: letters can still be removed, and what is removed last makes
  /// room. Errors: what leaves it unknown what the file holds.
  Result<void> compact();
  /// Most of the file is of no use, and it is not small.
  bool is_mostly_garbage() const { return garbage_bytes_ > garbage_kept_ && garbage_bytes_ > end() / 2; }

  // In memory at once; written, and durable, with sync(). Errors: io.
  /// Appends a line of message_to_json; a letter of that key that stands there is replaced.
  Result<void> append_letter(const LetterKey& key, std::string_view line);
  /// REQUIRES: holds(key).
  Result<void> append_removal(const LetterKey& key);
  /// Of all letters that `picks` says so of. How many.
  Result<std::uint64_t> append_removals(const std::function<bool(const LetterKey&)>& picks);
  /// Removes all letters, which takes room for foreign lines only. Durable on return. How many.
  Result<std::uint64_t> clear();
  /// REQUIRES: holds(key).
  Result<void> append_redrive(const LetterKey& key, const std::string& queue);
  /// Takes all marks away, which takes no room where nothing else stands behind them. Durable on return. After an error all
  /// of them count as there, and the file goes on as it was; if it cannot, whatever is done with it fails.
  Result<void> unmark_all();
  Result<void> sync();
  /// After an error: takes what was appended since the last sync() out again, as far as the storage lets that be done.
  /// REQUIRES: prepare() was called. Nothing more is to be appended.
  void take_back();

  /// Hands out the letters that are not deleted, from `offset` (0, or an earlier answer) on, until `each` says false.
  /// Returns the offset behind the last one, from where to go on; that letter is not handed out again.
  /// A letter that `each` refuses comes first then.
  Result<std::uint64_t> for_each(std::uint64_t offset, const std::function<bool(const LetterLine&)>& each);
  /// Adds the first letters as their lines, and what is too long for that without its body. Errors: io.
  Result<void> peek(std::uint32_t count_max, Peeked& peeked);

 private:
  using Places = std::unordered_map<LetterKey, Place, LetterKeyHash>;
  /// Where things are in a file that is written anew.
  struct Moved {
    Places letters;
    std::vector<Fault> faults;
  };
  LetterFile(Storage& storage, std::string path, std::unique_ptr<AppendFile> file)
      : storage_(&storage), path_(std::move(path)), file_(std::move(file)) {}
  /// What stands behind the last line's end.
  enum class Tail : std::uint8_t { none, torn, unended };
  Result<void> read();
  Result<void> mend_tail();
  void place(const LetterKey& key, Place place);
  void forget(const LetterKey& key, std::uint64_t line_bytes);
  void mark(const LetterKey& key, std::string queue);
  Result<void> append(std::string_view line);
  Result<void> flush();
  std::string anew_path() const { return path_ + ".new"; }
  Result<std::unique_ptr<AppendFile>> write_anew(Moved& moved);
  Result<void> copy_what_stands(AppendFile& copy, Moved& moved);
  Result<void> replace_with(std::unique_ptr<AppendFile> copy, Moved moved);

  static constexpr std::uint64_t kGarbageKept = 16 << 20;

  Storage* storage_;
  std::string path_;
  std::unique_ptr<AppendFile> file_;
  std::string pending_;  ///< lines that are not written yet
  bool is_torn_ = false;  ///< it ends in what a write that failed left, which cannot be taken back
  std::uint64_t durable_ = 0;  ///< bytes that were there at the last sync(), or when it was opened
  std::set<std::string, std::less<>> sources_;
  Places letters_;
  std::unordered_map<LetterKey, std::string, LetterKeyHash> marked_;
  std::uint64_t garbage_bytes_ = 0;
  std::uint64_t garbage_kept_ = kGarbageKept;  ///< is not worth a new file
  Tail tail_ = Tail::none;
  std::uint64_t tail_offset_ = 0;
  std::uint64_t foreign_ = 0;
  std::vector<Fault> faults_;
};

}  // namespace sluice::core
