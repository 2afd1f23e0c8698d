// SPDX-License-Identifier: Apache-2.0
#include "controlplane/crypto/key_agreement.h"

#include <sodium.h>

namespace magnetar::crypto {
namespace {

class X25519 final : public KeyAgreement {
 public:
  [[nodiscard]] bool is_private_key(const Secret<32>&) const override { return true; }

  [[nodiscard]] PublicKey public_key_of(const Secret<32>& own) const override {
    PublicKey out(Curve::k25519);
    crypto_scalarmult_base(u8(out.fill()), u8(ByteView(own.reveal())));
    return out;
  }

  // A low-order key, whose result is zero whatever our secret, is refused.
  [[nodiscard]] std::optional<Secret<32>> agree(const Secret<32>& own,
                                                ByteView theirs) const override {
    if (theirs.size() != public_key_size(Curve::k25519)) return std::nullopt;
    Secret<32> shared;
    if (crypto_scalarmult(u8(MutableBytes(shared.fill())), u8(ByteView(own.reveal())),
                          u8(theirs)) != 0)
      return std::nullopt;
    return shared;
  }
};

}  // namespace

const KeyAgreement& x25519() {
  static const X25519 instance;
  return instance;
}

const KeyAgreement& key_agreement(Curve curve) { return curve == Curve::kP256 ? p256() : x25519(); }

}  // namespace magnetar::crypto
