// Case-blind comparison: simple case folding of code points on both sides, free of any locale
// (Unicode, chapter 3.13, the mappings of CaseFolding.txt with status C or S). One code point folds
// to one code point, so that a folded prefix of a text is the prefix of the folded text.
#pragma once

#include <string>
#include <string_view>

namespace sluice::core {

/// What `code` folds to; itself if it has no case.
char32_t fold_case(char32_t code);

/// `text` with every code point folded. Bytes that are no UTF-8 stay as they are.
std::string fold_case(std::string_view text);

}  // namespace sluice::core
