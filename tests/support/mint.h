// SPDX-License-Identifier: Apache-2.0
// Makes version 1 certificates for tests, good and bad: field by field, so that every rule can be
// broken (needs `proto_dep` and `pki_dep`).
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include <certificate.pb.h>
#include <sodium.h>

#include "controlplane/pki/certificate.h"
#include "controlplane/pki/codec_v1.h"
#include "dataplane/base/bytes.h"

namespace magnetar::testing {

inline Bytes to_bytes(const google::protobuf::MessageLite& message) {
  return to_vector(as_bytes(message.SerializeAsString()));
}

inline std::string to_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT: std::byte aliases
}

inline std::uint32_t mask_of(unsigned length) {
  return length == 0 ? 0 : 0xffffffffU << (32U - length);
}

// "10.42.0.1/16" as the two words of the wire.
inline void add_network(google::protobuf::RepeatedField<std::uint32_t>* words,
                        std::string_view text) {
  const auto prefix = Prefix::parse(text);
  if (!prefix) throw std::invalid_argument("not a prefix");
  words->Add(prefix->addr.v4_value());
  words->Add(mask_of(prefix->length));
}

// An Ed25519 key of a CA, from a seed of one repeated byte.
class SigningKey {
 public:
  explicit SigningKey(std::uint8_t seed) {
    std::array<std::byte, 32> seeds;
    seeds.fill(std::byte{seed});
    crypto_sign_seed_keypair(u8(MutableBytes(public_)), u8(MutableBytes(secret_)),
                             u8(ByteView(seeds)));
  }
  [[nodiscard]] std::string public_key() const { return to_text(public_); }
  [[nodiscard]] std::string sign(ByteView message) const {
    std::array<std::byte, crypto_sign_BYTES> signature;
    crypto_sign_detached(u8(MutableBytes(signature)), nullptr, u8(message), message.size(),
                         u8(ByteView(secret_)));
    return to_text(signature);
  }

 private:
  std::array<std::byte, crypto_sign_PUBLICKEYBYTES> public_;
  std::array<std::byte, crypto_sign_SECRETKEYBYTES> secret_;
};

// Details and a signature over them, as a file would hold them.
inline Bytes seal(const proto::CertificateDetails& details, const SigningKey& key) {
  proto::Certificate certificate;
  *certificate.mutable_details() = details;
  certificate.set_signature(key.sign(to_bytes(details)));
  return to_bytes(certificate);
}

// For certificates that are known to decode.
inline pki::Certificate decoded(ByteView protobuf) {
  auto certificate = pki::decode_v1(protobuf);
  if (!certificate) throw std::invalid_argument(certificate.error().what);
  return *std::move(certificate);
}

using Change = std::function<void(proto::CertificateDetails&)>;

// Details of a CA that may vouch for anything from 1700000000 to 1900000000.
inline proto::CertificateDetails ca_details(const SigningKey& key) {
  proto::CertificateDetails details;
  details.set_name("test-ca");
  details.set_not_before(1'700'000'000);
  details.set_not_after(1'900'000'000);
  details.set_public_key(key.public_key());
  details.set_is_ca(true);
  return details;
}

// Details of a good host under `ca`, valid from 1700000000 to 1800000000.
inline proto::CertificateDetails host_details(const pki::Certificate& ca, std::string_view name,
                                              std::string_view network, ByteView public_key) {
  proto::CertificateDetails details;
  details.set_name(std::string(name));
  add_network(details.mutable_networks(), network);
  details.set_not_before(1'700'000'000);
  details.set_not_after(1'800'000'000);
  details.set_public_key(to_text(public_key));
  details.set_issuer(to_text(ca.fingerprint.bytes));
  return details;
}

}  // namespace magnetar::testing
