// SPDX-License-Identifier: Apache-2.0
// Keys of hosts.
#pragma once

#include "controlplane/crypto/curve.h"
#include "controlplane/pki/pem.h"
#include "dataplane/base/random.h"

namespace magnetar::cli::cert {

struct HostKeys {
  pki::HostKey own;
  PublicKey given_out;
};
[[nodiscard]] HostKeys new_host_keys(Curve curve, RandomSource& random);

// Whether a handshake with this key can succeed: it lies on its curve and is not of low order.
[[nodiscard]] bool is_usable(const PublicKey& key, RandomSource& random);

}  // namespace magnetar::cli::cert
