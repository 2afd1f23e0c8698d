// SPDX-License-Identifier: Apache-2.0
// Signatures of CAs: Ed25519 by libsodium, ECDSA over SHA-256 on P-256 by OpenSSL. Any thread.
#pragma once

#include <optional>
#include <variant>

#include "controlplane/crypto/curve.h"
#include "dataplane/base/random.h"
#include "dataplane/base/secret.h"

namespace magnetar::crypto {

// False for a key or a signature of the wrong form, too. An ECDSA signature is taken with a high s
// as with a low one, as Nebula does, but only in DER: it has two spellings and no third.
[[nodiscard]] bool is_signed_by(Curve curve, ByteView public_key, ByteView message,
                                ByteView signature);

// The private key of a CA. Wiped when it goes; cannot be copied.
class SigningKey {
 public:
  // `bytes` as in the CA's key file (wire.md section 6): 64 for Ed25519, the seed and then the
  // public key, or the 32 of a P-256 scalar. None: another length, no such number, or a public key
  // that is not the seed's.
  [[nodiscard]] static std::optional<SigningKey> from(Curve curve, ByteView bytes);
  [[nodiscard]] static SigningKey generate(Curve curve, RandomSource& random);

  [[nodiscard]] Curve curve() const;
  [[nodiscard]] PublicKey public_key() const;
  // ECDSA: DER, s in its low form as of Nebula 1.10.3, and not the same twice.
  [[nodiscard]] Bytes sign(ByteView message) const;
  // As from() takes it: what a key file holds.
  [[nodiscard]] ByteView reveal() const;

 private:
  using Ed25519 = Secret<64>;
  using P256 = Secret<32>;
  explicit SigningKey(Ed25519 key) : key_(std::move(key)) {}
  explicit SigningKey(P256 key) : key_(std::move(key)) {}

  std::variant<Ed25519, P256> key_;
};

// The other spelling of an ECDSA signature, (r, n - s) for (r, s): just as good, and with it a
// certificate has another fingerprint (CVE-2026-25793). None: not a signature in DER.
[[nodiscard]] std::optional<Bytes> other_form(ByteView ecdsa_signature);
// Whether s is at most half the order, which is what signers write. False: not in DER, too.
[[nodiscard]] bool is_low_s(ByteView ecdsa_signature);

}  // namespace magnetar::crypto
