// SPDX-License-Identifier: Apache-2.0
// ECDSA over SHA-256 on P-256. Only for signature.cc.
#pragma once

#include "dataplane/base/bytes.h"
#include "dataplane/base/secret.h"

namespace magnetar::crypto {

[[nodiscard]] bool ecdsa_verify(ByteView public_key, ByteView message, ByteView signature);
// `key` is a private key. The low form.
[[nodiscard]] Bytes ecdsa_sign(const Secret<32>& key, ByteView message);

}  // namespace magnetar::crypto
