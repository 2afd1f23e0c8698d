// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker_context.h"

#include <rte_mbuf.h>
#include <time.h>

namespace magnetar {

void Exits::notice(const PuntMeta& what, rte_mempool* pool) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
  if (mbuf == nullptr) return;
  punt_meta(*mbuf) = what;
  punt_meta(*mbuf).worker = context_.worker;
  if (context_.rings.punt(what.kind, {&mbuf, 1}) == 0) {
    context_.stats.punt_dropped[static_cast<std::size_t>(what.kind)].add(1);
    rte_pktmbuf_free(mbuf);
  }
}

void Exits::settle() {
  if (punts_ > 0) punt_all({punted_.data(), punts_});
  if (drops_ > 0) rte_pktmbuf_free_bulk(dropped_.data(), static_cast<unsigned>(drops_));
  punts_ = 0;
  drops_ = 0;
}

// Each kind in its order. Most bursts hold one kind only, or none.
void Exits::punt_all(std::span<rte_mbuf*> packets) {
  while (!packets.empty()) {
    const PuntKind kind = punt_meta(*packets.front()).kind;
    std::array<rte_mbuf*, kBurst> same;
    std::size_t count = 0;
    std::size_t others = 0;
    for (rte_mbuf* one : packets) {
      if (punt_meta(*one).kind == kind)
        same[count++] = one;
      else
        packets[others++] = one;
    }
    punt_kind(kind, {same.data(), count});
    packets = packets.first(others);
  }
}

void Exits::punt_kind(PuntKind kind, std::span<rte_mbuf*> packets) {
  const unsigned taken = context_.rings.punt(kind, packets);
  WorkerStats& stats = context_.stats;
  stats.punted[static_cast<std::size_t>(kind)].add(taken);
  if (taken == packets.size()) return;
  const auto rest = packets.subspan(taken);
  stats.punt_dropped[static_cast<std::size_t>(kind)].add(rest.size());
  stats.drops[static_cast<std::size_t>(Verdict::kPuntRingFull)].add(rest.size());
  rte_pktmbuf_free_bulk(rest.data(), static_cast<unsigned>(rest.size()));
}

namespace {

std::size_t transmit_ready(PortQueue& port, SideStats& side, std::span<rte_mbuf*> packets,
                           Exits& exits, Verdict when_full) {
  if (packets.empty()) return 0;
  // Sizes are taken first: what the port has taken is no longer ours to look at.
  std::uint64_t bytes = 0;
  for (const rte_mbuf* mbuf : packets) bytes += mbuf->pkt_len;
  const std::size_t taken = port.transmit(packets);
  for (rte_mbuf* mbuf : packets.subspan(taken)) {
    bytes -= mbuf->pkt_len;
    exits.drop(mbuf, when_full);
  }
  side.tx_packets.add(taken);
  side.tx_bytes.add(bytes);
  return taken;
}

}  // namespace

std::size_t transmit(PortQueue& port, SideStats& side, std::span<rte_mbuf*> packets, Exits& exits,
                     Verdict when_full) {
  if (!packets.empty()) packets = packets.first(port.prepare(packets));
  return transmit_ready(port, side, packets, exits, when_full);
}

std::size_t transmit_own(PortQueue& port, SideStats& side, std::span<rte_mbuf*> packets,
                         Exits& exits, Verdict when_full) {
  if (!packets.empty()) packets = packets.first(port.prepare_own(packets));
  return transmit_ready(port, side, packets, exits, when_full);
}

Instant coarse_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

std::size_t send_control_frames(WorkerContext& context, Exits& exits) {
  std::array<rte_mbuf*, kBurst> frames;
  std::size_t sent = 0;
  for (std::size_t count = kBurst; count == kBurst; sent += count) {
    count = context.rings.take_frames(context.worker, frames);
    if (count == 0) break;
    context.stats.injected.add(count);
    transmit(context.outside, context.stats.outside, {frames.data(), count}, exits,
             Verdict::kOutsideFull);
    exits.settle();
  }
  return sent;
}

}  // namespace magnetar
