// SPDX-License-Identifier: Apache-2.0
// A payload that parses survives being written, and means what the protobuf library makes of it.
// Its certificate is read as the version it is said to be, on either curve.
#include <algorithm>

#include <handshake.pb.h>

#include "controlplane/handshake/payload.h"
#include "controlplane/pki/codec.h"
#include "dataplane/base/check.h"

namespace {

using magnetar::handshake::Payload;

// Ours reads tags of up to ten bytes, as Go does, the library's of up to five: it may refuse.
void check_against_library(magnetar::ByteView bytes, const Payload& ours) {
  magnetar::proto::Handshake message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto& details = message.details();
  MAGNETAR_CHECK(std::ranges::equal(magnetar::as_bytes(details.certificate()), ours.certificate));
  MAGNETAR_CHECK(details.initiator_index() == ours.initiator_index);
  MAGNETAR_CHECK(details.responder_index() == ours.responder_index);
  MAGNETAR_CHECK(details.time() == ours.time_ns);
  MAGNETAR_CHECK(details.certificate_version() == ours.certificate_version);
}

void read_certificate(const Payload& payload) {
  const std::uint32_t version = std::max(payload.certificate_version, 1U);
  if (!magnetar::pki::is_known_version(version)) return;
  for (const auto curve : {magnetar::Curve::k25519, magnetar::Curve::kP256}) {
    const magnetar::PublicKey key(curve);
    const auto certificate = magnetar::pki::decode_from_handshake(
        static_cast<std::uint8_t>(version), payload.certificate, key);
    if (!certificate || certificate->curve != curve) continue;
    const auto again = magnetar::pki::decode_from_handshake(
        certificate->version, magnetar::pki::encode_for_handshake(*certificate), key);
    MAGNETAR_CHECK(again && again->fingerprint == certificate->fingerprint);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto payload = magnetar::handshake::parse_payload(bytes);
  if (!payload) return 0;
  check_against_library(bytes, *payload);
  read_certificate(*payload);
  const auto again =
      magnetar::handshake::parse_payload(magnetar::handshake::write_payload(*payload));
  MAGNETAR_CHECK(again && *again == *payload);
  return 0;
}
