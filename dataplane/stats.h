// SPDX-License-Identifier: Apache-2.0
// Per-worker counters on cache lines of their own: one writer, summed by whoever scrapes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/packet/verdict.h"

namespace magnetar {

// Written by its owner alone, read by any thread.
class OwnedCounter {
 public:
  void add(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// What leaves the data plane for the control plane.
enum class PuntKind : std::uint8_t {
  kHandshake,  // stage 1, or of no stage
  kStage2,     // an answer that perhaps somebody waits for
  kRecvError,
  kUnknownIndex,    // encrypted type whose index names no session: perhaps worth a recv_error
  kSessionMessage,  // opened test, close_tunnel, lighthouse or control message
  kNoTunnel,        // inner packet whose destination has no session
  kMoved,           // notice: an authentic packet came from a new underlay address
  kForged,          // notice: under a session's index, not authentic, not from its peer
  kNoNeighbour,     // sealed, but the next hop of the peer is not known: the kernel can find it
  kKernel,          // a frame for the kernel's twin of the port
  // A port as inside:
  kInsideFrame,  // a frame for the kernel's twin of that port
  kInsideLocal,  // an opened packet that is the kernel's: to deliver, refuse or route elsewhere
  kInsideUnresolved,  // one that leaves by the port, to a neighbour that the kernel has to find
  kCount,
};
inline constexpr std::size_t kPuntKinds = static_cast<std::size_t>(PuntKind::kCount);
inline constexpr std::array<std::string_view, kPuntKinds> kPuntKindNames{
    "handshake",    "stage2",       "recv_error",       "unknown_index", "session_message",
    "no_tunnel",    "moved",        "forged",           "no_neighbour",  "kernel",
    "inside_frame", "inside_local", "inside_unresolved"};

enum class Stage : std::uint8_t {
  kOutsideReceive,
  kOutsideClassify,
  kOutsideOpen,
  kOutsideDeliver,
  kOutsideTransmit,
  kInsideReceive,
  kInsideRoute,
  kInsideSeal,
  kInsideTransmit,
  kCount,
};
inline constexpr std::size_t kStages = static_cast<std::size_t>(Stage::kCount);
struct StageName {
  std::string_view pipeline;
  std::string_view stage;
};
inline constexpr std::array<StageName, kStages> kStageNames{{
    {"outside", "receive"},
    {"outside", "classify"},
    {"outside", "open"},
    {"outside", "deliver"},
    {"outside", "transmit"},
    {"inside", "receive"},
    {"inside", "route"},
    {"inside", "seal"},
    {"inside", "transmit"},
}};

struct StageStats {
  OwnedCounter packets;
  OwnedCounter vectors;
  OwnedCounter cycles;
};

struct SideStats {
  OwnedCounter rx_packets;
  OwnedCounter rx_bytes;
  OwnedCounter tx_packets;
  OwnedCounter tx_bytes;
};

// received(outside) + received(inside) + injected = sent(outside) + sent(inside) + drops + punted,
// whenever no burst is in flight.
struct alignas(64) WorkerStats {
  SideStats outside;  // bytes: of whole frames
  SideStats inside;   // bytes: of IP packets
  std::array<OwnedCounter, kVerdicts> drops;
  std::array<OwnedCounter, kPuntKinds> punted;
  std::array<OwnedCounter, kPuntKinds> punt_dropped;  // also in drops, as punt_ring_full
  OwnedCounter injected;                              // frames of the control plane
  OwnedCounter late;  // sent, but so far behind others of the session that a peer may refuse them
  std::array<StageStats, kStages> stages;
  OwnedCounter busy_cycles;
  OwnedCounter total_cycles;
};

}  // namespace magnetar
