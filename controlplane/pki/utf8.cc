// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/utf8.h"

#include <cstddef>
#include <cstdint>

namespace magnetar::pki {
namespace {

// The rows of RFC 3629 section 4: what a first byte asks of the bytes that follow it. The limits on
// the second byte are what rules out over-long forms, surrogates and numbers past the last.
struct Sequence {
  std::uint8_t first_low;
  std::uint8_t first_high;
  std::size_t size;
  std::uint8_t second_low;
  std::uint8_t second_high;
};
constexpr Sequence kSequences[] = {
    {0x00, 0x7f, 1, 0x00, 0x00}, {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

const Sequence* find_sequence(std::uint8_t first) {
  for (const Sequence& sequence : kSequences)
    if (first >= sequence.first_low && first <= sequence.first_high) return &sequence;
  return nullptr;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto byte_at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  for (std::size_t at = 0; at < text.size();) {
    const Sequence* sequence = find_sequence(byte_at(at));
    if (sequence == nullptr || sequence->size > text.size() - at) return false;
    for (std::size_t i = 1; i < sequence->size; ++i) {
      const std::uint8_t low = i == 1 ? sequence->second_low : 0x80;
      const std::uint8_t high = i == 1 ? sequence->second_high : 0xbf;
      if (byte_at(at + i) < low || byte_at(at + i) > high) return false;
    }
    at += sequence->size;
  }
  return true;
}

}  // namespace magnetar::pki
