// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM and ChaCha20-Poly1305 by Intel ipsec-mb.
#pragma once

#include <memory>
#include <string>

#include "dataplane/base/cipher.h"
#include "dataplane/crypto/aead.h"

namespace magnetar {

// An instance for one thread. Picks the widest instructions the CPU has.
[[nodiscard]] std::unique_ptr<Aead> make_ipsec_mb(Cipher cipher);

[[nodiscard]] std::string ipsec_mb_version();

}  // namespace magnetar
