// SPDX-License-Identifier: Apache-2.0
// PEM as Nebula writes it (protocol/wire.md section 6): several blocks with text between them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controlplane/crypto/signature.h"
#include "controlplane/pki/certificate.h"
#include "controlplane/pki/decode.h"
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

// Every certificate in `text`, of either version; an error when there is none or a block is not a
// known certificate.
[[nodiscard]] Result<std::vector<Certificate>, DecodeError> certificates_from_pem(
    std::string_view text);

struct HostKey {
  Curve curve = Curve::k25519;
  StaticPrivateKey secret;
};
// The private key of a host in `text`, of either curve.
[[nodiscard]] Result<HostKey, DecodeError> private_key_from_pem(std::string_view text);

// The unencrypted private key of a CA in `text`, of either curve. For an encrypted one see the
// banners below: its block is found with parse_pem().
[[nodiscard]] Result<crypto::SigningKey, DecodeError> signing_key_from_pem(std::string_view text);
// A host's public key in `text`, of either curve: what `keygen` left for `sign`.
[[nodiscard]] Result<PublicKey, DecodeError> public_key_from_pem(std::string_view text);

// As nebula-cert writes them.
[[nodiscard]] std::string to_pem(const Certificate& certificate);
[[nodiscard]] std::string to_pem(const HostKey& key);
[[nodiscard]] std::string to_pem(const crypto::SigningKey& key);
[[nodiscard]] std::string to_pem(const PublicKey& host_key);

// What stands between "-----BEGIN " and "-----".
inline constexpr std::string_view kCertificateBanner = "NEBULA CERTIFICATE";
inline constexpr std::string_view kCertificateV2Banner = "NEBULA CERTIFICATE V2";
[[nodiscard]] std::string_view private_key_banner(Curve curve);            // of a host
[[nodiscard]] std::string_view public_key_banner(Curve curve);             // of a host
[[nodiscard]] std::string_view signing_key_banner(Curve curve);            // of a CA
[[nodiscard]] std::string_view encrypted_signing_key_banner(Curve curve);  // of a CA

}  // namespace magnetar::pki
