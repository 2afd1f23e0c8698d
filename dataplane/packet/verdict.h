// SPDX-License-Identifier: Apache-2.0
// Why a packet stopped in the data plane: one table of reasons, texts and metric labels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace magnetar {

enum class Verdict : std::uint8_t {
  kForward,  // goes on
  kPunted,   // left for the control plane
  // outside, before the tag is checked
  kNotOurs,
  kMalformedOuter,
  kPunch,
  kTooShort,
  kBadVersion,
  kBadType,
  kOwnOverlaySource,
  kNoSession,
  kReplayed,
  kTooOld,
  kForged,
  // outside, after it
  kInnerMalformed,
  kWrongSource,
  kNotForUs,
  kRelayUnsupported,
  kInsideTooBig,
  kInsideFull,
  // inside
  kInsideMalformed,
  kBadOffload,
  kNotOurSource,
  kNoRoute,
  kToOurselves,
  kMulticast,
  kTooBig,
  kCounterExhausted,
  kOutsideFull,
  // both
  kTtlExceeded,
  kWorkerFull,
  kPuntRingFull,
  kCount,
};

inline constexpr std::size_t kVerdicts = static_cast<std::size_t>(Verdict::kCount);

struct VerdictRule {
  Verdict verdict;
  std::string_view label;  // of magnetar_drops_total{reason}
  std::string_view text;
};

inline constexpr std::array<VerdictRule, kVerdicts> kVerdictRules{{
    {Verdict::kForward, "forward", "not dropped"},
    {Verdict::kPunted, "punted", "handed to the control plane"},
    {Verdict::kNotOurs, "not_ours", "not UDP to our address and port; the kernel has its own copy"},
    {Verdict::kMalformedOuter, "malformed_outer",
     "IP or UDP header cut short, fragmented or inconsistent"},
    {Verdict::kPunch, "punch", "NAT keep-alive of one byte or none"},
    {Verdict::kTooShort, "too_short", "shorter than its header, or than header and tag"},
    {Verdict::kBadVersion, "bad_version", "header version is not 1"},
    {Verdict::kBadType, "bad_type", "unknown message type or subtype"},
    {Verdict::kOwnOverlaySource, "own_overlay_source",
     "underlay source is an address of our overlay network"},
    {Verdict::kNoSession, "no_session", "index names no session"},
    {Verdict::kReplayed, "replayed", "counter was already received"},
    {Verdict::kTooOld, "too_old", "counter is behind the replay window"},
    {Verdict::kForged, "forged", "tag does not verify"},
    {Verdict::kInnerMalformed, "inner_malformed", "opened packet is not a whole IP packet"},
    {Verdict::kWrongSource, "wrong_source",
     "inner source is not an address of the peer's certificate"},
    {Verdict::kNotForUs, "not_for_us", "inner destination is not ours"},
    {Verdict::kRelayUnsupported, "relay_unsupported",
     "relayed packet, and this version is no relay"},
    {Verdict::kInsideTooBig, "inside_too_big", "opened packet does not fit the inside port's MTU"},
    {Verdict::kInsideFull, "inside_full", "inside device takes no more"},
    {Verdict::kInsideMalformed, "inside_malformed", "packet from inside is not a whole IP packet"},
    {Verdict::kBadOffload, "bad_offload",
     "packet from inside does not agree with what the kernel says of its segments or checksum"},
    {Verdict::kNotOurSource, "not_our_source",
     "source is neither our overlay address nor behind us"},
    {Verdict::kNoRoute, "no_route", "destination is outside the overlay networks"},
    {Verdict::kToOurselves, "to_ourselves", "destination is our own overlay address"},
    {Verdict::kMulticast, "multicast", "multicast or broadcast destination"},
    {Verdict::kTooBig, "too_big", "sealed packet would not fit the outside MTU"},
    {Verdict::kCounterExhausted, "counter_exhausted", "message counter is used up"},
    {Verdict::kOutsideFull, "outside_full", "outside port takes no more"},
    {Verdict::kTtlExceeded, "ttl_exceeded", "TTL or hop limit ran out here"},
    {Verdict::kWorkerFull, "worker_full", "queue of the worker that the flow belongs to was full"},
    {Verdict::kPuntRingFull, "punt_ring_full", "control plane's queue was full"},
}};

static_assert(
    [] {
      for (std::size_t i = 0; i < kVerdicts; ++i)
        if (static_cast<std::size_t>(kVerdictRules[i].verdict) != i) return false;
      return true;
    }(),
    "rows are indexed by the verdict");

}  // namespace magnetar
