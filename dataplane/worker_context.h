// SPDX-License-Identifier: Apache-2.0
// What both pipelines of one worker share.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include <rte_cycles.h>

#include "dataplane/base/time.h"
#include "dataplane/control_ring.h"
#include "dataplane/crypto/aead.h"
#include "dataplane/packet/facts.h"
#include "dataplane/packet/meta.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"
#include "dataplane/tables/route_table.h"
#include "dataplane/tables/session_table.h"

namespace magnetar {

inline constexpr std::size_t kBurst = 64;  // packets a pipeline takes on at once

struct WorkerContext {
  std::uint16_t worker;
  PortQueue& outside;
  PortQueue& inside;
  const SessionTable& sessions;
  const RouteTable& routes;
  const std::atomic<const Facts*>& facts;  // behind RCU
  Aead& aead;
  ControlRings& rings;
  WorkerStats& stats;
  bool alone = false;  // no other worker counts for the sessions
};

// Collects packets that leave the pipelines sideways, and settles them once a burst.
class Exits {
 public:
  explicit Exits(WorkerContext& context) : context_(context) {}

  void drop(rte_mbuf* mbuf, Verdict why) {
    context_.stats.drops[static_cast<std::size_t>(why)].add(1);
    dropped_[drops_++] = mbuf;
  }
  // `mbuf`'s data and meta are as the control plane wants them; kind and worker are set here.
  void punt(rte_mbuf* mbuf, PuntKind kind) {
    PuntMeta& meta = punt_meta(*mbuf);
    meta.kind = kind;
    meta.worker = context_.worker;
    punted_[punts_++] = mbuf;
  }
  // A notice is a packet of ours on top of the burst's, so it is not counted as punted.
  void notice(const PuntMeta& what, rte_mempool* pool);
  // Frees the dropped and hands over the punted. Call once a burst.
  void settle();

 private:
  void punt_all(std::span<rte_mbuf*> packets);
  void punt_kind(PuntKind kind, std::span<rte_mbuf*> packets);

  WorkerContext& context_;
  std::array<rte_mbuf*, kBurst> dropped_;
  std::array<rte_mbuf*, kBurst> punted_;
  std::size_t drops_ = 0;
  std::size_t punts_ = 0;
};

// Counts packets and bursts of each stage, and the cycles that it takes: of one burst in kSample,
// times kSample. Five looks at the clock cost 150 cycles, more than a burst of small packets has
// to spare (docs/performance.md).
class StageClock {
 public:
  static constexpr std::uint32_t kSample = 8;

  // `burst`: how many bursts the pipeline has had.
  StageClock(WorkerStats& stats, std::uint32_t burst)
      : stats_(stats), last_(burst % kSample == 0 ? rte_rdtsc() : 0) {}
  // The stage ends here.
  void mark(Stage stage, std::size_t packets) {
    StageStats& of = stats_.stages[static_cast<std::size_t>(stage)];
    of.packets.add(packets);
    of.vectors.add(1);
    if (last_ == 0) return;
    const std::uint64_t now = rte_rdtsc();
    of.cycles.add((now - last_) * kSample);
    last_ = now;
  }

 private:
  WorkerStats& stats_;
  std::uint64_t last_;  // 0: this burst is not timed
};

// Sends a burst and drops what the port does not take. Returns how many it took.
std::size_t transmit(PortQueue& port, SideStats& side, std::span<rte_mbuf*> packets, Exits& exits,
                     Verdict when_full);

// The same of packets that begin here (PortQueue::prepare_own).
std::size_t transmit_own(PortQueue& port, SideStats& side, std::span<rte_mbuf*> packets,
                         Exits& exits, Verdict when_full);

// The kernel's monotonic clock as of its last tick: for limits of what is rare.
[[nodiscard]] Instant coarse_now();

// Sends what the control thread has put on this worker's ring, all of it. Returns how much.
std::size_t send_control_frames(WorkerContext& context, Exits& exits);

}  // namespace magnetar
