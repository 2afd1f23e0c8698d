// SPDX-License-Identifier: Apache-2.0
// Version 1 certificates: protobuf (protocol/wire.md section 4).
#pragma once

#include <string>

#include "controlplane/pki/certificate.h"
#include "dataplane/base/result.h"

namespace magnetar::pki {

// Why bytes are not a certificate; the text names what is wrong, for an operator.
struct DecodeError {
  std::string what;
};

// A whole certificate, as in a PEM block. Never throws; hostile input allocates at most a small
// multiple of its own size.
[[nodiscard]] Result<Certificate, DecodeError> decode_v1(ByteView protobuf);

// A certificate as it travels in a handshake: without its public key, which is `static_key` from
// the Noise message. One that still holds a public key is refused (wire.md 3.4).
[[nodiscard]] Result<Certificate, DecodeError> decode_v1_from_handshake(
    ByteView protobuf, std::span<const std::byte, 32> static_key);

// A decoded certificate as bytes again: `signed_bytes` and `signature` count, not the other fields.
[[nodiscard]] Bytes encode_v1(const Certificate& certificate);
// The handshake form: everything but the public key.
[[nodiscard]] Bytes encode_v1_for_handshake(const Certificate& certificate);

}  // namespace magnetar::pki
