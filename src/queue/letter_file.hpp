// The file of a dead-letter queue, one JSON line each:
//
//   a letter          message_json.hpp; a later line of the same id takes its place
//   {"deleted":ID}    it left the queue for good
//   {"redrive":ID,"to":QUEUE}   asked for while no engine ran: it goes back to QUEUE at the next start; an
//                     empty QUEUE takes that back
//
// A line that is none of these, or that no message can be made of, stays in the file; it is neither
// counted nor delivered. A torn last line counts as not written; one that lacks nothing but its end as written.
//
// Thread safety: one thread at a time. Several may read a file that one appends to, each with a
// LetterFile of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/id.hpp"
#include "base/storage.hpp"
#include "message/message_json.hpp"

namespace sluice::core {

/// A letter as its line says. Borrows the line.
struct LetterLine {
  Uuid id;
  MessageText message;
  std::string_view text;  ///< without its end
  std::uint64_t end;      ///< offset behind the line
};

class LetterFile {
 public:
  /// Opens (and creates) the file and reads it once. Errors: io.
  static Result<LetterFile> open(Storage& storage, std::string path);

  const std::string& path() const { return path_; }
  /// Letters that are not deleted.
  std::uint64_t count() const { return letters_.size(); }
  bool holds(const Uuid& id) const { return letters_.contains(id); }
  /// Where the line of each begins and ends.
  struct Place {
    std::uint64_t begin, end;
  };
  const std::unordered_map<Uuid, Place, UuidHash>& letters() const { return letters_; }
  std::uint64_t end() const { return file_->size(); }
  /// Lines that are no letters, and the number of the first of them, from 1; as they were when it was opened.
  std::uint64_t foreign() const { return foreign_; }
  std::uint64_t first_foreign() const { return first_foreign_; }
  /// Letters that are to go back to a queue, by name.
  const std::unordered_map<Uuid, std::string, UuidHash>& marked() const { return marked_; }

  /// Writes the file anew without what is deleted or replaced and without a torn last line, if there is any.
  Result<void> compact();

  // Durable after sync().
  /// Appends a line of message_to_json; a letter of that id that stands there is replaced.
  Result<void> append_letter(const Uuid& id, std::string_view line);
  /// REQUIRES: holds(id).
  Result<void> append_removal(const Uuid& id);
  /// REQUIRES: holds(id).
  Result<void> append_redrive(const Uuid& id, const std::string& queue);
  Result<void> sync() { return file_->sync(); }

  /// Hands out the letters that are not deleted, from `offset` (0, or an earlier answer) on, until `each` says false.
  /// Returns the offset behind the last one, from where to go on; that letter is not handed out again.
  /// A letter that `each` refuses comes first then.
  Result<std::uint64_t> for_each(std::uint64_t offset, const std::function<bool(const LetterLine&)>& each);
  /// Adds the first letters' lines to `letters`; no more after `bytes_max` of them.
  Result<void> peek(std::uint32_t count_max, std::size_t bytes_max, std::vector<std::string>& letters);

 private:
  LetterFile(Storage& storage, std::string path, std::unique_ptr<AppendFile> file)
      : storage_(&storage), path_(std::move(path)), file_(std::move(file)) {}
  Result<void> read();
  void mark(const Uuid& id, std::string queue);

  Storage* storage_;
  std::string path_;
  std::unique_ptr<AppendFile> file_;
  std::unordered_map<Uuid, Place, UuidHash> letters_;
  std::unordered_map<Uuid, std::string, UuidHash> marked_;
  bool has_garbage_ = false;
  std::uint64_t foreign_ = 0, first_foreign_ = 0;
};

}  // namespace sluice::core
