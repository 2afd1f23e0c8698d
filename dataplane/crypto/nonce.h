// SPDX-License-Identifier: Apache-2.0
// Counter to nonce: 00 00 00 00 || counter, big-endian for AES-GCM, little-endian for ChaCha20
// (protocol/wire.md section 2). Headers and nonces are written with one 16-byte store each, since
// the cipher's wide load would wait for two narrow ones (docs/performance.md).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/base/cipher.h"
#include "dataplane/base/strong.h"

namespace magnetar {

static_assert(std::endian::native == std::endian::little, "ipsec-mb runs on x86 only");

using Block16 = std::uint64_t __attribute__((vector_size(16)));

inline void store_block(void* to, Block16 block) { std::memcpy(to, &block, sizeof(block)); }

// 12 bytes of nonce, 4 of padding.
[[nodiscard]] inline Block16 make_nonce(Cipher cipher, std::uint64_t counter) {
  const std::uint64_t text = cipher == Cipher::kAes256Gcm ? __builtin_bswap64(counter) : counter;
  return Block16{text << 32U, text >> 32U};
}

// The first 8 bytes of the Nebula header as they lie in memory.
[[nodiscard]] constexpr std::uint64_t header_prefix(std::uint8_t version_and_type,
                                                    std::uint8_t subtype, std::uint32_t index) {
  return std::uint64_t{version_and_type} | (std::uint64_t{subtype} << 8U) |
         (std::uint64_t{__builtin_bswap32(index)} << 32U);
}

[[nodiscard]] inline Block16 make_header(std::uint64_t prefix, std::uint64_t counter) {
  return Block16{prefix, __builtin_bswap64(counter)};
}

}  // namespace magnetar
