// SPDX-License-Identifier: Apache-2.0
// ECDH on P-256.
#include "controlplane/crypto/key_agreement.h"
#include "controlplane/crypto/openssl.h"
#include "dataplane/base/check.h"

namespace magnetar::crypto {
namespace {

class P256 final : public KeyAgreement {
 public:
  [[nodiscard]] bool is_private_key(const Secret<32>& key) const override {
    return p256_number(key) != nullptr;
  }

  [[nodiscard]] PublicKey public_key_of(const Secret<32>& own) const override {
    const Number scalar = p256_number(own);
    MAGNETAR_CHECK(scalar != nullptr);
    const EC_GROUP* const group = p256_group();
    const Point point(EC_POINT_new(group));
    PublicKey out(Curve::kP256);
    const MutableBytes bytes = out.fill();
    MAGNETAR_CHECK(EC_POINT_mul(group, point.get(), scalar.get(), nullptr, nullptr, nullptr) == 1 &&
                   EC_POINT_point2oct(group, point.get(), POINT_CONVERSION_UNCOMPRESSED, u8(bytes),
                                      bytes.size(), nullptr) == bytes.size());
    return out;
  }

  [[nodiscard]] std::optional<Secret<32>> agree(const Secret<32>& own,
                                                ByteView theirs) const override {
    const Key peer = p256_public_key(theirs);  // on the curve, whose cofactor is 1: that is enough
    if (peer == nullptr) return std::nullopt;
    const Key key = p256_private_key(own);
    MAGNETAR_CHECK(key != nullptr);
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    MAGNETAR_CHECK(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
    if (EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) != 1) return std::nullopt;
    Secret<32> shared;
    std::size_t size = Secret<32>::kSize;
    if (EVP_PKEY_derive(context.get(), u8(MutableBytes(shared.fill())), &size) != 1 ||
        size != Secret<32>::kSize)
      return std::nullopt;
    return shared;
  }
};

}  // namespace

const KeyAgreement& p256() {
  static const P256 instance;
  return instance;
}

}  // namespace magnetar::crypto
