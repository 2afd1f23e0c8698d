// SPDX-License-Identifier: Apache-2.0
// Version 2 certificates: DER (protocol/wire.md section 5).
#pragma once

#include "controlplane/crypto/curve.h"
#include "controlplane/pki/certificate.h"
#include "controlplane/pki/decode.h"
#include "dataplane/base/result.h"

namespace magnetar::pki {

// A whole certificate, as in a PEM block. Never throws; hostile input allocates at most a small
// multiple of its own size. Networks come out sorted, as Nebula sorts them.
[[nodiscard]] Result<Certificate, DecodeError> decode_v2(ByteView der);

// A certificate as it travels in a handshake: without its public key, which is `static_key` from
// the Noise message, and without its curve, which then is the handshake's. One that still holds a
// public key is refused (wire.md 3.4). One that names another curve is not: the caller compares.
[[nodiscard]] Result<Certificate, DecodeError> decode_v2_from_handshake(
    ByteView der, const PublicKey& static_key);

// A certificate as bytes again: `signed_bytes`, `public_key`, `curve` and `signature` count, not
// the other fields.
[[nodiscard]] Bytes encode_v2(const Certificate& certificate);
// The handshake form: everything but curve and public key.
[[nodiscard]] Bytes encode_v2_for_handshake(const Certificate& certificate);

// What is to be signed of a new certificate (`signed_bytes`). Networks are written in the order
// they have. At most 65,535 bytes of details: a longer one aborts.
[[nodiscard]] Bytes to_be_signed_v2(const CertificateFacts& facts, ByteView public_key);
// Under that signature; of `signed_bytes` and `signature` alone.
[[nodiscard]] Fingerprint fingerprint_v2(ByteView signed_bytes, ByteView signature);

}  // namespace magnetar::pki
