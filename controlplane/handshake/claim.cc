// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/claim.h"

#include <algorithm>

#include "controlplane/pki/codec.h"

namespace magnetar::handshake {

Result<Claim, Refusal> read_claim(ByteView payload, const PublicKey& static_key, Sender sender) {
  const auto read = parse_payload(payload);
  if (!read) {
    return fail(read.error() == PayloadError::kNoCertificate ? Refusal::kNoCertificate
                                                             : Refusal::kPayloadMalformed);
  }
  const std::uint32_t index =
      sender == Sender::kInitiator ? read->initiator_index : read->responder_index;
  if (index == 0) return fail(Refusal::kNoPeerIndex);
  // 1.6.1 writes none and means 1 (wire.md 3.2).
  const std::uint32_t version = std::max(read->certificate_version, 1U);
  if (!pki::is_known_version(version)) return fail(Refusal::kCertVersion);
  auto certificate =
      pki::decode_from_handshake(static_cast<std::uint8_t>(version), read->certificate, static_key);
  if (!certificate) return fail(Refusal::kCertMalformed);
  if (certificate->curve != static_key.curve()) return fail(Refusal::kCertCurveMismatch);
  return Claim{std::move(*certificate), RemoteIndex{index}, read->time_ns};
}

Payload payload_showing(const pki::Certificate& certificate) {
  Payload payload;
  payload.certificate = pki::encode_for_handshake(certificate);
  // For version 1 nothing is written, as 1.6.1 does: it reads no version, and newer ones take it
  // for 1.
  if (certificate.version > 1) payload.certificate_version = certificate.version;
  return payload;
}

Result<void, Refusal> verify(const pki::Certificate& certificate, const Identity& identity,
                             WallTime now) {
  const auto verified = identity.cas.verify(certificate, now, identity.blocklist);
  if (!verified) return fail(refusal_of(verified.error()));
  return {};
}

Result<void, Refusal> verify(const pki::Certificate& certificate, const Identity& identity,
                             WallTime now, pki::Verifier& verifier) {
  const auto verified = verifier.verify(certificate, identity.cas, now, identity.blocklist);
  if (!verified) return fail(refusal_of(verified.error()));
  return {};
}

bool is_ourselves(const pki::Certificate& certificate, const Identity& identity) {
  const auto ours = identity.overlay_addrs();
  const auto theirs = certificate.overlay_addrs();
  return std::ranges::any_of(
      ours, [&](const VpnAddr& mine) { return std::ranges::find(theirs, mine) != theirs.end(); });
}

}  // namespace magnetar::handshake
