// A position in a file, kept in the state folder over restarts.
//
// File "checkpoint", JSON, replaced as a whole:
//
//   {"offset":N,"line":N,"head":"HASH","tail":"HASH","done":[[BEGIN,END],...]}
//
// head = XXH3-128 of the first 4096 bytes, tail = of the last 4096 bytes before the end of all that
// is done (of both, those that there are). They tell whether the file is still the one that was
// read: it may have been replaced, or cut and written anew. Names and inode numbers cannot tell: they
// are used again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "progress.hpp"

namespace sluice::lines {

class Checkpoint {
 public:
  explicit Checkpoint(std::string_view state_folder);

  enum class State {
    none,    ///< nothing was kept
    same,    ///< of this file
    other,   ///< of a file with other content
    damaged  ///< what is kept cannot be read
  };
  struct Kept {
    State state = State::none;
    Position position;  ///< the start, unless `same`
  };
  /// What was kept for the file behind `descriptor`. Throws Failure IO.
  Kept load(int descriptor) const;

  /// Keeps `position` in the file that was read up to `read`, unless it is kept already. `sync`:
  /// over a loss of power. False, and nothing is done: the file is shorter by now, so that what it
  /// holds is not what was read. Throws Failure IO.
  [[nodiscard]] bool save(int descriptor, const Position& position, std::uint64_t read, bool sync);

 private:
  const std::string path_;
  std::optional<Position> saved_;
};

}  // namespace sluice::lines
