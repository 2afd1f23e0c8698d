// SPDX-License-Identifier: Apache-2.0
// Verifies certificates and remembers whose signature was good: a peer that comes again costs no
// curve operation. A fingerprint covers the signature and the name of the issuer, which is the hash
// of the CA's certificate, so what was good once is good for ever. Everything else (is the CA still
// trusted, dates, blocklist, constraints) is asked each time.
#pragma once

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/lru_map.h"

namespace magnetar::pki {

class Verifier {
 public:
  static constexpr std::size_t kRemembered = 4096;

  [[nodiscard]] Result<void, VerifyError> verify(const Certificate& host, const CaPool& cas,
                                                 WallTime now, const Blocklist& blocklist);
  [[nodiscard]] std::size_t remembered() const { return good_.size(); }

 private:
  struct Good {};
  LruMap<Fingerprint, Good> good_{kRemembered};
};

}  // namespace magnetar::pki
