// SPDX-License-Identifier: Apache-2.0
// Noise IX with SHA-256 over X25519 or P-256, as Nebula runs it (protocol/wire.md section 3):
//
//   -> e, s            the initiator's certificate travels in the clear
//   <- e, ee, se, s, es
//
// Empty prologue, no PSK. Reading a message changes nothing unless all of it authenticates.
#pragma once

#include <array>
#include <optional>
#include <utility>

#include "controlplane/crypto/curve.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/cipher.h"
#include "dataplane/base/result.h"
#include "dataplane/base/secret.h"

namespace magnetar::noise {

using magnetar::PublicKey;

// What a network has agreed upon. Nothing of it is negotiated: peers that differ do not understand
// each other.
struct Suite {
  Suite(Cipher with, Curve over = Curve::k25519) : cipher(with), curve(over) {}  // NOLINT
  Cipher cipher;
  Curve curve;
};

// kLowOrderKey: no point of the curve, too.
enum class NoiseError : std::uint8_t { kTooShort, kLowOrderKey, kBadTag };

struct KeyPair {
  EphemeralPrivateKey secret;
  PublicKey public_key;
};
// From 32 random bytes, which must be a private key of the curve (crypto/key_agreement.h).
[[nodiscard]] KeyPair key_pair_from(EphemeralPrivateKey secret, Curve curve = Curve::k25519);
[[nodiscard]] PublicKey public_key_of(const StaticPrivateKey& secret, Curve curve = Curve::k25519);

// What both sides hold at the end (wire.md 3.5): k1 seals initiator to responder, k2 the other way.
struct Transport {
  TransportKey initiator_to_responder;
  TransportKey responder_to_initiator;
  std::array<std::byte, 32> handshake_hash;
};

// ck, h and the key of the moment, with MixHash, MixKey, EncryptAndHash and DecryptAndHash.
class SymmetricState {
 public:
  explicit SymmetricState(const Suite& suite);
  void mix_hash(ByteView data);
  void mix_key(const Secret<32>& shared);
  void encrypt_and_hash(ByteView plaintext, Bytes& out);
  [[nodiscard]] Result<Bytes, NoiseError> decrypt_and_hash(ByteView ciphertext);
  [[nodiscard]] Transport split() const;
  [[nodiscard]] const std::array<std::byte, 32>& hash() const { return hash_; }
  [[nodiscard]] SymmetricState duplicate() const;  // for reads that may fail half way

 private:
  SymmetricState() = default;
  Cipher cipher_ = Cipher::kAes256Gcm;
  std::array<std::byte, 32> hash_{};
  Secret<32> chaining_key_;
  std::optional<Secret<32>> key_;
  std::uint64_t nonce_ = 0;
};

// The initiator between stage 0 and stage 2.
class Initiator {
 public:
  // `local_static` must outlive this object. Both keys are of the suite's curve.
  Initiator(const Suite& suite, const StaticPrivateKey& local_static, KeyPair ephemeral);
  // Message 1 without the Nebula header: e, s, payload. Call once.
  [[nodiscard]] Bytes write_message_1(ByteView payload);

  struct Reply {
    PublicKey remote_static;
    Bytes payload;
    Transport transport;
  };
  // Message 2. May be called again after a failure: a message that does not authenticate leaves
  // this object as it was (wire.md 3.6).
  [[nodiscard]] Result<Reply, NoiseError> read_message_2(ByteView message) const;
  [[nodiscard]] Initiator duplicate() const;

 private:
  Initiator(SymmetricState state, const StaticPrivateKey* local_static, KeyPair ephemeral)
      : state_(std::move(state)), local_static_(local_static), ephemeral_(std::move(ephemeral)) {}

  SymmetricState state_;
  const StaticPrivateKey* local_static_;
  KeyPair ephemeral_;
};

// The responder: one message in, one message out, nothing kept.
class Responder {
 public:
  // `local_static` must outlive this object. `local_public` belongs to it: who answers often knows
  // it and saves a curve operation a handshake.
  Responder(const Suite& suite, const StaticPrivateKey& local_static,
            const PublicKey& local_public);
  Responder(const Suite& suite, const StaticPrivateKey& local_static)
      : Responder(suite, local_static, public_key_of(local_static, suite.curve)) {}

  struct Hello {
    PublicKey remote_ephemeral;
    PublicKey remote_static;
    ByteView payload;  // within `message`
  };
  [[nodiscard]] Result<Hello, NoiseError> read_message_1(ByteView message);

  struct Answer {
    Bytes message;  // without the Nebula header
    Transport transport;
  };
  [[nodiscard]] Result<Answer, NoiseError> write_message_2(KeyPair ephemeral, ByteView payload);

 private:
  SymmetricState state_;
  const StaticPrivateKey* local_static_;
  PublicKey local_public_;
  PublicKey remote_ephemeral_;
  PublicKey remote_static_;
};

}  // namespace magnetar::noise
