// SPDX-License-Identifier: Apache-2.0
// Bytes as a certificate, as one from a handshake, as PEM. What decodes comes back unchanged, and
// nothing verifies but the certificates that the CAs of tests/vectors signed.
#include <set>

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/codec_v1.h"
#include "controlplane/pki/pem.h"
#include "dataplane/base/check.h"
#include "tests/support/vectors.h"

namespace {

namespace pki = magnetar::pki;
using magnetar::Bytes;
using magnetar::ByteView;

struct Known {
  pki::CaPool cas;
  std::set<Bytes> signed_by_them;
  Bytes key;  // of the host whose handshake form the corpus holds
};

Known load_known() {
  const auto file = magnetar::testing::load_vectors("certificates-v1.json");
  const auto decoded = [](const auto& row) {
    const auto hex = row["protobuf"].template get<std::string>();
    return pki::decode_v1(magnetar::testing::from_hex(hex)).value();
  };
  Known known;
  for (const auto& [name, ca] : file["cas"].items()) MAGNETAR_CHECK(known.cas.add(decoded(ca)));
  for (const auto& host : file["hosts"]) {
    const pki::Certificate certificate = decoded(host);
    known.signed_by_them.insert(pki::encode_v1(certificate));
    if (known.key.empty()) known.key = certificate.public_key;
  }
  return known;
}

const Known& known() {
  static const Known loaded = load_known();
  return loaded;
}

void check_certificate(const pki::Certificate& certificate) {
  constexpr magnetar::WallTime kNow{std::chrono::seconds(1'750'000'000)};
  const Bytes encoded = pki::encode_v1(certificate);
  const auto again = pki::decode_v1(encoded);
  // A P256 certificate in a handshake takes a key of the wrong length, and does not verify.
  if (again || certificate.curve == pki::Curve::k25519) {
    MAGNETAR_CHECK(again && again->fingerprint == certificate.fingerprint);
    MAGNETAR_CHECK(pki::encode_v1(*again) == encoded);
  }
  if (known().cas.verify(certificate, kNow, {}))
    MAGNETAR_CHECK(known().signed_by_them.contains(encoded));
}

void check_handshake_form(ByteView bytes) {
  const auto key = std::span(known().key).first<32>();
  const auto certificate = pki::decode_v1_from_handshake(bytes, key);
  if (!certificate) return;
  check_certificate(*certificate);
  const auto again = pki::decode_v1_from_handshake(pki::encode_v1_for_handshake(*certificate), key);
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
  if (const auto certificate = pki::decode_v1(bytes)) check_certificate(*certificate);
  check_handshake_form(bytes);
  check_pem(text);
  if (const auto certificates = pki::certificates_from_pem(text))
    for (const pki::Certificate& certificate : *certificates) check_certificate(certificate);
  (void)pki::private_key_from_pem(text);
  return 0;
}
