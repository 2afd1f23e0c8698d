// SPDX-License-Identifier: Apache-2.0
// Bytes as a certificate of either version, as one from a handshake, as PEM. What decodes comes
// back unchanged, and nothing verifies but what the CAs of tests/vectors signed.
#include <set>

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/codec.h"
#include "controlplane/pki/codec_v1.h"
#include "controlplane/pki/codec_v2.h"
#include "controlplane/pki/pem.h"
#include "dataplane/base/check.h"
#include "tests/support/vectors.h"

namespace {

namespace pki = magnetar::pki;
using magnetar::Bytes;
using magnetar::ByteView;
using magnetar::Curve;
using magnetar::PublicKey;

struct Known {
  pki::CaPool cas;
  std::set<Bytes> signed_by_them;
  // Of the hosts whose handshake forms the corpus holds.
  std::vector<PublicKey> keys;
};

void learn(Known& known, const nlohmann::json& file) {
  const auto read = [](const auto& row) {
    return pki::certificates_from_pem(row["pem"].template get<std::string>()).value().front();
  };
  for (const auto& [name, ca] : file["cas"].items()) MAGNETAR_CHECK(known.cas.add(read(ca)));
  for (const auto& host : file["hosts"]) {
    if (!host.contains("pem")) continue;
    const pki::Certificate certificate = read(host);
    known.signed_by_them.insert(certificate.signed_bytes);
    const auto has_curve = [&](const PublicKey& key) { return key.curve() == certificate.curve; };
    if (std::ranges::none_of(known.keys, has_curve))
      known.keys.push_back(PublicKey::from(certificate.curve, certificate.public_key).value());
  }
}

const Known& known() {
  static const Known loaded = [] {
    Known all;
    learn(all, magnetar::testing::load_vectors("certificates-v1.json"));
    learn(all, magnetar::testing::load_vectors("certificates-v2.json"));
    return all;
  }();
  return loaded;
}

// When the certificates of the first and of the second file were good.
constexpr magnetar::WallTime kTimes[] = {magnetar::WallTime{std::chrono::seconds(1'750'000'000)},
                                         magnetar::WallTime{std::chrono::seconds(1'795'381'846)}};

auto decode(std::uint8_t version, ByteView bytes) {
  return version == 2 ? pki::decode_v2(bytes) : pki::decode_v1(bytes);
}

void check_certificate(const pki::Certificate& certificate) {
  const Bytes encoded = pki::encode(certificate);
  const auto again = decode(certificate.version, encoded);
  MAGNETAR_CHECK(again && again->fingerprint == certificate.fingerprint);
  MAGNETAR_CHECK(again->other_fingerprint == certificate.other_fingerprint);
  MAGNETAR_CHECK(pki::encode(*again) == encoded);
  for (const auto now : kTimes)
    if (known().cas.verify(certificate, now, {}))
      MAGNETAR_CHECK(known().signed_by_them.contains(certificate.signed_bytes));
}

void check_handshake_form(std::uint8_t version, ByteView bytes, const PublicKey& key) {
  const auto certificate = pki::decode_from_handshake(version, bytes, key);
  // One of another curve than the handshake's is what the caller refuses.
  if (!certificate || certificate->curve != key.curve()) return;
  check_certificate(*certificate);
  const auto again =
      pki::decode_from_handshake(version, pki::encode_for_handshake(*certificate), key);
  MAGNETAR_CHECK(again && again->fingerprint == certificate->fingerprint);
}

void check_pem(std::string_view text) {
  const auto blocks = pki::parse_pem(text);
  if (!blocks) return;
  std::string written;
  for (const pki::PemBlock& block : *blocks) written += pki::write_pem(block.banner, block.content);
  const auto again = pki::parse_pem(written);
  MAGNETAR_CHECK(again && again->size() == blocks->size());
  for (std::size_t i = 0; i < blocks->size(); ++i) {
    MAGNETAR_CHECK((*again)[i].banner == (*blocks)[i].banner);
    MAGNETAR_CHECK((*again)[i].content == (*blocks)[i].content);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    if (const auto certificate = decode(version, bytes)) check_certificate(*certificate);
    for (const PublicKey& key : known().keys) check_handshake_form(version, bytes, key);
  }
  check_pem(text);
  if (const auto certificates = pki::certificates_from_pem(text))
    for (const pki::Certificate& certificate : *certificates) check_certificate(certificate);
  (void)pki::private_key_from_pem(text);
  (void)pki::signing_key_from_pem(text);
  (void)pki::public_key_from_pem(text);
  return 0;
}
