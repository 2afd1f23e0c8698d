// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/noise_ix.h"

#include <string_view>
#include <utility>

#include <sodium.h>

#include "controlplane/crypto/key_agreement.h"
#include "controlplane/handshake/aead.h"
#include "dataplane/base/check.h"

namespace magnetar::noise {
namespace {

constexpr std::size_t kHashSize = 32;
constexpr std::size_t kTagSize = 16;

constexpr std::string_view protocol_name(Cipher cipher, Curve curve) {
  const bool aes = cipher == Cipher::kAes256Gcm;
  if (curve == Curve::kP256)
    return aes ? "Noise_IX_P256_AESGCM_SHA256" : "Noise_IX_P256_ChaChaPoly_SHA256";
  return aes ? "Noise_IX_25519_AESGCM_SHA256" : "Noise_IX_25519_ChaChaPoly_SHA256";
}

// The longest of them: short enough to be padded, not hashed.
static_assert(protocol_name(Cipher::kChaCha20Poly1305, Curve::k25519).size() <= kHashSize);

// HMAC-SHA256 under one key, which is hashed once however many times it is used.
class Hmac {
 public:
  explicit Hmac(const Secret<32>& key) {
    crypto_auth_hmacsha256_init(&keyed_, u8(ByteView(key.reveal())), Secret<32>::kSize);
  }
  ~Hmac() { sodium_memzero(&keyed_, sizeof(keyed_)); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  // Over `first` || `second`.
  [[nodiscard]] Secret<32> operator()(ByteView first, ByteView second) const {
    crypto_auth_hmacsha256_state state = keyed_;
    crypto_auth_hmacsha256_update(&state, u8(first), first.size());
    crypto_auth_hmacsha256_update(&state, u8(second), second.size());
    Secret<32> out;
    crypto_auth_hmacsha256_final(&state, u8(MutableBytes(out.fill())));
    sodium_memzero(&state, sizeof(state));
    return out;
  }

 private:
  crypto_auth_hmacsha256_state keyed_;
};

// HKDF of the Noise specification (section 4.3) with two outputs.
std::pair<Secret<32>, Secret<32>> hkdf2(const Secret<32>& chaining_key, ByteView input) {
  constexpr std::array kOne{std::byte{1}};
  constexpr std::array kTwo{std::byte{2}};
  const Secret<32> temporary = Hmac(chaining_key)(input, {});
  const Hmac expand(temporary);
  Secret<32> first = expand(kOne, {});
  Secret<32> second = expand(first.reveal(), kTwo);
  return {std::move(first), std::move(second)};
}

Result<void, NoiseError> mix_dh(SymmetricState& state, const Secret<32>& secret,
                                const PublicKey& public_key) {
  const auto shared = crypto::key_agreement(public_key.curve()).agree(secret, public_key);
  if (!shared) return fail(NoiseError::kLowOrderKey);
  state.mix_key(*shared);
  return {};
}

// Takes a key off `rest`, which is long enough.
PublicKey take_key(Curve curve, ByteView& rest) {
  PublicKey key(curve);
  const std::size_t size = public_key_size(curve);
  std::ranges::copy(rest.first(size), key.fill().begin());
  rest = rest.subspan(size);
  return key;
}

SymmetricState start(const Suite& suite) {
  SymmetricState state(suite);
  state.mix_hash({});  // the prologue is empty, but hashed
  return state;
}

}  // namespace

KeyPair key_pair_from(EphemeralPrivateKey secret, Curve curve) {
  const PublicKey public_key = crypto::key_agreement(curve).public_key_of(secret);
  return {std::move(secret), public_key};
}

PublicKey public_key_of(const StaticPrivateKey& secret, Curve curve) {
  return crypto::key_agreement(curve).public_key_of(secret);
}

SymmetricState::SymmetricState(const Suite& suite) : cipher_(suite.cipher) {
  std::ranges::copy(as_bytes(protocol_name(suite.cipher, suite.curve)), hash_.begin());
  chaining_key_ = Secret<32>(hash_);
}

void SymmetricState::mix_hash(ByteView data) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  crypto_hash_sha256_update(&state, u8(ByteView(hash_)), hash_.size());
  crypto_hash_sha256_update(&state, u8(data), data.size());
  crypto_hash_sha256_final(&state, u8(MutableBytes(hash_)));
}

void SymmetricState::mix_key(const Secret<32>& shared) {
  auto [chaining_key, key] = hkdf2(chaining_key_, shared.reveal());
  chaining_key_ = std::move(chaining_key);
  key_ = std::move(key);
  nonce_ = 0;
}

void SymmetricState::encrypt_and_hash(ByteView plaintext, Bytes& out) {
  const std::size_t begin = out.size();
  if (key_)
    handshake::aead_seal(cipher_, *key_, nonce_++, hash_, plaintext, out);
  else
    append(out, plaintext);
  mix_hash(ByteView(out).subspan(begin));
}

Result<Bytes, NoiseError> SymmetricState::decrypt_and_hash(ByteView ciphertext) {
  Bytes plaintext;
  if (!key_)
    plaintext = to_vector(ciphertext);
  else if (!handshake::aead_open(cipher_, *key_, nonce_, hash_, ciphertext, plaintext))
    return fail(NoiseError::kBadTag);
  else
    ++nonce_;
  mix_hash(ciphertext);
  return plaintext;
}

Transport SymmetricState::split() const {
  const auto [first, second] = hkdf2(chaining_key_, {});
  return {TransportKey(first.reveal()), TransportKey(second.reveal()), hash_};
}

SymmetricState SymmetricState::duplicate() const {
  SymmetricState copy;
  copy.cipher_ = cipher_;
  copy.hash_ = hash_;
  copy.chaining_key_ = chaining_key_.duplicate();
  if (key_) copy.key_ = key_->duplicate();
  copy.nonce_ = nonce_;
  return copy;
}

Initiator::Initiator(const Suite& suite, const StaticPrivateKey& local_static, KeyPair ephemeral)
    : state_(start(suite)), local_static_(&local_static), ephemeral_(std::move(ephemeral)) {
  MAGNETAR_CHECK(ephemeral_.public_key.curve() == suite.curve);
}

Bytes Initiator::write_message_1(ByteView payload) {
  const PublicKey& e = ephemeral_.public_key;
  Bytes message = to_vector(e);
  state_.mix_hash(e);                                                          // e
  state_.encrypt_and_hash(public_key_of(*local_static_, e.curve()), message);  // s, in the clear
  state_.encrypt_and_hash(payload, message);
  return message;
}

Initiator Initiator::duplicate() const {
  return {state_.duplicate(),
          local_static_,
          {EphemeralPrivateKey(ephemeral_.secret.reveal()), ephemeral_.public_key}};
}

Result<Initiator::Reply, NoiseError> Initiator::read_message_2(ByteView message) const {
  const Curve curve = ephemeral_.public_key.curve();
  const std::size_t key_size = public_key_size(curve);
  const std::size_t sealed_key_size = key_size + kTagSize;
  if (message.size() < key_size + sealed_key_size + kTagSize) return fail(NoiseError::kTooShort);
  SymmetricState state = state_.duplicate();  // a forgery may fail at any step below
  const PublicKey remote_ephemeral = take_key(curve, message);
  state.mix_hash(remote_ephemeral);  // e
  if (auto ee = mix_dh(state, ephemeral_.secret, remote_ephemeral); !ee) return fail(ee.error());
  if (auto se = mix_dh(state, *local_static_, remote_ephemeral); !se) return fail(se.error());
  const auto opened_key = state.decrypt_and_hash(message.first(sealed_key_size));  // s
  if (!opened_key) return fail(opened_key.error());
  ByteView opened(*opened_key);
  const PublicKey remote_static = take_key(curve, opened);
  if (auto es = mix_dh(state, ephemeral_.secret, remote_static); !es) return fail(es.error());
  auto payload = state.decrypt_and_hash(message.subspan(sealed_key_size));
  if (!payload) return fail(payload.error());
  return Reply{remote_static, *std::move(payload), state.split()};
}

Responder::Responder(const Suite& suite, const StaticPrivateKey& local_static,
                     const PublicKey& local_public)
    : state_(start(suite)), local_static_(&local_static), local_public_(local_public) {
  MAGNETAR_CHECK(local_public_.curve() == suite.curve);
}

Result<Responder::Hello, NoiseError> Responder::read_message_1(ByteView message) {
  const Curve curve = local_public_.curve();
  if (message.size() < 2 * public_key_size(curve)) return fail(NoiseError::kTooShort);
  remote_ephemeral_ = take_key(curve, message);
  remote_static_ = take_key(curve, message);
  const ByteView payload = message;
  state_.mix_hash(remote_ephemeral_);  // e
  state_.mix_hash(remote_static_);     // s, in the clear
  state_.mix_hash(payload);
  return Hello{remote_ephemeral_, remote_static_, payload};
}

Result<Responder::Answer, NoiseError> Responder::write_message_2(KeyPair ephemeral,
                                                                 ByteView payload) {
  MAGNETAR_CHECK(ephemeral.public_key.curve() == local_public_.curve());
  Bytes message = to_vector(ephemeral.public_key);
  state_.mix_hash(ephemeral.public_key);  // e
  if (auto ee = mix_dh(state_, ephemeral.secret, remote_ephemeral_); !ee) return fail(ee.error());
  if (auto se = mix_dh(state_, ephemeral.secret, remote_static_); !se) return fail(se.error());
  state_.encrypt_and_hash(local_public_, message);  // s
  if (auto es = mix_dh(state_, *local_static_, remote_ephemeral_); !es) return fail(es.error());
  state_.encrypt_and_hash(payload, message);
  return Answer{std::move(message), state_.split()};
}

}  // namespace magnetar::noise
