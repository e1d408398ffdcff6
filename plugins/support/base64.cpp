#include "support/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace sluice::support {

namespace {

// OpenSSL counts in an int, so long texts pass through it in blocks: of whole groups of three
// bytes, so that only the last one is padded.
constexpr std::size_t kBlockBytes = 3 << 16, kBlockText = 4 << 16;

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // OpenSSL adds a NUL
  std::size_t size = 0;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kBlockBytes))) {
    const std::string_view block = bytes.substr(0, kBlockBytes);
    size += static_cast<std::size_t>(EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data() + size),
        reinterpret_cast<const unsigned char*>(block.data()), static_cast<int>(block.size())));
  }
  text.resize(size);
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  // EVP_DecodeBlock passes over white space at both ends.
  if (text.size() % 4 != 0 || digits.find_first_of("= \t\r\n") != std::string_view::npos)
    return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  for (std::size_t at = 0; !text.empty(); text.remove_prefix(std::min(text.size(), kBlockText))) {
    const std::string_view block = text.substr(0, kBlockText);
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data() + at),
                                     reinterpret_cast<const unsigned char*>(block.data()),
                                     static_cast<int>(block.size()));
    if (size < 0 || static_cast<std::size_t>(size) != block.size() / 4 * 3)
      return std::nullopt;
    at += static_cast<std::size_t>(size);
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace sluice::support
