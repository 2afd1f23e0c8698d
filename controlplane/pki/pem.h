// SPDX-License-Identifier: Apache-2.0
// PEM as Nebula writes it (protocol/wire.md section 6): several blocks with text between them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controlplane/pki/certificate.h"
#include "controlplane/pki/codec_v1.h"
#include "dataplane/base/result.h"
#include "dataplane/base/secret.h"

namespace magnetar::pki {

struct PemBlock {
  std::string banner;  // "NEBULA CERTIFICATE"
  Bytes content;
};

// Every block of `text`, in order. An error for a block that does not end or is not base64.
[[nodiscard]] Result<std::vector<PemBlock>, DecodeError> parse_pem(std::string_view text);
[[nodiscard]] std::string write_pem(std::string_view banner, ByteView content);

// Every certificate in `text`; an error when there is none or a block is not a known certificate.
[[nodiscard]] Result<std::vector<Certificate>, DecodeError> certificates_from_pem(
    std::string_view text);
// The X25519 private key in `text`.
[[nodiscard]] Result<StaticPrivateKey, DecodeError> private_key_from_pem(std::string_view text);

}  // namespace magnetar::pki
