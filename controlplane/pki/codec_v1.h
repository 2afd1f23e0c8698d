// SPDX-License-Identifier: Apache-2.0
// Version 1 certificates: protobuf (protocol/wire.md section 4).
#pragma once

#include "controlplane/pki/certificate.h"
#include "controlplane/pki/decode.h"
#include "dataplane/base/result.h"

namespace magnetar::pki {

// A whole certificate, as in a PEM block. Never throws; hostile input allocates at most a small
// multiple of its own size.
[[nodiscard]] Result<Certificate, DecodeError> decode_v1(ByteView protobuf);

// A certificate as it travels in a handshake: without its public key, which is `static_key` from
// the Noise message. One that still holds a public key is refused (wire.md 3.4). One of another
// curve than the handshake's is not: the caller compares.
[[nodiscard]] Result<Certificate, DecodeError> decode_v1_from_handshake(ByteView protobuf,
                                                                        ByteView static_key);

// A decoded certificate as bytes again: `signed_bytes` and `signature` count, not the other fields.
[[nodiscard]] Bytes encode_v1(const Certificate& certificate);
// The handshake form: everything but the public key.
[[nodiscard]] Bytes encode_v1_for_handshake(const Certificate& certificate);

// What is to be signed of a new certificate (`signed_bytes`). Its networks are IPv4.
[[nodiscard]] Bytes to_be_signed_v1(const CertificateFacts& facts, ByteView public_key);

}  // namespace magnetar::pki
