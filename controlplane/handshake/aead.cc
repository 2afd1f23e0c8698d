// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/aead.h"

#include <utility>

#include <sodium.h>

#include "dataplane/base/check.h"

namespace magnetar::handshake {
namespace {

constexpr std::size_t kTagSize = 16;
static_assert(crypto_aead_aes256gcm_ABYTES == kTagSize);
static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == kTagSize);
static_assert(crypto_aead_aes256gcm_NPUBBYTES == Nonce{}.size());
static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == Nonce{}.size());

auto sealer(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? crypto_aead_aes256gcm_encrypt
                                      : crypto_aead_chacha20poly1305_ietf_encrypt;
}

auto opener(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? crypto_aead_aes256gcm_decrypt
                                      : crypto_aead_chacha20poly1305_ietf_decrypt;
}

}  // namespace

bool aead_available(Cipher cipher) {
  static const bool ready = sodium_init() >= 0;  // finds out what the processor has
  return ready && (cipher != Cipher::kAes256Gcm || crypto_aead_aes256gcm_is_available() != 0);
}

Nonce aead_nonce(Cipher cipher, std::uint64_t counter) {
  Nonce nonce{};
  const auto number = std::span(nonce).last<8>();
  store_be<std::uint64_t>(number, counter);
  if (cipher == Cipher::kChaCha20Poly1305) std::ranges::reverse(number);
  return nonce;
}

void aead_seal(Cipher cipher, const Secret<32>& key, std::uint64_t counter, ByteView aad,
               ByteView plaintext, Bytes& out) {
  MAGNETAR_CHECK(aead_available(cipher));
  const Nonce nonce = aead_nonce(cipher, counter);
  const std::size_t start = out.size();
  out.resize(start + plaintext.size() + kTagSize);
  sealer(cipher)(u8(MutableBytes(out).subspan(start)), nullptr, u8(plaintext), plaintext.size(),
                 u8(aad), aad.size(), nullptr, u8(ByteView(nonce)), u8(ByteView(key.reveal())));
}

bool aead_open(Cipher cipher, const Secret<32>& key, std::uint64_t counter, ByteView aad,
               ByteView ciphertext, Bytes& out) {
  MAGNETAR_CHECK(aead_available(cipher));
  if (ciphertext.size() < kTagSize) return false;
  const Nonce nonce = aead_nonce(cipher, counter);
  Bytes plaintext(ciphertext.size() - kTagSize);
  const int forged = opener(cipher)(u8(MutableBytes(plaintext)), nullptr, nullptr, u8(ciphertext),
                                    ciphertext.size(), u8(aad), aad.size(), u8(ByteView(nonce)),
                                    u8(ByteView(key.reveal())));
  if (forged != 0) return false;
  out = std::move(plaintext);
  return true;
}

}  // namespace magnetar::handshake
