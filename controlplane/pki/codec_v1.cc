// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/codec_v1.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <certificate.pb.h>

#include "controlplane/crypto/signature.h"
#include "controlplane/pki/utf8.h"

namespace magnetar::pki {
namespace {

using Words = google::protobuf::RepeatedField<std::uint32_t>;

// What we know of a message. The light runtime keeps unknown fields and cannot be told to drop
// them; Nebula verifies over its own re-encoding, which has lost them.
proto::Certificate known_part(proto::Certificate raw) {
  proto::Certificate out;
  out.mutable_signature()->swap(*raw.mutable_signature());
  proto::CertificateDetails& from = *raw.mutable_details();
  proto::CertificateDetails& to = *out.mutable_details();
  to.mutable_name()->swap(*from.mutable_name());
  to.mutable_networks()->Swap(from.mutable_networks());
  to.mutable_unsafe_networks()->Swap(from.mutable_unsafe_networks());
  to.mutable_groups()->Swap(from.mutable_groups());
  to.set_not_before(from.not_before());
  to.set_not_after(from.not_after());
  to.mutable_public_key()->swap(*from.mutable_public_key());
  to.set_is_ca(from.is_ca());
  to.mutable_issuer()->swap(*from.mutable_issuer());
  to.set_curve(from.curve());
  return out;
}

Result<proto::Certificate, DecodeError> parse(ByteView protobuf) {
  if (protobuf.size() > kMaxCertificateSize) return invalid("larger than 65536 bytes");
  proto::Certificate raw;
  if (!raw.ParseFromArray(protobuf.data(), static_cast<int>(protobuf.size())))
    return invalid("not a protobuf message");
  if (!raw.has_details()) return invalid("without details");
  return known_part(std::move(raw));
}

Bytes serialise(const google::protobuf::MessageLite& message) {
  Bytes out(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(u8(MutableBytes(out)));
  return out;
}

Result<std::vector<Prefix>, DecodeError> prefixes_from(const Words& words,
                                                       const std::string& what) {
  if (words.size() % 2 != 0) return invalid(what + ": an address without its mask");
  std::vector<Prefix> prefixes;
  prefixes.reserve(static_cast<std::size_t>(words.size()) / 2);
  for (int i = 0; i < words.size(); i += 2) {
    const std::uint32_t mask = words[i + 1];
    const int length = std::countl_one(mask);
    if (length + std::countr_zero(mask) < 32) return invalid(what + ": a mask with gaps");
    prefixes.push_back(Prefix{IpAddr::v4(words[i]), static_cast<std::uint8_t>(length)});
  }
  return prefixes;
}

Result<void, DecodeError> read_names(const proto::CertificateDetails& details, Certificate& out) {
  if (!is_utf8(details.name())) return invalid("the name is not UTF-8");
  out.name = details.name();
  for (const std::string& group : details.groups()) {
    if (!is_utf8(group)) return invalid("a group is not UTF-8");
    out.groups.push_back(group);
  }
  return {};
}

Result<void, DecodeError> read_networks(const proto::CertificateDetails& details,
                                        Certificate& out) {
  auto networks = prefixes_from(details.networks(), "networks");
  if (!networks) return fail(std::move(networks).error());
  auto unsafe = prefixes_from(details.unsafe_networks(), "unsafe networks");
  if (!unsafe) return fail(std::move(unsafe).error());
  for (const Prefix& network : *networks)
    if (network.addr.is_unspecified()) return invalid("networks: the address 0.0.0.0");
  out.networks = *std::move(networks);
  out.unsafe_networks = *std::move(unsafe);
  return {};
}

Result<void, DecodeError> read_issuer(const proto::CertificateDetails& details, Certificate& out) {
  if (details.issuer().empty()) return {};
  Fingerprint issuer;
  if (details.issuer().size() != issuer.bytes.size())
    return invalid("the issuer is not a SHA-256 fingerprint");
  std::ranges::copy(as_bytes(details.issuer()), issuer.bytes.begin());
  out.issuer = issuer;
  return {};
}

std::optional<Fingerprint> other_fingerprint_of(proto::Certificate raw) {
  const auto other = crypto::other_form(as_bytes(raw.signature()));
  if (!other) return std::nullopt;
  raw.set_signature(other->data(), other->size());
  return sha256(serialise(raw));
}

// Everything but the length of the public key, which the caller knows more about.
Result<Certificate, DecodeError> from_message(const proto::Certificate& raw) {
  const proto::CertificateDetails& details = raw.details();
  if (details.curve() != 0 && details.curve() != 1) return invalid("an unknown curve");
  Certificate out;
  out.version = 1;
  out.curve = details.curve() == 1 ? Curve::kP256 : Curve::k25519;
  out.is_ca = details.is_ca();
  out.not_before = from_unix(details.not_before());
  out.not_after = from_unix(details.not_after());
  if (auto done = read_names(details, out); !done) return fail(std::move(done).error());
  if (auto done = read_networks(details, out); !done) return fail(std::move(done).error());
  if (auto done = read_issuer(details, out); !done) return fail(std::move(done).error());
  out.public_key = to_vector(as_bytes(details.public_key()));
  out.signature = to_vector(as_bytes(raw.signature()));
  out.signed_bytes = serialise(details);
  out.fingerprint = sha256(serialise(raw));
  if (out.curve == Curve::kP256) out.other_fingerprint = other_fingerprint_of(raw);
  return out;
}

// The message a certificate was decoded from. Starts from the signed bytes and not from the fields,
// since these have to come out as they were signed, whatever the fields can hold.
proto::Certificate to_message(const Certificate& certificate) {
  proto::Certificate raw;
  raw.mutable_details()->ParseFromArray(certificate.signed_bytes.data(),
                                        static_cast<int>(certificate.signed_bytes.size()));
  raw.set_signature(certificate.signature.data(), certificate.signature.size());
  return raw;
}

void add_networks(Words& words, const std::vector<Prefix>& networks) {
  for (const Prefix& network : networks) {
    words.Add(network.addr.v4_value());
    words.Add(network.length == 0 ? 0 : 0xffffffffU << (32U - network.length));
  }
}

}  // namespace

Result<Certificate, DecodeError> decode_v1(ByteView protobuf) {
  const auto raw = parse(protobuf);
  if (!raw) return fail(raw.error());
  auto certificate = from_message(*raw);
  if (!certificate) return certificate;
  if (certificate->public_key.size() != public_key_size(certificate->curve))
    return invalid("a public key of the wrong length");
  return certificate;
}

Result<Certificate, DecodeError> decode_v1_from_handshake(ByteView protobuf, ByteView static_key) {
  auto raw = parse(protobuf);
  if (!raw) return fail(std::move(raw).error());
  if (!raw->details().public_key().empty())
    return invalid("a public key inside a handshake's certificate");
  raw->mutable_details()->set_public_key(static_key.data(), static_key.size());
  return from_message(*raw);
}

Bytes encode_v1(const Certificate& certificate) { return serialise(to_message(certificate)); }

Bytes encode_v1_for_handshake(const Certificate& certificate) {
  proto::Certificate raw = to_message(certificate);
  raw.mutable_details()->clear_public_key();
  return serialise(raw);
}

Bytes to_be_signed_v1(const CertificateFacts& facts, ByteView public_key) {
  proto::CertificateDetails details;
  details.set_name(facts.name);
  add_networks(*details.mutable_networks(), facts.networks);
  add_networks(*details.mutable_unsafe_networks(), facts.unsafe_networks);
  for (const std::string& group : facts.groups) details.add_groups(group);
  details.set_not_before(to_unix(facts.not_before));
  details.set_not_after(to_unix(facts.not_after));
  details.set_public_key(public_key.data(), public_key.size());
  details.set_is_ca(facts.is_ca);
  if (facts.issuer) details.set_issuer(facts.issuer->bytes.data(), facts.issuer->bytes.size());
  details.set_curve(facts.curve == Curve::kP256 ? 1 : 0);
  return serialise(details);
}

}  // namespace magnetar::pki
