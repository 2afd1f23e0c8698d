// SPDX-License-Identifier: Apache-2.0
#include "controlplane/crypto/openssl.h"

#include <algorithm>
#include <bit>

#include <openssl/core_names.h>
#include <openssl/obj_mac.h>

#include "controlplane/crypto/curve.h"
#include "dataplane/base/check.h"

namespace magnetar::crypto {
namespace {

constexpr std::byte kUncompressed{4};

// Key material of P-256; OpenSSL copies what it needs of `material`.
Key from_material(OSSL_PARAM material, int selection) {
  char group[] = SN_X9_62_prime256v1;
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      material,
      OSSL_PARAM_construct_end(),
  };
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  MAGNETAR_CHECK(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, selection, params) != 1) return nullptr;
  return Key(key);
}

}  // namespace

const EC_GROUP* p256_group() {
  static const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  MAGNETAR_CHECK(group != nullptr);
  return group.get();
}

Number p256_number(const Secret<32>& key) {
  Number number(BN_secure_new());
  MAGNETAR_CHECK(number != nullptr);
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  MAGNETAR_CHECK(BN_bin2bn(u8(ByteView(key.reveal())), Secret<32>::kSize, number.get()) != nullptr);
  const BIGNUM* const order = EC_GROUP_get0_order(p256_group());
  if (BN_is_zero(number.get()) || BN_cmp(number.get(), order) >= 0) return nullptr;
  return number;
}

Key p256_private_key(const Secret<32>& key) {
  if (p256_number(key) == nullptr) return nullptr;
  Secret<32> native = key.duplicate();  // numbers pass in the byte order of the machine
  if constexpr (std::endian::native == std::endian::little) std::ranges::reverse(native.fill());
  const auto bytes = native.fill();
  return from_material(
      OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, u8(MutableBytes(bytes)), bytes.size()),
      EVP_PKEY_KEYPAIR);
}

Key p256_public_key(ByteView point) {
  if (point.size() != public_key_size(Curve::kP256) || point[0] != kUncompressed) return nullptr;
  Bytes copy = to_vector(point);  // the parameter is not const, though nothing writes to it
  return from_material(
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
      EVP_PKEY_PUBLIC_KEY);
}

}  // namespace magnetar::crypto
