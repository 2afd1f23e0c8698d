// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/verifier.h"

namespace magnetar::pki {

Result<void, VerifyError> Verifier::verify(const Certificate& host, const CaPool& cas, WallTime now,
                                           const Blocklist& blocklist) {
  if (good_.find(host.fingerprint) != nullptr) return cas.recheck(host, now, blocklist);
  auto verified = cas.verify(host, now, blocklist);
  if (verified) good_.put(host.fingerprint, {});
  return verified;
}

}  // namespace magnetar::pki
