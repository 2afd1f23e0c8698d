// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/codec.h"

#include "controlplane/pki/codec_v1.h"
#include "controlplane/pki/codec_v2.h"

namespace magnetar::pki {

Result<Certificate, DecodeError> decode_from_handshake(std::uint8_t version, ByteView bytes,
                                                       const PublicKey& static_key) {
  return version == 2 ? decode_v2_from_handshake(bytes, static_key)
                      : decode_v1_from_handshake(bytes, static_key);
}

Bytes encode(const Certificate& certificate) {
  return certificate.version == 2 ? encode_v2(certificate) : encode_v1(certificate);
}

Bytes encode_for_handshake(const Certificate& certificate) {
  return certificate.version == 2 ? encode_v2_for_handshake(certificate)
                                  : encode_v1_for_handshake(certificate);
}

}  // namespace magnetar::pki
