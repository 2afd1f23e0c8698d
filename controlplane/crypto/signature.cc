// SPDX-License-Identifier: Apache-2.0
#include "controlplane/crypto/signature.h"

#include <sodium.h>

#include "controlplane/crypto/ecdsa.h"
#include "controlplane/crypto/key_agreement.h"
#include "dataplane/base/check.h"

namespace magnetar::crypto {
namespace {

constexpr std::size_t kSeedSize = crypto_sign_SEEDBYTES;

bool ed25519_verify(ByteView public_key, ByteView message, ByteView signature) {
  if (public_key.size() != crypto_sign_PUBLICKEYBYTES) return false;
  if (signature.size() != crypto_sign_BYTES) return false;
  return crypto_sign_verify_detached(u8(signature), u8(message), message.size(), u8(public_key)) ==
         0;
}

Secret<64> ed25519_from_seed(std::span<const std::byte, kSeedSize> seed) {
  static_assert(crypto_sign_SECRETKEYBYTES == Secret<64>::kSize);
  PublicKey unused(Curve::k25519);
  Secret<64> key;
  crypto_sign_seed_keypair(u8(unused.fill()), u8(MutableBytes(key.fill())), u8(ByteView(seed)));
  return key;
}

}  // namespace

bool is_signed_by(Curve curve, ByteView public_key, ByteView message, ByteView signature) {
  return curve == Curve::kP256 ? ecdsa_verify(public_key, message, signature)
                               : ed25519_verify(public_key, message, signature);
}

std::optional<SigningKey> SigningKey::from(Curve curve, ByteView bytes) {
  if (curve == Curve::kP256) {
    if (bytes.size() != P256::kSize) return std::nullopt;
    P256 key(bytes.first<P256::kSize>());
    if (!p256().is_private_key(key)) return std::nullopt;
    return SigningKey(std::move(key));
  }
  if (bytes.size() != Ed25519::kSize) return std::nullopt;
  Ed25519 key(bytes.first<Ed25519::kSize>());
  if (!(ed25519_from_seed(bytes.first<kSeedSize>()) == key)) return std::nullopt;
  return SigningKey(std::move(key));
}

SigningKey SigningKey::generate(Curve curve, RandomSource& random) {
  Secret<32> drawn;
  random.fill(drawn.fill());
  if (curve == Curve::k25519) return SigningKey(ed25519_from_seed(drawn.reveal()));
  while (!p256().is_private_key(drawn)) random.fill(drawn.fill());
  return SigningKey(std::move(drawn));
}

Curve SigningKey::curve() const {
  return std::holds_alternative<P256>(key_) ? Curve::kP256 : Curve::k25519;
}

PublicKey SigningKey::public_key() const {
  if (const auto* const key = std::get_if<P256>(&key_)) return p256().public_key_of(*key);
  return *PublicKey::from(Curve::k25519, reveal().subspan(kSeedSize));
}

Bytes SigningKey::sign(ByteView message) const {
  if (const auto* const key = std::get_if<P256>(&key_)) return ecdsa_sign(*key, message);
  Bytes signature(crypto_sign_BYTES);
  crypto_sign_detached(u8(MutableBytes(signature)), nullptr, u8(message), message.size(),
                       u8(reveal()));
  return signature;
}

ByteView SigningKey::reveal() const {
  return std::visit([](const auto& key) { return ByteView(key.reveal()); }, key_);
}

}  // namespace magnetar::crypto
