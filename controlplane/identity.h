// SPDX-License-Identifier: Apache-2.0
// Who we are: certificate and key, and whom we trust. Immutable; a reload makes a new one.
#pragma once

#include <memory>

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/certificate.h"
#include "dataplane/base/cipher.h"
#include "dataplane/base/secret.h"

namespace magnetar {

struct Identity {
  pki::Certificate certificate;
  StaticPrivateKey private_key;
  pki::CaPool cas;
  pki::Blocklist blocklist;
};

}  // namespace magnetar
