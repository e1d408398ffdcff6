// The queues of an engine that does not run: what is in its state folder, which are dead letters.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/description.hpp"
#include "pipeline/queue_control.hpp"

namespace sluice::core {

class StoredQueues final : public QueueControl {
 public:
  /// Outlived by `pipeline` and `storage`. `lock`: of the state folder; nullptr where it does not
  /// exist.
  StoredQueues(const PipelineDescription& pipeline, Storage& storage,
               std::unique_ptr<FolderLock> lock, std::int64_t now_ms)
      : pipeline_(pipeline), storage_(storage), lock_(std::move(lock)), now_ms_(now_ms) {}

  /// A queue whose file cannot be read stands there without letters, and in unreadable().
  Result<std::vector<QueueFacts>> list() override;
  Result<Peeked> peek(const std::string& queue, std::uint32_t count_max) override;
  /// Marks the letters: they go to their queues when the engine starts. Those that are marked so
  /// already stay so: after a full disk it may be asked for again, and goes on where it stopped.
  Result<RedriveStatus> redrive(const std::string& queue, const RedriveRequest& request) override;
  /// Those that are marked.
  Result<RedriveStatus> redrive_status(const std::string& queue) override;
  /// Takes the marks away.
  Result<RedriveStatus> cancel_redrive(const std::string& queue) override;
  Result<std::uint64_t> purge(const std::string& queue) override;
  std::vector<Error> unreadable() const override;

 private:
  Result<const QueueDescription*> find(const std::string& name) const;
  bool keeps_letters(const QueueDescription& queue) const;
  bool has_service(const QueueDescription& queue) const;
  std::string path_of(const std::string& queue) const;
  /// nullopt: it has no file. `writes`: a torn last line is cut first, or what is appended would go on in it.
  Result<std::optional<LetterFile>> open(const QueueDescription& queue, bool writes = false);
  void note_faults(const LetterFile& file);
  QueueFacts facts(const QueueDescription& queue);
  Result<void> count_letters(const QueueDescription& queue, QueueFacts& facts);
  Result<void> check_target(const std::string& from, const std::string& to) const;
  Result<void> mark(LetterFile& file, RedriveStatus& status) const;
  Error not_all_written(LetterFile& file, const Error& error) const;

  const PipelineDescription& pipeline_;
  Storage& storage_;
  std::unique_ptr<FolderLock> lock_;
  const std::int64_t now_ms_;
  std::map<std::string, std::vector<Error>> unreadable_;  ///< by file
};

}  // namespace sluice::core
