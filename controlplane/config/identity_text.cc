// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/identity_text.h"

#include <chrono>
#include <ctime>

#include "controlplane/config/report.h"

namespace magnetar::config {
namespace {

using pki::CaPool;
using pki::Certificate;
using pki::VerifyError;

std::string names_of(const CaPool& cas) {
  std::string names;
  for (const auto& [fingerprint, ca] : cas.cas())
    names += (names.empty() ? "" : ", ") + named(ca) + " (" + fingerprint.to_string() + ")";
  return names;
}

}  // namespace

std::string rfc3339(WallTime time) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm utc{};
  char text[sizeof("-2147481748-01-01T00:00:00Z")];
  if (gmtime_r(&seconds, &utc) == nullptr) return "an unknown time";
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string named(const Certificate& certificate) { return in_quotes(certificate.name); }

std::string date_problem(const Certificate& certificate, WallTime now) {
  const std::string today = " (it is " + rfc3339(now) + " now)";
  if (now > certificate.not_after) return " expired at " + rfc3339(certificate.not_after) + today;
  if (now < certificate.not_before)
    return " is not valid before " + rfc3339(certificate.not_before) + today;
  return {};
}

std::string refusal(const std::string& subject, const Certificate& own, const CaPool& cas,
                    VerifyError error) {
  if (error == VerifyError::kBlocked)
    return subject + " (" + own.fingerprint.to_string() +
           ") is on pki.blocklist; use another certificate or take it off the list";
  if (error == VerifyError::kUnknownIssuer)
    return "no CA vouches for " + subject + ": its issuer is " + own.issuer->to_string() +
           ", pki.ca holds " + names_of(cas) +
           "; add the issuer to pki.ca or have the certificate signed by one of these";
  const Certificate* ca = own.issuer ? cas.find(*own.issuer) : nullptr;
  const std::string signer = ca == nullptr ? "" : ", issued by the CA " + named(*ca) + ",";
  std::string text = subject + signer + " is refused: " + std::string(pki::text(error));
  if (error == VerifyError::kCaExpired && ca != nullptr)
    text += " (" + rfc3339(ca->not_after) + ")";
  if (error == VerifyError::kOutlivesCa && ca != nullptr)
    text += " (" + rfc3339(own.not_after) + " is after " + rfc3339(ca->not_after) + ")";
  return text + "; have a new one signed";
}

}  // namespace magnetar::config
