// SPDX-License-Identifier: Apache-2.0
// OpenSSL's objects as C++ owns things, and P-256 keys as it takes them. Only for the files beside
// this one.
#pragma once

#include <memory>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/secret.h"

namespace magnetar::crypto {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Number = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using Point = std::unique_ptr<EC_POINT, Freed<EC_POINT_clear_free>>;
using Group = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;

// Made once; read by every thread.
[[nodiscard]] const EC_GROUP* p256_group();

// A private key as a number from 1 to the order less one; null: it is no such number.
[[nodiscard]] Number p256_number(const Secret<32>& key);
[[nodiscard]] Key p256_private_key(const Secret<32>& key);
// Null: not an uncompressed point of the curve.
[[nodiscard]] Key p256_public_key(ByteView point);

}  // namespace magnetar::crypto
