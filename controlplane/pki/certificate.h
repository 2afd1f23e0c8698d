// SPDX-License-Identifier: Apache-2.0
// Nebula certificates (protocol/wire.md sections 4 to 6). Pure: bytes in, values out. One type for
// every certificate version; this file knows no encoding.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/crypto/curve.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/time.h"

namespace magnetar::pki {

using magnetar::Curve;

// SHA-256 over the certificate, as Nebula prints it (lower-case hex). Over what exactly, the
// version says.
struct Fingerprint {
  std::array<std::byte, 32> bytes{};
  [[nodiscard]] std::string to_string() const;
  // 64 hex digits, either case.
  [[nodiscard]] static std::optional<Fingerprint> parse(std::string_view text);
  friend auto operator<=>(const Fingerprint&, const Fingerprint&) = default;
};

// What a certificate says. Enough to ask again and again whether it is still good, once its
// signature was verified: what is kept of a peer.
struct CertificateFacts {
  std::uint8_t version = 1;
  Curve curve = Curve::k25519;
  bool is_ca = false;
  std::string name;
  // Host bits kept: the addresses are the overlay addresses. Version 1: IPv4, in the order of the
  // certificate. Version 2: both families, IPv4 first, then by address and length.
  std::vector<Prefix> networks;
  std::vector<Prefix> unsafe_networks;  // networks behind this host; the same
  std::vector<std::string> groups;
  WallTime not_before;
  WallTime not_after;
  std::optional<Fingerprint> issuer;  // none for CAs
  Fingerprint fingerprint;            // computed when decoded
  // P-256 only: the fingerprint under the other form of its signature, which anybody can make of
  // the first. Both name this certificate, on the blocklist, too (CVE-2026-25793).
  std::optional<Fingerprint> other_fingerprint;

  // Every overlay address of the host, the first one primary (wire.md 7.5). None comes twice, even
  // if two of its networks share it.
  [[nodiscard]] std::vector<VpnAddr> overlay_addrs() const;
};

struct Certificate : CertificateFacts {
  Bytes public_key;  // 32 (X25519 host, Ed25519 CA) or 65 bytes (P-256)
  Bytes signature;
  // Exactly what the signature covers. Version 1: the details. Version 2: the details, the number
  // of the curve, the public key.
  Bytes signed_bytes;
};

}  // namespace magnetar::pki
