// SPDX-License-Identifier: Apache-2.0
// What the codecs of both versions share.
#pragma once

#include <cstdint>
#include <string>

#include "controlplane/pki/certificate.h"
#include "dataplane/base/result.h"

namespace magnetar::pki {

// Why bytes are not a certificate; the text names what is wrong, for an operator.
struct DecodeError {
  std::string what;
};

// Of a whole certificate of either version. Far beyond what fits into a handshake packet.
inline constexpr std::size_t kMaxCertificateSize = 65536;

[[nodiscard]] inline auto invalid(std::string what) { return fail(DecodeError{std::move(what)}); }

[[nodiscard]] Fingerprint sha256(ByteView bytes);

// Nebula keeps seconds, which reach further than our nanoseconds (year 2262): what lies beyond
// counts as the last moment we know. `signed_bytes` keeps the number as it was signed.
[[nodiscard]] WallTime from_unix(std::int64_t seconds);
// Full seconds, rounded down as Nebula's signer does.
[[nodiscard]] std::int64_t to_unix(WallTime time);

}  // namespace magnetar::pki
