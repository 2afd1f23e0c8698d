// SPDX-License-Identifier: Apache-2.0
// Certificates as bytes, whatever their version. See codec_v1.h and codec_v2.h.
#pragma once

#include <cstdint>

#include "controlplane/crypto/curve.h"
#include "controlplane/pki/certificate.h"
#include "controlplane/pki/decode.h"
#include "dataplane/base/result.h"

namespace magnetar::pki {

[[nodiscard]] constexpr bool is_known_version(std::uint32_t version) {
  return version == 1 || version == 2;
}

// A certificate of a known version as it travels in a handshake: its public key is the static key
// of the Noise message. It may turn out to be of another curve than that: the caller compares.
[[nodiscard]] Result<Certificate, DecodeError> decode_from_handshake(std::uint8_t version,
                                                                     ByteView bytes,
                                                                     const PublicKey& static_key);

// A decoded certificate as bytes again; in its file (without PEM) and in a handshake.
[[nodiscard]] Bytes encode(const Certificate& certificate);
[[nodiscard]] Bytes encode_for_handshake(const Certificate& certificate);

}  // namespace magnetar::pki
