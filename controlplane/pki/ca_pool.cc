// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/ca_pool.h"

#include <algorithm>
#include <array>
#include <utility>

#include "controlplane/crypto/signature.h"

namespace magnetar::pki {
namespace {

struct VerifyRow {
  VerifyError error;
  std::string_view label;
  std::string_view text;
};
constexpr std::array kVerifyRows{
    VerifyRow{VerifyError::kBlocked, "blocked", "on the blocklist"},
    VerifyRow{VerifyError::kNoIssuer, "no_issuer", "names no issuer"},
    VerifyRow{VerifyError::kUnknownIssuer, "unknown_issuer", "issued by a CA that is not trusted"},
    VerifyRow{VerifyError::kCurveMismatch, "curve_mismatch", "of another curve than its CA"},
    VerifyRow{VerifyError::kCaExpired, "ca_expired", "issued by a CA that has expired"},
    VerifyRow{VerifyError::kCaNotYetValid, "ca_not_yet_valid",
              "issued by a CA that is not valid yet"},
    VerifyRow{VerifyError::kExpired, "expired", "expired"},
    VerifyRow{VerifyError::kNotYetValid, "not_yet_valid", "not valid yet"},
    VerifyRow{VerifyError::kBadSignature, "bad_signature", "not signed by the CA it names"},
    VerifyRow{VerifyError::kOutlivesCa, "outlives_ca", "valid for longer than its CA"},
    VerifyRow{VerifyError::kOlderThanCa, "older_than_ca", "valid from a time before its CA"},
    VerifyRow{VerifyError::kGroupNotAllowed, "group_not_allowed",
              "in a group its CA may not give out"},
    VerifyRow{VerifyError::kNetworkNotAllowed, "network_not_allowed",
              "for a network its CA may not give out"},
    VerifyRow{VerifyError::kUnsafeNetworkNotAllowed, "unsafe_network_not_allowed",
              "for an unsafe network its CA may not give out"},
    VerifyRow{VerifyError::kIsCa, "is_ca", "a CA's, which is no host"},
    VerifyRow{VerifyError::kNoNetwork, "no_network", "without an overlay address"},
    VerifyRow{VerifyError::kBadNetwork, "bad_network",
              "for an overlay address that no host can have (loopback, multicast, broadcast or "
              "unspecified)"},
};
static_assert(
    [] {
      for (std::size_t i = 0; i < kVerifyRows.size(); ++i)
        if (static_cast<std::size_t>(kVerifyRows[i].error) != i) return false;
      return true;
    }(),
    "rows are indexed by the error");

bool is_signed_by(const Certificate& certificate, const Certificate& ca) {
  return crypto::is_signed_by(ca.curve, ca.public_key, certificate.signed_bytes,
                              certificate.signature);
}

// An empty list at the CA means: anything.
bool within(const std::vector<Prefix>& networks, const std::vector<Prefix>& allowed) {
  if (allowed.empty()) return true;
  return std::ranges::all_of(networks, [&](const Prefix& network) {
    return std::ranges::any_of(allowed, [&](const Prefix& a) { return a.contains(network); });
  });
}

bool groups_within(const CertificateFacts& host, const CertificateFacts& ca) {
  if (ca.groups.empty()) return true;
  return std::ranges::all_of(host.groups, [&](const std::string& group) {
    return std::ranges::find(ca.groups, group) != ca.groups.end();
  });
}

// Step 8 of wire.md 7.2.
Result<void, VerifyError> check_constraints(const CertificateFacts& host,
                                            const CertificateFacts& ca) {
  if (host.not_after > ca.not_after) return fail(VerifyError::kOutlivesCa);
  if (host.not_before < ca.not_before) return fail(VerifyError::kOlderThanCa);
  if (!groups_within(host, ca)) return fail(VerifyError::kGroupNotAllowed);
  if (!within(host.networks, ca.networks)) return fail(VerifyError::kNetworkNotAllowed);
  if (!within(host.unsafe_networks, ca.unsafe_networks))
    return fail(VerifyError::kUnsafeNetworkNotAllowed);
  return {};
}

// 255.255.255.255, or the last address of a network that has room for one (RFC 3021).
bool is_broadcast(const Prefix& network) {
  if (!network.addr.is_v4()) return false;
  const std::uint32_t addr = network.addr.v4_value();
  if (addr == 0xffffffffU) return true;
  const std::uint32_t host_bits = network.length >= 31 ? 0 : 0xffffffffU >> network.length;
  return host_bits != 0 && (addr & host_bits) == host_bits;
}

// What Nebula lets pass and should not (end of wire.md).
Result<void, VerifyError> check_is_a_host(const CertificateFacts& host) {
  if (host.is_ca) return fail(VerifyError::kIsCa);
  if (host.networks.empty()) return fail(VerifyError::kNoNetwork);
  for (const Prefix& network : host.networks) {
    const IpAddr& addr = network.addr;
    if (addr.is_unspecified() || addr.is_loopback() || addr.is_multicast() || is_broadcast(network))
      return fail(VerifyError::kBadNetwork);
  }
  return {};
}

}  // namespace

Result<void, VerifyError> check_content(const CertificateFacts& host, const CertificateFacts& ca) {
  if (auto allowed = check_constraints(host, ca); !allowed) return allowed;
  return check_is_a_host(host);
}

bool is_blocked(const CertificateFacts& host, const Blocklist& blocklist) {
  return blocklist.contains(host.fingerprint) ||
         (host.other_fingerprint && blocklist.contains(*host.other_fingerprint));
}

std::string_view label(VerifyError error) {
  return kVerifyRows[static_cast<std::size_t>(error)].label;
}

std::string_view text(VerifyError error) {
  return kVerifyRows[static_cast<std::size_t>(error)].text;
}

std::string_view text(CaError error) {
  switch (error) {
    case CaError::kNotACa:
      return "not a CA's certificate";
    case CaError::kBadSelfSignature:
      return "not signed by its own key";
  }
  return "unknown";
}

Result<void, CaError> CaPool::add(Certificate ca) {
  if (!ca.is_ca) return fail(CaError::kNotACa);
  if (!is_signed_by(ca, ca)) return fail(CaError::kBadSelfSignature);
  const Fingerprint fingerprint = ca.fingerprint;
  cas_.insert_or_assign(fingerprint, std::move(ca));
  return {};
}

const Certificate* CaPool::find(const Fingerprint& fingerprint) const {
  const auto found = cas_.find(fingerprint);
  return found == cas_.end() ? nullptr : &found->second;
}

Result<void, VerifyError> CaPool::verify(const Certificate& host, WallTime now,
                                         const Blocklist& blocklist) const {
  const auto ca = issuer_of(host, now, blocklist);
  if (!ca) return fail(ca.error());
  if (!is_signed_by(host, **ca)) return fail(VerifyError::kBadSignature);
  return check_content(host, **ca);
}

Result<void, VerifyError> CaPool::recheck(const CertificateFacts& host, WallTime now,
                                          const Blocklist& blocklist) const {
  const auto ca = issuer_of(host, now, blocklist);
  if (!ca) return fail(ca.error());
  return check_content(host, **ca);
}

Result<const Certificate*, VerifyError> CaPool::issuer_of(const CertificateFacts& host,
                                                          WallTime now,
                                                          const Blocklist& blocklist) const {
  if (is_blocked(host, blocklist)) return fail(VerifyError::kBlocked);
  if (!host.issuer) return fail(VerifyError::kNoIssuer);
  const Certificate* ca = find(*host.issuer);
  if (ca == nullptr) return fail(VerifyError::kUnknownIssuer);
  if (ca->curve != host.curve) return fail(VerifyError::kCurveMismatch);
  if (now < ca->not_before) return fail(VerifyError::kCaNotYetValid);
  if (now > ca->not_after) return fail(VerifyError::kCaExpired);
  if (now < host.not_before) return fail(VerifyError::kNotYetValid);
  if (now > host.not_after) return fail(VerifyError::kExpired);
  return ca;
}

}  // namespace magnetar::pki
