// SPDX-License-Identifier: Apache-2.0
// Nebula certificates (protocol/wire.md sections 4 to 6). Pure: bytes in, values out. One type for
// every certificate version; this file knows no encoding.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/time.h"

namespace magnetar::pki {

enum class Curve : std::uint8_t { k25519 = 0, kP256 = 1 };

// SHA-256 over the certificate, as Nebula prints it (lower-case hex).
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
  std::vector<Prefix> networks;         // host bits kept: the addresses are the overlay addresses
  std::vector<Prefix> unsafe_networks;  // networks behind this host
  std::vector<std::string> groups;
  WallTime not_before;
  WallTime not_after;
  std::optional<Fingerprint> issuer;  // none for CAs
  Fingerprint fingerprint;            // computed when decoded

  // Every overlay address of the host, the first one primary (wire.md 7.5).
  [[nodiscard]] std::vector<VpnAddr> overlay_addrs() const;
};

struct Certificate : CertificateFacts {
  Bytes public_key;  // 32 (X25519 host, Ed25519 CA) or 65 bytes
  Bytes signature;
  Bytes signed_bytes;  // exactly what the signature covers
};

}  // namespace magnetar::pki
