// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/codec_v2.h"

#include <algorithm>
#include <utility>

#include "controlplane/crypto/signature.h"
#include "controlplane/pki/der.h"
#include "controlplane/pki/utf8.h"

namespace magnetar::pki {
namespace {

constexpr std::uint8_t kCertificate = 0x30;
constexpr std::uint8_t kDetails = 0xa0;
constexpr std::uint8_t kCurve = 0x81;
constexpr std::uint8_t kPublicKey = 0x82;
constexpr std::uint8_t kSignature = 0x83;

constexpr std::uint8_t kName = 0x80;
constexpr std::uint8_t kNetworks = 0xa1;
constexpr std::uint8_t kUnsafeNetworks = 0xa2;
constexpr std::uint8_t kGroups = 0xa3;
constexpr std::uint8_t kIsCa = 0x84;
constexpr std::uint8_t kNotBefore = 0x85;
constexpr std::uint8_t kNotAfter = 0x86;
constexpr std::uint8_t kIssuer = 0x87;

constexpr std::uint8_t kOctets = 0x04;
constexpr std::uint8_t kText = 0x0c;

constexpr std::size_t kMaxName = 253;
constexpr std::size_t kV4Size = 4 + 1;  // an address and its prefix length
constexpr std::size_t kV6Size = 16 + 1;

using Done = Result<void, DecodeError>;

std::string text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT: std::byte aliases
}

Result<Prefix, DecodeError> read_network(ByteView entry, const std::string& what) {
  if (entry.size() != kV4Size && entry.size() != kV6Size)
    return invalid(what + ": neither an IPv4 nor an IPv6 network");
  const bool v4 = entry.size() == kV4Size;
  const IpAddr addr = v4 ? IpAddr::v4(entry.first<4>()) : IpAddr::v6(entry.first(16).first<16>());
  if (addr.is_v4() != v4) return invalid(what + ": an IPv4 address inside an IPv6 one");
  const auto length = std::to_integer<std::uint8_t>(entry.back());
  if (length > addr.bits()) return invalid(what + ": a prefix longer than its address");
  return Prefix{addr, length};
}

// An optional list of networks, sorted, none twice.
Result<std::vector<Prefix>, DecodeError> read_networks(DerReader& details, std::uint8_t tag,
                                                       const std::string& what) {
  std::vector<Prefix> networks;
  if (!details.next_has(tag)) return networks;
  const auto list = details.take(tag);
  if (!list) return invalid(what + ": not DER");
  DerReader entries(*list);
  while (!entries.at_end()) {
    const auto entry = entries.take(kOctets);
    if (!entry) return invalid(what + ": not DER");
    const auto network = read_network(*entry, what);
    if (!network) return fail(network.error());
    networks.push_back(*network);
  }
  std::ranges::sort(networks);
  if (std::ranges::adjacent_find(networks) != networks.end())
    return invalid(what + ": one is there twice");
  return networks;
}

Done read_name(DerReader& details, Certificate& out) {
  const auto name = details.take(kName);
  if (!name) return invalid("without a name");
  if (name->empty() || name->size() > kMaxName) return invalid("a name not of 1 to 253 bytes");
  out.name = text_of(*name);
  if (!is_utf8(out.name)) return invalid("the name is not UTF-8");
  return {};
}

Done read_groups(DerReader& details, Certificate& out) {
  if (!details.next_has(kGroups)) return {};
  const auto list = details.take(kGroups);
  if (!list) return invalid("groups: not DER");
  DerReader entries(*list);
  while (!entries.at_end()) {
    const auto entry = entries.take(kText);
    if (!entry) return invalid("groups: not DER");
    if (entry->empty()) return invalid("a group without a name");
    if (!is_utf8(text_of(*entry))) return invalid("a group is not UTF-8");
    out.groups.push_back(text_of(*entry));
  }
  return {};
}

Done read_is_ca(DerReader& details, Certificate& out) {
  if (!details.next_has(kIsCa)) return {};
  const auto flag = details.take(kIsCa);
  if (!flag || flag->size() != 1) return invalid("the CA flag is not one byte");
  out.is_ca = flag->front() != std::byte{0};  // as Nebula; DER proper knows ff only
  return {};
}

Done read_time(DerReader& details, std::uint8_t tag, WallTime& to) {
  const auto content = details.take(tag);
  const auto seconds = content ? der_integer(*content) : std::nullopt;
  if (!seconds) return invalid("without a time it is valid from or until");
  to = from_unix(*seconds);
  return {};
}

Done read_issuer(DerReader& details, Certificate& out) {
  if (!details.next_has(kIssuer)) return {};
  const auto content = details.take(kIssuer);
  Fingerprint issuer;
  if (!content || content->size() != issuer.bytes.size())
    return invalid("the issuer is not a SHA-256 fingerprint");
  std::ranges::copy(*content, issuer.bytes.begin());
  out.issuer = issuer;
  return {};
}

// Newer versions may add elements at the end; the signature covers them.
Done skip_rest(DerReader& reader) {
  while (!reader.at_end())
    if (!reader.skip()) return invalid("ends in what is not DER");
  return {};
}

Done read_both_networks(DerReader& details, Certificate& out) {
  auto networks = read_networks(details, kNetworks, "networks");
  if (!networks) return fail(std::move(networks).error());
  auto unsafe = read_networks(details, kUnsafeNetworks, "unsafe networks");
  if (!unsafe) return fail(std::move(unsafe).error());
  out.networks = *std::move(networks);
  out.unsafe_networks = *std::move(unsafe);
  return {};
}

Done read_details(ByteView content, Certificate& out) {
  DerReader details(content);
  if (auto done = read_name(details, out); !done) return done;
  if (auto done = read_both_networks(details, out); !done) return done;
  if (auto done = read_groups(details, out); !done) return done;
  if (auto done = read_is_ca(details, out); !done) return done;
  if (auto done = read_time(details, kNotBefore, out.not_before); !done) return done;
  if (auto done = read_time(details, kNotAfter, out.not_after); !done) return done;
  if (auto done = read_issuer(details, out); !done) return done;
  return skip_rest(details);
}

bool has_family(const std::vector<Prefix>& networks, bool v4) {
  return std::ranges::any_of(networks, [&](const Prefix& p) { return p.addr.is_v4() == v4; });
}

// What Nebula asks of a certificate whoever signed it.
Done check(const Certificate& certificate) {
  for (const Prefix& network : certificate.networks)
    if (network.addr.is_unspecified()) return invalid("networks: the address that is none");
  if (certificate.is_ca) return {};
  if (certificate.networks.empty()) return invalid("a host without a network");
  for (const Prefix& network : certificate.unsafe_networks)
    if (!has_family(certificate.networks, network.addr.is_v4()))
      return invalid("an unsafe network of a family of which the host has no address");
  return {};
}

// The curve, if it is written, else `implied`.
Result<Curve, DecodeError> read_curve(DerReader& reader, Curve implied) {
  if (!reader.next_has(kCurve)) return implied;
  const auto content = reader.take(kCurve);
  if (!content || content->size() != 1 || content->front() != std::byte{1})
    return invalid("an unknown curve");  // 25519 is never written
  return Curve::kP256;
}

Result<ByteView, DecodeError> read_public_key(DerReader& reader, const PublicKey* static_key) {
  if (static_key != nullptr) {
    if (reader.next_has(kPublicKey))
      return invalid("a public key inside a handshake's certificate");
    return static_key->view();
  }
  const auto key = reader.take(kPublicKey);
  if (!key) return invalid("without a public key");
  return *key;
}

Bytes signed_bytes_of(ByteView raw_details, Curve curve, ByteView public_key) {
  Bytes out = to_vector(raw_details);
  out.push_back(static_cast<std::byte>(curve));
  append(out, public_key);
  return out;
}

void set_signature(ByteView signature, Certificate& to) {
  to.signature = to_vector(signature);
  to.fingerprint = fingerprint_v2(to.signed_bytes, signature);
  if (to.curve != Curve::kP256) return;
  if (const auto other = crypto::other_form(signature))
    to.other_fingerprint = fingerprint_v2(to.signed_bytes, *other);
}

Result<Certificate, DecodeError> decode(ByteView der, const PublicKey* static_key) {
  if (der.size() > kMaxCertificateSize) return invalid("larger than 65536 bytes");
  DerReader file(der);
  const auto content = file.take(kCertificate);
  if (!content) return invalid("not a DER sequence");
  if (!file.at_end()) return invalid("more than one DER sequence");
  DerReader reader(*content);
  const auto raw_details = reader.take_whole(kDetails);
  if (!raw_details) return invalid("without details");
  const auto curve =
      read_curve(reader, static_key == nullptr ? Curve::k25519 : static_key->curve());
  if (!curve) return fail(curve.error());
  const auto key = read_public_key(reader, static_key);
  if (!key) return fail(key.error());
  const auto signature = reader.take(kSignature);
  if (!signature || signature->empty()) return invalid("without a signature");
  if (auto done = skip_rest(reader); !done) return fail(std::move(done).error());

  Certificate out;
  out.version = 2;
  out.curve = *curve;
  if (auto done = read_details(*DerReader(*raw_details).take(kDetails), out); !done)
    return fail(std::move(done).error());
  if (auto done = check(out); !done) return fail(std::move(done).error());
  out.public_key = to_vector(*key);
  out.signed_bytes = signed_bytes_of(*raw_details, *curve, *key);
  set_signature(*signature, out);
  return out;
}

// The details with their tag and length, as they were signed.
ByteView raw_details_of(const Certificate& certificate) {
  return ByteView(certificate.signed_bytes)
      .first(certificate.signed_bytes.size() - 1 - certificate.public_key.size());
}

Bytes encode(const Certificate& certificate, bool for_handshake) {
  Bytes content = to_vector(raw_details_of(certificate));
  if (!for_handshake) {
    if (certificate.curve == Curve::kP256)
      append_der(content, kCurve, std::array{static_cast<std::byte>(certificate.curve)});
    append_der(content, kPublicKey, certificate.public_key);
  }
  append_der(content, kSignature, certificate.signature);
  Bytes out;
  append_der(out, kCertificate, content);
  return out;
}

void append_networks(Bytes& to, std::uint8_t tag, const std::vector<Prefix>& networks) {
  if (networks.empty()) return;
  Bytes entries;
  for (const Prefix& network : networks) {
    Bytes entry = to_vector(network.addr.network_bytes());
    entry.push_back(std::byte{network.length});
    append_der(entries, kOctets, entry);
  }
  append_der(to, tag, entries);
}

void append_groups(Bytes& to, const std::vector<std::string>& groups) {
  if (groups.empty()) return;
  Bytes entries;
  for (const std::string& group : groups) append_der(entries, kText, as_bytes(group));
  append_der(to, kGroups, entries);
}

}  // namespace

Result<Certificate, DecodeError> decode_v2(ByteView der) {
  auto certificate = decode(der, nullptr);
  if (certificate && certificate->public_key.size() != public_key_size(certificate->curve))
    return invalid("a public key of the wrong length");
  return certificate;
}

Result<Certificate, DecodeError> decode_v2_from_handshake(ByteView der,
                                                          const PublicKey& static_key) {
  return decode(der, &static_key);
}

Bytes encode_v2(const Certificate& certificate) { return encode(certificate, false); }

Bytes encode_v2_for_handshake(const Certificate& certificate) { return encode(certificate, true); }

Bytes to_be_signed_v2(const CertificateFacts& facts, ByteView public_key) {
  Bytes content;
  append_der(content, kName, as_bytes(facts.name));
  append_networks(content, kNetworks, facts.networks);
  append_networks(content, kUnsafeNetworks, facts.unsafe_networks);
  append_groups(content, facts.groups);
  if (facts.is_ca) append_der(content, kIsCa, std::array{std::byte{0xff}});
  append_der_integer(content, kNotBefore, to_unix(facts.not_before));
  append_der_integer(content, kNotAfter, to_unix(facts.not_after));
  if (facts.issuer) append_der(content, kIssuer, facts.issuer->bytes);
  Bytes details;
  append_der(details, kDetails, content);
  return signed_bytes_of(details, facts.curve, public_key);
}

Fingerprint fingerprint_v2(ByteView signed_bytes, ByteView signature) {
  Bytes whole = to_vector(signed_bytes);
  append(whole, signature);
  return sha256(whole);
}

}  // namespace magnetar::pki
