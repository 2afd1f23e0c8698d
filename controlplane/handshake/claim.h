// SPDX-License-Identifier: Apache-2.0
// What the other side of a handshake says of itself, and whether that may be believed.
#pragma once

#include "controlplane/handshake/noise_ix.h"
#include "controlplane/handshake/payload.h"
#include "controlplane/identity.h"
#include "controlplane/pki/certificate.h"
#include "controlplane/pki/verifier.h"
#include "controlplane/tunnel/refusal.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/result.h"
#include "dataplane/base/strong.h"
#include "dataplane/base/time.h"

namespace magnetar::handshake {

// Bounds of a handshake packet: an Ethernet jumbo frame is the most we ever receive.
inline constexpr std::size_t kMaxPacketSize = 9216;

enum class Sender : std::uint8_t { kInitiator, kResponder };

struct Claim {
  pki::Certificate certificate;  // decoded, not verified
  RemoteIndex index;             // the peer's, never 0
  std::uint64_t time_ns = 0;     // its wall clock
};

// Reads the payload of a Noise message whose sender's static key is `static_key`. The certificate
// that comes out is of that key and its curve.
[[nodiscard]] Result<Claim, Refusal> read_claim(ByteView payload, const PublicKey& static_key,
                                                Sender sender);

// A payload that shows this certificate of ours, with no index and no time yet.
[[nodiscard]] Payload payload_showing(const pki::Certificate& certificate);

// Whether one of our CAs vouches for it now.
[[nodiscard]] Result<void, Refusal> verify(const pki::Certificate& certificate,
                                           const Identity& identity, WallTime now);
// The same, with a memory for signatures.
[[nodiscard]] Result<void, Refusal> verify(const pki::Certificate& certificate,
                                           const Identity& identity, WallTime now,
                                           pki::Verifier& verifier);

// Whether a host with this certificate would be ourselves.
[[nodiscard]] bool is_ourselves(const pki::Certificate& certificate, const Identity& identity);

}  // namespace magnetar::handshake
