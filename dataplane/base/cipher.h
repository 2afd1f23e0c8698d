// SPDX-License-Identifier: Apache-2.0
// The AEAD of the whole network: there is no negotiation (protocol/wire.md section 2).
#pragma once

#include <cstdint>
#include <string_view>

namespace magnetar {

enum class Cipher : std::uint8_t { kAes256Gcm, kChaCha20Poly1305 };

// As written in the configuration and shown to the operator: "aes" or "chachapoly".
[[nodiscard]] constexpr std::string_view cipher_name(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? "aes" : "chachapoly";
}

}  // namespace magnetar
