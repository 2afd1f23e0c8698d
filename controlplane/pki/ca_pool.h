// SPDX-License-Identifier: Apache-2.0
// Whom we trust and why a certificate is refused (protocol/wire.md section 7). Pure; time comes in.
#pragma once

#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "controlplane/pki/certificate.h"
#include "dataplane/base/result.h"

namespace magnetar::pki {

enum class VerifyError : std::uint8_t {
  kBlocked,
  kNoIssuer,
  kUnknownIssuer,
  kCurveMismatch,
  kCaExpired,
  kCaNotYetValid,
  kExpired,
  kNotYetValid,
  kBadSignature,
  kOutlivesCa,
  kOlderThanCa,
  kGroupNotAllowed,
  kNetworkNotAllowed,
  kUnsafeNetworkNotAllowed,
  kIsCa,        // a CA's certificate used as a host's
  kNoNetwork,   // a host without an overlay address
  kBadNetwork,  // loopback, multicast, broadcast or unspecified as an overlay address
};
// Metric label ("unknown_issuer") and a text for people ("issued by a CA that is not trusted").
[[nodiscard]] std::string_view label(VerifyError error);
[[nodiscard]] std::string_view text(VerifyError error);

using Blocklist = std::set<Fingerprint>;

enum class CaError : std::uint8_t { kNotACa, kBadSelfSignature };
[[nodiscard]] std::string_view text(CaError error);

// What does not change with time: what the CA allows (step 8 of wire.md 7.2) and what a host is.
[[nodiscard]] Result<void, VerifyError> check_content(const CertificateFacts& host,
                                                      const CertificateFacts& ca);
// Whether a fingerprint of the certificate, of either form of its signature, is on the list.
[[nodiscard]] bool is_blocked(const CertificateFacts& host, const Blocklist& blocklist);

class CaPool {
 public:
  // Admits a CA that vouches for itself; an expired one is kept (its certificates fail with
  // kCaExpired).
  [[nodiscard]] Result<void, CaError> add(Certificate ca);
  [[nodiscard]] const std::map<Fingerprint, Certificate>& cas() const { return cas_; }
  [[nodiscard]] const Certificate* find(const Fingerprint& fingerprint) const;

  // Checks a host's certificate in Nebula's order (wire.md 7.2), then what Nebula should (end of
  // wire.md: CA flag, loopback, multicast, broadcast).
  [[nodiscard]] Result<void, VerifyError> verify(const Certificate& host, WallTime now,
                                                 const Blocklist& blocklist) const;
  // All of that but the signature, of a certificate that was verified before, whatever the pool was
  // then. Its fingerprint covers the signature, and its issuer's name is a hash of the CA's
  // certificate.
  [[nodiscard]] Result<void, VerifyError> recheck(const CertificateFacts& host, WallTime now,
                                                  const Blocklist& blocklist) const;

 private:
  // The CA, if it and the certificate may be trusted now as far as names and dates go.
  [[nodiscard]] Result<const Certificate*, VerifyError> issuer_of(const CertificateFacts& host,
                                                                  WallTime now,
                                                                  const Blocklist& blocklist) const;

  std::map<Fingerprint, Certificate> cas_;
};

}  // namespace magnetar::pki
