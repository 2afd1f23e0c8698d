// SPDX-License-Identifier: Apache-2.0
// Packets of an established tunnel, one at a time: header || ciphertext || tag, the header being
// associated data and its counter the nonce (protocol/wire.md section 2). The reference for the
// data path, and what tests and the simulator speak with.
#pragma once

#include "controlplane/handshake/noise_ix.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/cipher.h"
#include "dataplane/base/result.h"
#include "dataplane/base/secret.h"
#include "dataplane/wire/header.h"

namespace magnetar::handshake {

// The caller sees to it that a counter is never used twice under one key.
[[nodiscard]] Bytes seal_packet(Cipher cipher, const TransportKey& key, const wire::Header& header,
                                ByteView plaintext);

// The plaintext. Looks at no header field but the counter: type, index and replays are the
// caller's business.
[[nodiscard]] Result<Bytes, noise::NoiseError> open_packet(Cipher cipher, const TransportKey& key,
                                                           ByteView packet);

}  // namespace magnetar::handshake
