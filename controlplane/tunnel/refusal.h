// SPDX-License-Identifier: Apache-2.0
// Why the control plane refused a packet: one table of reasons, metric labels and texts.
//
// A refused packet costs exactly one Refused. HandshakeEnded follows it only once the peer's
// certificate could be decoded (or a handshake of our own ends): garbage is not a handshake.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "controlplane/pki/ca_pool.h"

namespace magnetar {

enum class Refusal : std::uint8_t {
  // handshake packets, before a certificate is known
  kOwnAddress,
  kNoPort,
  kHandshakeCounter,
  kStage1Index,
  kHandshakeTooShort,
  kHandshakeTooLong,
  kLowOrderKey,
  kPayloadMalformed,
  kNoCertificate,
  kNoPeerIndex,
  kCertVersion,
  kCertMalformed,
  kStage2Unknown,
  kStage2Forged,
  // the certificate: one for each pki::VerifyError, in its order
  kCertBlocked,
  kCertNoIssuer,
  kCertUnknownIssuer,
  kCertCurveMismatch,
  kCertCaExpired,
  kCertCaNotYetValid,
  kCertExpired,
  kCertNotYetValid,
  kCertBadSignature,
  kCertOutlivesCa,
  kCertOlderThanCa,
  kCertGroupNotAllowed,
  kCertNetworkNotAllowed,
  kCertUnsafeNetworkNotAllowed,
  kCertIsCa,
  kCertNoNetwork,
  kCertBadNetwork,
  // handshakes of a peer that is who it says
  kSelfHandshake,
  kStage1TooOld,
  kRaceWon,
  kHandshakeRateLimited,
  kTableFull,
  kWrongResponder,
  // packets that wait for a tunnel
  kNoAddress,
  kNoOwnCert,
  kToOurselves,
  kQueueFull,
  kQueueLost,
  // messages within a tunnel
  kSessionGone,
  kTestTooLong,
  kLighthouseUnsupported,
  kControlUnsupported,
  kRelayUnsupported,
  // indexes that name nothing
  kUnknownIndex,
  kIndexNotReady,
  kForged,
  kForgedByStranger,
  kRecvErrorRateLimited,
  kRecvErrorUnknown,
  kRecvErrorSpoofed,
  kCount,
};

inline constexpr std::size_t kRefusals = static_cast<std::size_t>(Refusal::kCount);

struct RefusalRule {
  Refusal refusal;
  std::string_view label;  // of magnetar_control_drops_total{reason}
  std::string_view text;
};

inline constexpr std::array<RefusalRule, kRefusals> kRefusalRules{{
    {Refusal::kOwnAddress, "own_address", "sent from one of our own underlay addresses"},
    {Refusal::kNoPort, "no_port", "source port 0: nobody to answer"},
    {Refusal::kHandshakeCounter, "handshake_counter", "handshake counter is neither 1 nor 2"},
    {Refusal::kStage1Index, "stage1_index", "stage 1 whose header names an index"},
    {Refusal::kHandshakeTooShort, "handshake_too_short", "handshake packet cut short"},
    {Refusal::kHandshakeTooLong, "handshake_too_long", "handshake packet longer than any real one"},
    {Refusal::kLowOrderKey, "low_order_key", "a public key that yields no secret"},
    {Refusal::kPayloadMalformed, "payload_malformed", "handshake payload cannot be read"},
    {Refusal::kNoCertificate, "no_certificate", "handshake payload without a certificate"},
    {Refusal::kNoPeerIndex, "no_peer_index", "handshake payload without the sender's index"},
    {Refusal::kCertVersion, "cert_version", "certificate of an unknown version"},
    {Refusal::kCertMalformed, "cert_malformed", "certificate cannot be read"},
    {Refusal::kStage2Unknown, "stage2_unknown", "stage 2 for an index nobody waits for"},
    {Refusal::kStage2Forged, "stage2_forged", "stage 2 that does not authenticate"},
    {Refusal::kCertBlocked, "cert_blocked", "certificate is on the blocklist"},
    {Refusal::kCertNoIssuer, "cert_no_issuer", "certificate names no issuer"},
    {Refusal::kCertUnknownIssuer, "cert_unknown_issuer", "certificate of an untrusted CA"},
    {Refusal::kCertCurveMismatch, "cert_curve_mismatch",
     "certificate and CA, or certificate and network, differ in curve"},
    {Refusal::kCertCaExpired, "cert_ca_expired", "the CA has expired"},
    {Refusal::kCertCaNotYetValid, "cert_ca_not_yet_valid", "the CA is not valid yet"},
    {Refusal::kCertExpired, "cert_expired", "certificate has expired"},
    {Refusal::kCertNotYetValid, "cert_not_yet_valid", "certificate is not valid yet"},
    {Refusal::kCertBadSignature, "cert_bad_signature", "the CA did not sign this certificate"},
    {Refusal::kCertOutlivesCa, "cert_outlives_ca", "certificate expires after its CA"},
    {Refusal::kCertOlderThanCa, "cert_older_than_ca", "certificate begins before its CA"},
    {Refusal::kCertGroupNotAllowed, "cert_group_not_allowed", "a group the CA may not give"},
    {Refusal::kCertNetworkNotAllowed, "cert_network_not_allowed", "a network the CA may not give"},
    {Refusal::kCertUnsafeNetworkNotAllowed, "cert_unsafe_network_not_allowed",
     "an unsafe network the CA may not give"},
    {Refusal::kCertIsCa, "cert_is_ca", "a CA's certificate used as a host's"},
    {Refusal::kCertNoNetwork, "cert_no_network", "certificate without an overlay address"},
    {Refusal::kCertBadNetwork, "cert_bad_network", "overlay address that no host can have"},
    {Refusal::kSelfHandshake, "self_handshake", "a handshake with one of our own addresses"},
    {Refusal::kStage1TooOld, "stage1_too_old", "stage 1 older than the peer's tunnel"},
    {Refusal::kRaceWon, "race_won", "both sides started and ours goes on"},
    {Refusal::kHandshakeRateLimited, "handshake_rate_limited",
     "more handshakes than may be answered"},
    {Refusal::kTableFull, "table_full", "no free slot for another tunnel"},
    {Refusal::kWrongResponder, "wrong_responder", "another host answered than was asked"},
    {Refusal::kNoAddress, "no_address", "no underlay address of the destination is known"},
    {Refusal::kNoOwnCert, "no_own_cert",
     "an IPv6 destination needs a version 2 certificate of ours"},
    {Refusal::kToOurselves, "to_ourselves", "inner packet for one of our own addresses"},
    {Refusal::kQueueFull, "queue_full", "too many packets wait for this tunnel"},
    {Refusal::kQueueLost, "queue_lost", "the tunnel this packet waited for did not come up"},
    {Refusal::kSessionGone, "session_gone", "for a tunnel that was closed a moment ago"},
    {Refusal::kTestTooLong, "test_too_long", "test request whose reply would not fit a packet"},
    {Refusal::kLighthouseUnsupported, "lighthouse_unsupported", "lighthouse message, not handled"},
    {Refusal::kControlUnsupported, "control_unsupported", "relay control message, not handled"},
    {Refusal::kRelayUnsupported, "relay_unsupported", "relayed packet, not handled"},
    {Refusal::kUnknownIndex, "unknown_index", "index names no tunnel; answered with recv_error"},
    {Refusal::kIndexNotReady, "index_not_ready", "tunnel is not, or not yet, known to the worker"},
    {Refusal::kForged, "forged", "does not authenticate, from where the peer may be; no answer"},
    {Refusal::kForgedByStranger, "forged_by_stranger",
     "does not authenticate, not from the peer; answered with recv_error"},
    {Refusal::kRecvErrorRateLimited, "recv_error_rate_limited",
     "index names no tunnel; no answer, too many were sent"},
    {Refusal::kRecvErrorUnknown, "recv_error_unknown", "recv_error for an index no peer gave us"},
    {Refusal::kRecvErrorSpoofed, "recv_error_spoofed", "recv_error not from the tunnel's peer"},
}};

static_assert(
    [] {
      for (std::size_t i = 0; i < kRefusals; ++i)
        if (static_cast<std::size_t>(kRefusalRules[i].refusal) != i) return false;
      return true;
    }(),
    "rows are indexed by the reason");

[[nodiscard]] constexpr std::string_view label(Refusal refusal) {
  return kRefusalRules[static_cast<std::size_t>(refusal)].label;
}
[[nodiscard]] constexpr std::string_view text(Refusal refusal) {
  return kRefusalRules[static_cast<std::size_t>(refusal)].text;
}

[[nodiscard]] constexpr Refusal refusal_of(pki::VerifyError error) {
  return static_cast<Refusal>(static_cast<unsigned>(Refusal::kCertBlocked) +
                              static_cast<unsigned>(error));
}
static_assert(refusal_of(pki::VerifyError::kBlocked) == Refusal::kCertBlocked &&
                  refusal_of(pki::VerifyError::kExpired) == Refusal::kCertExpired &&
                  refusal_of(pki::VerifyError::kBadNetwork) == Refusal::kCertBadNetwork,
              "the certificate rows follow pki::VerifyError");

// How a handshake may end besides a refusal (HandshakeEnded::result).
inline constexpr std::string_view kHandshakeOk = "ok";
inline constexpr std::string_view kHandshakeTimeout = "timeout";
inline constexpr std::string_view kHandshakeSuperseded = "superseded";  // the peer's was first
inline constexpr std::string_view kHandshakeClosed = "closed";          // by the operator

}  // namespace magnetar
