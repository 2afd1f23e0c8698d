// SPDX-License-Identifier: Apache-2.0
// One packet at a time through libsodium: for the handshake, and the reference that the data
// path's cipher is tested against. libsodium's AES-256-GCM runs only where the processor has AES
// and carry-less multiplication instructions (every x86-64 server since 2011).
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/bytes.h"
#include "dataplane/base/cipher.h"
#include "dataplane/base/secret.h"

namespace magnetar::handshake {

using Nonce = std::array<std::byte, 12>;

// Whether this machine can run `cipher`; initialises libsodium. The functions below abort where it
// cannot, so the daemon asks at start-up.
[[nodiscard]] bool aead_available(Cipher cipher);

// 00 00 00 00 || counter: big-endian for AES, little-endian for ChaCha20 (wire.md section 2).
[[nodiscard]] Nonce aead_nonce(Cipher cipher, std::uint64_t counter);

// Appends ciphertext and tag to `out`. `plaintext` and `aad` may not lie within `out`.
void aead_seal(Cipher cipher, const Secret<32>& key, std::uint64_t counter, ByteView aad,
               ByteView plaintext, Bytes& out);

// Ciphertext with its tag into `out`; false, and `out` untouched, unless it authenticates.
[[nodiscard]] bool aead_open(Cipher cipher, const Secret<32>& key, std::uint64_t counter,
                             ByteView aad, ByteView ciphertext, Bytes& out);

}  // namespace magnetar::handshake
