// SPDX-License-Identifier: Apache-2.0
#include "controlplane/crypto/ecdsa.h"

#include <algorithm>
#include <array>

#include <sodium.h>

#include "controlplane/crypto/openssl.h"
#include "controlplane/crypto/signature.h"
#include "dataplane/base/check.h"

namespace magnetar::crypto {
namespace {

// SEQUENCE { INTEGER of 33 bytes, INTEGER of 33 bytes }
constexpr std::size_t kMaxSignature = 72;

using Digest = std::array<std::byte, crypto_hash_sha256_BYTES>;

Digest digest_of(ByteView message) {
  Digest digest;
  crypto_hash_sha256(u8(MutableBytes(digest)), u8(message), message.size());
  return digest;
}

Bytes encoded(const ECDSA_SIG& signature) {
  Bytes der(static_cast<std::size_t>(std::max(i2d_ECDSA_SIG(&signature, nullptr), 0)));
  std::uint8_t* to = u8(MutableBytes(der));
  MAGNETAR_CHECK(i2d_ECDSA_SIG(&signature, &to) == static_cast<int>(der.size()));
  return der;
}

bool in_range(const BIGNUM* number) {
  return !BN_is_zero(number) && !BN_is_negative(number) &&
         BN_cmp(number, EC_GROUP_get0_order(p256_group())) < 0;
}

// Null unless `der` is the one encoding of two numbers that can be a signature.
Signature parsed(ByteView der) {
  if (der.size() > kMaxSignature) return nullptr;
  const std::uint8_t* from = u8(der);
  Signature signature(d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(der.size())));
  if (signature == nullptr) return nullptr;
  if (!std::ranges::equal(encoded(*signature), der)) return nullptr;
  const bool good =
      in_range(ECDSA_SIG_get0_r(signature.get())) && in_range(ECDSA_SIG_get0_s(signature.get()));
  return good ? std::move(signature) : nullptr;
}

bool is_low(const ECDSA_SIG& signature) {
  const Number half(BN_new());
  MAGNETAR_CHECK(half != nullptr && BN_rshift1(half.get(), EC_GROUP_get0_order(p256_group())) == 1);
  return BN_cmp(ECDSA_SIG_get0_s(&signature), half.get()) <= 0;
}

// (r, n - s)
Signature turned(const ECDSA_SIG& signature) {
  Signature out(ECDSA_SIG_new());
  Number r(BN_dup(ECDSA_SIG_get0_r(&signature)));
  Number s(BN_new());
  MAGNETAR_CHECK(out != nullptr && r != nullptr && s != nullptr);
  MAGNETAR_CHECK(BN_sub(s.get(), EC_GROUP_get0_order(p256_group()), ECDSA_SIG_get0_s(&signature)) ==
                 1);
  MAGNETAR_CHECK(ECDSA_SIG_set0(out.get(), r.get(), s.get()) == 1);
  (void)r.release();
  (void)s.release();
  return out;
}

}  // namespace

bool ecdsa_verify(ByteView public_key, ByteView message, ByteView signature) {
  if (parsed(signature) == nullptr) return false;
  const Key key = p256_public_key(public_key);
  if (key == nullptr) return false;
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (context == nullptr || EVP_PKEY_verify_init(context.get()) != 1) return false;
  const Digest digest = digest_of(message);
  return EVP_PKEY_verify(context.get(), u8(signature), signature.size(), u8(ByteView(digest)),
                         digest.size()) == 1;
}

Bytes ecdsa_sign(const Secret<32>& secret, ByteView message) {
  const Key key = p256_private_key(secret);
  MAGNETAR_CHECK(key != nullptr);
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  MAGNETAR_CHECK(context != nullptr && EVP_PKEY_sign_init(context.get()) == 1);
  const Digest digest = digest_of(message);
  Bytes der(kMaxSignature);
  std::size_t size = der.size();
  MAGNETAR_CHECK(EVP_PKEY_sign(context.get(), u8(MutableBytes(der)), &size, u8(ByteView(digest)),
                               digest.size()) == 1);
  der.resize(size);
  const Signature signature = parsed(der);
  MAGNETAR_CHECK(signature != nullptr);
  return is_low(*signature) ? der : encoded(*turned(*signature));
}

std::optional<Bytes> other_form(ByteView ecdsa_signature) {
  const Signature signature = parsed(ecdsa_signature);
  if (signature == nullptr) return std::nullopt;
  return encoded(*turned(*signature));
}

bool is_low_s(ByteView ecdsa_signature) {
  const Signature signature = parsed(ecdsa_signature);
  return signature != nullptr && is_low(*signature);
}

}  // namespace magnetar::crypto
