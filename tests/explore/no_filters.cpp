// The explored pipelines have no filter policies: matching shares nothing between threads.
#include <cstdlib>

#include "topic/topic_filter.hpp"

namespace sluice::core {

struct FieldReader::State {};
FieldReader::FieldReader() = default;
FieldReader::~FieldReader() = default;
ChunkMatcher::ChunkMatcher(std::shared_ptr<const TopicFilter>) { std::abort(); }
void ChunkMatcher::match(const Chunk&, std::uint32_t, std::uint32_t) { std::abort(); }

}  // namespace sluice::core
