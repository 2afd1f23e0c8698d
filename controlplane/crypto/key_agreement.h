// SPDX-License-Identifier: Apache-2.0
// Diffie-Hellman on either curve: X25519 by libsodium, P-256 by OpenSSL. Any thread.
#pragma once

#include <optional>

#include "controlplane/crypto/curve.h"
#include "dataplane/base/secret.h"

namespace magnetar::crypto {

class KeyAgreement {
 public:
  // Whether these 32 bytes are a private key: any are for X25519, all but one of 2^32 for P-256.
  [[nodiscard]] virtual bool is_private_key(const Secret<32>& key) const = 0;
  // `own` is a private key; anything else aborts.
  [[nodiscard]] virtual PublicKey public_key_of(const Secret<32>& own) const = 0;
  // What both sides get (P-256: the X coordinate). None: `theirs` is of low order, not on the curve
  // or of another length, so that there is no secret to get.
  [[nodiscard]] virtual std::optional<Secret<32>> agree(const Secret<32>& own,
                                                        ByteView theirs) const = 0;

 protected:
  ~KeyAgreement() = default;
};

[[nodiscard]] const KeyAgreement& key_agreement(Curve curve);

// The one of each curve, for key_agreement().
[[nodiscard]] const KeyAgreement& x25519();
[[nodiscard]] const KeyAgreement& p256();

}  // namespace magnetar::crypto
