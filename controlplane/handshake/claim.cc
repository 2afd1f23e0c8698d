// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/claim.h"

#include <algorithm>

#include "controlplane/handshake/payload.h"
#include "controlplane/pki/codec_v1.h"

namespace magnetar::handshake {

Result<Claim, Refusal> read_claim(ByteView payload, const noise::PublicKey& static_key,
                                  Sender sender) {
  const auto read = parse_payload(payload);
  if (!read) {
    return fail(read.error() == PayloadError::kNoCertificate ? Refusal::kNoCertificate
                                                             : Refusal::kPayloadMalformed);
  }
  const std::uint32_t index =
      sender == Sender::kInitiator ? read->initiator_index : read->responder_index;
  if (index == 0) return fail(Refusal::kNoPeerIndex);
  if (read->certificate_version > 1) return fail(Refusal::kCertVersion);
  auto certificate = pki::decode_v1_from_handshake(read->certificate, static_key);
  if (!certificate) return fail(Refusal::kCertMalformed);
  return Claim{std::move(*certificate), RemoteIndex{index}, read->time_ns};
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
  const auto theirs = certificate.overlay_addrs();
  return std::ranges::any_of(identity.certificate.overlay_addrs(), [&](const VpnAddr& mine) {
    return std::ranges::find(theirs, mine) != theirs.end();
  });
}

}  // namespace magnetar::handshake
