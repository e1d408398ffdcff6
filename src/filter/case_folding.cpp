#include "filter/case_folding.hpp"

#include <algorithm>
#include <iterator>

#include "base/utf8.hpp"
#include "filter/case_folding_table.hpp"

namespace sluice::core {

namespace {

char32_t decode(std::string_view character) {
  constexpr unsigned char kLeadBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t code = static_cast<unsigned char>(character[0]) & kLeadBits[character.size()];
  for (const char c : character.substr(1)) {
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3F);
  }
  return code;
}

void append(std::string& text, char32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  const int following = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLead[following] | code >> (6 * following));
  for (int i = following - 1; i >= 0; --i) {
    text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3F));
  }
}

}  // namespace

char32_t fold_case(char32_t code) {
  if (code < 0x80) {
    return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
  }
  const auto* run = std::ranges::lower_bound(kFoldingRuns, code, {}, &FoldingRun::last);
  const bool folds =
      run != std::end(kFoldingRuns) && run->first <= code && (code - run->first) % run->step == 0;
  return folds ? static_cast<char32_t>(static_cast<std::int64_t>(code) + run->distance) : code;
}

std::string fold_case(std::string_view text) {
  std::string folded;
  folded.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) {
      folded += text[at++];
      continue;
    }
    append(folded, fold_case(decode(text.substr(at, length))));
    at += length;
  }
  return folded;
}

}  // namespace sluice::core
